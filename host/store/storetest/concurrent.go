package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// together runs n functions at the same time and waits for all.
func together(n int, f func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errors.Join(errs...)
}

var concurrentTests = map[string]func(*testing.T, *bench){
	"of many identical deliveries one starts a job": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 100))
		const callers = 50
		results := make([]store.Accepted, callers)
		b.must(together(callers, func(i int) (err error) {
			rec := b.receipt(fmt.Sprintf("01%03d", i))
			results[i], err = b.Accept(b.ctx, store.Acceptance{
				Receipt: &rec, Jobs: []store.NewJob{newJob("dev", "same")}, At: b.now,
			})
			return err
		}))
		enqueued := 0
		for _, r := range results {
			if r.Verdicts[0] == store.Enqueued {
				enqueued++
			}
			if r.IDs[0] != results[0].IDs[0] {
				t.Errorf("two jobs: %d and %d", r.IDs[0], results[0].IDs[0])
			}
		}
		b.equal("enqueued", enqueued, 1)
		b.counts("dev", 1, 0, 0)
		b.equal("receipts", len(b.receiptIDs()), callers)
	},

	"one bad operation does not spoil its neighbours": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 1000))
		const callers = 60
		var refused, taken atomic.Int64
		b.must(together(callers, func(i int) error {
			rec := b.receipt(fmt.Sprintf("01%03d", i/3)) // each id three times
			_, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, Jobs: []store.NewJob{newJob("dev", "")}, At: b.now})
			switch {
			case err == nil:
				taken.Add(1)
			case errors.Is(err, store.ErrUnavailable):
				return err
			default:
				refused.Add(1)
			}
			return nil
		}))
		b.equal("taken and refused", []int64{taken.Load(), refused.Load()}, []int64{callers / 3, callers / 3 * 2})
		b.counts("dev", callers/3, 0, 0)
	},

	"no queue is ever too deep and no job is lost": func(t *testing.T, b *bench) {
		const accepters, each, capacity = 6, 40, 7
		b.limits(0, agent("dev", 3, capacity))
		var dropped, ended atomic.Int64
		accepting := make(chan struct{})
		var wg sync.WaitGroup
		for w := range 2 {
			wg.Go(func() {
				for n := 0; ; n++ {
					c, err := b.Claim(b.ctx, store.Claim{Host: "host", At: b.now, Until: b.now.Add(lease), Run: fmt.Sprintf("%d-%d", w, n)})
					if err == nil && c != nil {
						err = b.Finish(b.ctx, store.Finish{Run: c.Run.ID, State: job.Done, At: b.now})
						ended.Add(1)
					}
					if err != nil {
						t.Error(err)
						return
					}
					select {
					case <-accepting:
						return
					default:
					}
				}
			})
		}
		wg.Go(func() {
			for {
				queues, err := b.Queues(b.ctx)
				if err != nil {
					t.Error(err)
					return
				}
				if q := queues[0]; q.Waiting > capacity {
					t.Errorf("%d jobs wait, the queue holds %d", q.Waiting, capacity)
				}
				select {
				case <-accepting:
					return
				default:
				}
			}
		})
		err := together(accepters, func(int) error {
			for range each {
				a, err := b.Accept(b.ctx, store.Acceptance{Jobs: []store.NewJob{newJob("dev", "")}, At: b.now})
				if err != nil {
					return err
				}
				dropped.Add(int64(len(a.Dropped)))
			}
			return nil
		})
		close(accepting)
		wg.Wait()
		b.must(err)
		q := b.queue("dev")
		b.equal("dropped as counted and as reported", q.Dropped, dropped.Load())
		b.equal("jobs", int64(q.Waiting)+q.Dropped+ended.Load(), int64(accepters*each))
	},

	"scales hold, and each job runs once": func(t *testing.T, b *bench) {
		const jobs, scale, project = 120, 3, 4
		b.limits(project, agent("a", scale, jobs), agent("b", scale, jobs))
		for i := range jobs {
			b.enqueue([]string{"a", "b"}[i%2])
		}
		var all atomic.Int64
		perAgent := map[string]*atomic.Int64{"a": {}, "b": {}}
		var mu sync.Mutex
		ran := map[int64]bool{}
		b.must(together(8, func(w int) error {
			for n := 0; ; n++ {
				c, err := b.Claim(b.ctx, store.Claim{Host: "host", At: b.now, Until: b.now.Add(lease), Run: fmt.Sprintf("%d-%d", w, n)})
				if err != nil {
					return err
				}
				mu.Lock()
				if c == nil {
					over := len(ran) == jobs
					mu.Unlock()
					if over {
						return nil
					}
					continue
				}
				twice := ran[c.Job.ID]
				ran[c.Job.ID] = true
				mu.Unlock()
				if twice {
					return fmt.Errorf("job %d was claimed twice", c.Job.ID)
				}
				// Counted after the claim and until before the end, these are
				// never more than the store's own.
				if n := all.Add(1); n > project {
					return fmt.Errorf("%d runs at once, the project's scale is %d", n, project)
				}
				if n := perAgent[c.Job.Agent].Add(1); n > scale {
					return fmt.Errorf("%d runs of %s at once, its scale is %d", n, c.Job.Agent, scale)
				}
				all.Add(-1)
				perAgent[c.Job.Agent].Add(-1)
				if err := b.Finish(b.ctx, store.Finish{Run: c.Run.ID, State: job.Done, At: b.now}); err != nil {
					return err
				}
			}
		}))
		b.counts("a", 0, 0, 0)
		b.counts("b", 0, 0, 0)
	},
}
