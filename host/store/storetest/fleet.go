package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// hosts is how many there are where a test asks for several.
const hosts = 3

// ExerciseFleet runs the part of the suite that is about several hosts on one
// store: each call is another host's, and what is promised holds nevertheless.
// The places that fresh makes can be opened several times at once.
func ExerciseFleet(t *testing.T, fresh func(t *testing.T) Place) {
	several := func(t *testing.T) Place {
		place := fresh(t)
		return func(t *testing.T) store.Store {
			t.Helper()
			f := &fleet{}
			for range hosts {
				f.hosts = append(f.hosts, place(t))
			}
			return f
		}
	}
	exercise(t, several, []topic{
		{"Hosts", hostTests},
		{"Duplicates", duplicateTests},
		{"Recover", recoverTests},
		{"Concurrency", concurrencyTests},
		{"Pause", pauseTests},
		{"Cancel", cancelTests},
		{"Concurrent", concurrentTests},
	})
}

var hostTests = map[string]func(*testing.T, *bench){
	"of hosts that tick together one starts a job": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		const ticks, askers = 10, 2 * hosts
		var enqueued [ticks]atomic.Int64
		b.must(together(askers, func(int) error {
			for i := range ticks {
				at := b.now.Add(time.Duration(i+1) * time.Minute)
				a, err := b.Accept(b.ctx, store.Acceptance{At: at, Jobs: []store.NewJob{{
					Agent: "dev", Trigger: job.Schedule, Key: fmt.Sprint("tick/", i), OnlyIfFree: true, Tick: at,
				}}})
				if err != nil {
					return err
				}
				if a.Verdicts[0] == store.Enqueued {
					enqueued[i].Add(1)
				}
			}
			return nil
		}))
		for i := range enqueued {
			if n := enqueued[i].Load(); n > 1 {
				t.Errorf("tick %d was taken %d times", i, n)
			}
		}
		if n := enqueued[0].Load(); n != 1 {
			t.Errorf("the first tick, which finds all slots free, was taken %d times", n)
		}
	},

	"the scale of the project holds, however many claim at once": func(t *testing.T, b *bench) {
		const rounds, askers, project = 15, 4 * hosts, 3
		var limits []store.AgentLimits
		for i := range askers {
			limits = append(limits, agent(fmt.Sprint("agent-", i), 5, 100))
		}
		b.limits(project, limits...)
		for round := range rounds {
			for _, l := range limits {
				b.enqueue(l.Agent)
			}
			claimed := make([]*store.Claimed, askers)
			b.must(together(askers, func(i int) (err error) {
				claimed[i], err = b.Claim(b.ctx, store.Claim{Host: "host", At: b.now, Until: b.now.Add(lease), Run: fmt.Sprintf("run-%d-%d", round, i)})
				return err
			}))
			running := 0
			for _, c := range claimed {
				if c != nil {
					running++
					b.finish(c.Run, job.Done)
				}
			}
			b.equal("runs at once", running, project)
		}
	},

	"of hosts that look for lost runs one finds them": func(t *testing.T, b *bench) {
		const lost = 10
		b.limits(0, agent("a", lost, 100), agent("b", lost, 100))
		for i := range 2 * lost {
			b.claim(b.enqueue([]string{"a", "b"}[i%2]))
		}
		var found, dead atomic.Int64
		at := b.tick().Add(time.Hour)
		b.must(together(2*hosts, func(int) error {
			r, err := b.Recover(b.ctx, store.Recovery{At: at, LeaseEndedBefore: at, MaxAttempts: 2})
			found.Add(int64(len(r.Lost)))
			dead.Add(int64(len(r.Dead)))
			return err
		}))
		b.equal("lost and dead", []int64{found.Load(), dead.Load()}, []int64{2 * lost, 0})
		b.counts("a", lost, 0, 0)
		b.counts("b", lost, 0, 0)
	},

	"what hosts do about several agents does not stop them all": func(t *testing.T, b *bench) {
		const rounds = 25
		names := []string{"a", "b", "c", "d"}
		var limits []store.AgentLimits
		for _, name := range names {
			limits = append(limits, agent(name, 3, 5))
		}
		b.limits(5, limits...)
		var runs atomic.Int64
		b.must(together(2*hosts, func(w int) error {
			for i := range rounds {
				var jobs []store.NewJob
				for k := range names {
					j := keyed(names[(w+i+k*(1+w%2*2))%len(names)], fmt.Sprint(i%3), []store.OnBusy{store.BusyQueue, store.BusyLatest, store.BusyCancel}[k%3])
					if k == 3 {
						j.Debounce = store.Debounce{Group: "g", Quiet: time.Second, Max: time.Minute}
					}
					jobs = append(jobs, j)
				}
				now := b.now.Add(time.Duration(i) * 2 * time.Second)
				if _, err := b.Accept(b.ctx, store.Acceptance{Jobs: jobs, At: now}); err != nil {
					return fmt.Errorf("accept: %w", err)
				}
				c, err := b.Claim(b.ctx, store.Claim{Host: "host", At: now, Until: now.Add(lease), Run: fmt.Sprint("run-", runs.Add(1))})
				if err != nil {
					return fmt.Errorf("claim: %w", err)
				}
				if c == nil {
					continue
				}
				if _, err := b.Renew(b.ctx, []string{c.Run.ID, fmt.Sprint("run-", runs.Load())}, now.Add(lease)); err != nil {
					return fmt.Errorf("renew: %w", err)
				}
				if _, err := b.Cancel(b.ctx, names[i%len(names)], "killed"); err != nil {
					return fmt.Errorf("cancel: %w", err)
				}
				if i%5 == 0 {
					if err := b.SetLimits(b.ctx, store.Limits{Scale: 5 + i%2, Agents: limits, At: now}); err != nil {
						return fmt.Errorf("set limits: %w", err)
					}
				}
				if err := b.Finish(b.ctx, store.Finish{Run: c.Run.ID, State: job.Done, At: now}); err != nil {
					return fmt.Errorf("finish: %w", err)
				}
			}
			return nil
		}))
		for _, name := range names {
			q := b.queue(name)
			waiting, err := b.Jobs(b.ctx, store.Query{Agent: name, State: job.Waiting, Limit: 1000})
			b.must(err)
			b.equal("waiting and running of "+name, []int{q.Waiting, q.Running}, []int{len(waiting), 0})
		}
	},
}

// fleet is a store of which each call goes to another host.
type fleet struct {
	hosts []store.Store
	calls atomic.Uint64
}

var _ store.Store = (*fleet)(nil)

func (f *fleet) next() store.Store {
	return f.hosts[f.calls.Add(1)%uint64(len(f.hosts))]
}

func (f *fleet) Accept(ctx context.Context, a store.Acceptance) (store.Accepted, error) {
	return f.next().Accept(ctx, a)
}
func (f *fleet) Note(r job.Receipt) bool { return f.next().Note(r) }
func (f *fleet) SetLimits(ctx context.Context, l store.Limits) error {
	return f.next().SetLimits(ctx, l)
}
func (f *fleet) SetPaused(ctx context.Context, p store.Pause) error {
	return f.next().SetPaused(ctx, p)
}
func (f *fleet) Claim(ctx context.Context, c store.Claim) (*store.Claimed, error) {
	return f.next().Claim(ctx, c)
}
func (f *fleet) Due(ctx context.Context) (time.Time, error) { return f.next().Due(ctx) }
func (f *fleet) Renew(ctx context.Context, runs []string, until time.Time) (store.Renewed, error) {
	return f.next().Renew(ctx, runs, until)
}
func (f *fleet) Cancel(ctx context.Context, agentOrRun, reason string) ([]string, error) {
	return f.next().Cancel(ctx, agentOrRun, reason)
}
func (f *fleet) Finish(ctx context.Context, e store.Finish) error { return f.next().Finish(ctx, e) }
func (f *fleet) Release(ctx context.Context, run, reason string, at time.Time) error {
	return f.next().Release(ctx, run, reason, at)
}
func (f *fleet) Recover(ctx context.Context, r store.Recovery) (store.Recovered, error) {
	return f.next().Recover(ctx, r)
}
func (f *fleet) Queues(ctx context.Context) ([]store.Queue, error)  { return f.next().Queues(ctx) }
func (f *fleet) Project(ctx context.Context) (store.Project, error) { return f.next().Project(ctx) }
func (f *fleet) Jobs(ctx context.Context, q store.Query) ([]job.Job, error) {
	return f.next().Jobs(ctx, q)
}
func (f *fleet) Runs(ctx context.Context, q store.Query) ([]job.Run, error) {
	return f.next().Runs(ctx, q)
}
func (f *fleet) Receipts(ctx context.Context, q store.Query) ([]job.Receipt, error) {
	return f.next().Receipts(ctx, q)
}
func (f *fleet) Receipt(ctx context.Context, id string) (job.Receipt, error) {
	return f.next().Receipt(ctx, id)
}
func (f *fleet) Job(ctx context.Context, id int64) (job.Job, error)  { return f.next().Job(ctx, id) }
func (f *fleet) Run(ctx context.Context, id string) (job.Run, error) { return f.next().Run(ctx, id) }
func (f *fleet) RunsOf(ctx context.Context, id int64) ([]job.Run, error) {
	return f.next().RunsOf(ctx, id)
}
func (f *fleet) Tally(ctx context.Context, agent string, since time.Time) ([]store.Tally, error) {
	return f.next().Tally(ctx, agent, since)
}
func (f *fleet) Taken(ctx context.Context, receipts []string) ([]store.Taken, error) {
	return f.next().Taken(ctx, receipts)
}
func (f *fleet) Prune(ctx context.Context, p store.Prune) (bool, error) {
	return f.next().Prune(ctx, p)
}
func (f *fleet) Close() error {
	var errs []error
	for _, h := range f.hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}
