package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/sqlite"
)

// scratch is a store in a folder of its own.
type scratch struct {
	*sqlite.Store
	dir     string
	commits atomic.Int64
	ops     atomic.Int64
}

func newScratch(ctx context.Context, agents int) (*scratch, error) {
	dir, err := os.MkdirTemp("", "al-bench-store-")
	if err != nil {
		return nil, err
	}
	s := &scratch{dir: dir}
	s.Store, err = sqlite.Open(ctx, filepath.Join(dir, "al.db"), sqlite.Options{OnCommit: func(_ time.Duration, ops int) {
		s.commits.Add(1)
		s.ops.Add(int64(ops))
	}})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, s.SetLimits(ctx, manyLimits(agents))
}

// manyLimits are so high that nothing ever waits for them.
func manyLimits(agents int) store.Limits {
	l := store.Limits{At: time.Now()}
	for n := range agents {
		l.Agents = append(l.Agents, store.AgentLimits{Agent: agentName(n), Scale: 1 << 20, Capacity: 1 << 30})
	}
	return l
}

func (s *scratch) close() {
	_ = s.Close()
	_ = os.RemoveAll(s.dir)
}

func agentName(n int) string { return fmt.Sprintf("agent-%04d", n) }

// fill makes jobs wait, as many in a transaction as there is room for.
func fill(ctx context.Context, s store.Store, agents, jobs int, name string) error {
	for done := 0; done < jobs; {
		a := store.Acceptance{At: time.Now()}
		for ; len(a.Jobs) < 1000 && done < jobs; done++ {
			a.Jobs = append(a.Jobs, newJob(agentName(done%agents), fmt.Sprint(name, done)))
		}
		if _, err := s.Accept(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func newJob(agent, id string) store.NewJob {
	return store.NewJob{
		Agent: agent, Trigger: job.Webhook, Source: "main", Provider: "github", Event: "issues",
		DeliveryID: id, Key: id, Context: []byte(sampleContext),
	}
}

var sampleContext = fmt.Sprintf(`{"source":"main","event":"issues","action":"labeled","repo":"acme/widgets","number":42,"title":"Widgets fall over","body":%q}`, payload[:400])

// accept records a delivery as ingest does: its receipt and a job.
func (s *scratch) accept(ctx context.Context, agent string) error {
	now := time.Now()
	id := job.NewID(now)
	_, err := s.Accept(ctx, store.Acceptance{
		Receipt: &job.Receipt{ID: id, Provider: "github", ReceivedAt: now, Body: payload, Outcome: job.Queued},
		Jobs:    []store.NewJob{newJob(agent, id)}, At: now,
	})
	return err
}

// work claims a job and ends it.
func (s *scratch) work(ctx context.Context) error {
	now := time.Now()
	c, err := s.Claim(ctx, store.Claim{Host: "bench", At: now, Until: now.Add(time.Minute), Run: job.NewID(now)})
	if err != nil || c == nil {
		return errors.Join(err, errors.New("nothing to claim"))
	}
	return s.Finish(ctx, store.Finish{Run: c.Run.ID, State: job.Done, At: now})
}

// measured is what many calls cost.
type measured struct {
	rate float64
	cpu  time.Duration // of one
}

// during calls a function from several goroutines for a time.
func during(ctx context.Context, callers int, round time.Duration, f func(context.Context) error) (measured, error) {
	var n atomic.Int64
	var calls sync.WaitGroup
	failed := make(chan error, callers)
	end := time.Now().Add(round)
	began, used := time.Now(), selfCPU()
	for range callers {
		calls.Go(func() {
			for time.Now().Before(end) {
				if err := f(ctx); err != nil {
					failed <- err
					return
				}
				n.Add(1)
			}
		})
	}
	calls.Wait()
	select {
	case err := <-failed:
		return measured{}, err
	default:
	}
	took := time.Since(began)
	return measured{rate: float64(n.Load()) / took.Seconds(), cpu: (selfCPU() - used) / time.Duration(max(n.Load(), 1))}, nil
}

func selfCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (m measured) figures() []string {
	return []string{fmt.Sprintf("%.0f/s", m.rate), fmt.Sprintf("CPU %d µs each", m.cpu.Microseconds())}
}

// groupCommit compares what the store does for a delivery with the least that
// can be done: the driver alone, inserting the body, a transaction each or many
// in one.
func groupCommit(ctx context.Context, o options, t *table) error {
	bare := map[int]measured{}
	for _, batch := range []int{1, 64} {
		m, err := bareInserts(ctx, o.round, batch)
		if err != nil {
			return err
		}
		bare[batch] = m
	}
	t.add("driver alone, an insert in each transaction", bare[1].figures()...)
	t.add("driver alone, 64 inserts in each", bare[64].figures()...)
	for _, callers := range []int{1, 16, 64, 256} {
		s, err := newScratch(ctx, 1)
		if err != nil {
			return err
		}
		m, err := during(ctx, callers, o.round, func(ctx context.Context) error { return s.accept(ctx, agentName(0)) })
		batch := float64(s.ops.Load()) / float64(max(s.commits.Load(), 1))
		s.close()
		if err != nil {
			return err
		}
		with := bare[64]
		if callers == 1 {
			with = bare[1]
		}
		t.add(fmt.Sprintf("store: deliveries of %d callers", callers), append(m.figures(),
			fmt.Sprintf("%.1f in a commit", batch), fmt.Sprintf("%.0f %% of the driver alone", 100*m.rate/with.rate))...)
	}
	return nil
}

func bareInserts(ctx context.Context, round time.Duration, batch int) (measured, error) {
	dir, err := os.MkdirTemp("", "al-bench-bare-")
	if err != nil {
		return measured{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := sqlite3.Open(filepath.Join(dir, "bare.db"))
	if err != nil {
		return measured{}, err
	}
	defer func() { _ = c.Close() }()
	if err := c.Exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE receipts (id TEXT PRIMARY KEY, body BLOB)"); err != nil {
		return measured{}, err
	}
	s, _, err := c.Prepare("INSERT INTO receipts VALUES (?, ?)")
	if err != nil {
		return measured{}, err
	}
	defer func() { _ = s.Close() }()
	m, err := during(ctx, 1, round, func(context.Context) error {
		if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
			return err
		}
		for range batch {
			if err := errors.Join(s.BindText(1, job.NewID(time.Now())), s.BindBlob(2, payload), s.Exec()); err != nil {
				return err
			}
		}
		return c.Exec("COMMIT")
	})
	m.rate *= float64(batch)
	m.cpu /= time.Duration(batch)
	return m, err
}

// queueCost measures the life of a job in the store, from queued to done, in
// queues of different depths and with many agents. Sixteen callers keep the
// depth as it is.
func queueCost(ctx context.Context, o options, t *table) error {
	var first measured
	for i, c := range []struct{ agents, waiting int }{{1, 1}, {1, 100}, {1, o.depth}, {1000, o.depth}} {
		s, err := newScratch(ctx, c.agents)
		if err != nil {
			return err
		}
		const callers = 16
		m, err := measured{}, fill(ctx, s, c.agents, c.waiting+callers, "waiting-")
		if err == nil {
			var turn atomic.Int64
			m, err = during(ctx, callers, o.round, func(ctx context.Context) error {
				now := time.Now()
				j := newJob(agentName(int(turn.Add(1))%c.agents), job.NewID(now))
				if _, err := s.Accept(ctx, store.Acceptance{Jobs: []store.NewJob{j}, At: now}); err != nil {
					return err
				}
				return s.work(ctx)
			})
		}
		s.close()
		if err != nil {
			return err
		}
		if i == 0 {
			first = m
		}
		t.add(fmt.Sprintf("queue, claim and end a job: %d waiting, %d agents", c.waiting, c.agents),
			append(m.figures(), fmt.Sprintf("%.0f %% of the CPU of the first", 100*float64(m.cpu)/float64(first.cpu)))...)
	}
	return nil
}

// recovery kills a gateway behind which many jobs wait, and starts it again.
func recovery(ctx context.Context, o options, t *table) error {
	b, err := newBell()
	if err != nil {
		return err
	}
	defer b.close()
	g, err := launch(ctx, o, project{agents: 1, command: fmt.Sprintf(`["sh", "-c", "echo >%s; exec sleep 100000"]`, b.file)}, false)
	if err != nil {
		return err
	}
	g.kill()
	s, err := sqlite.Open(ctx, filepath.Join(g.dir, ".al", "al.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	if err := errors.Join(fill(ctx, s, 1, o.depth, "waiting-"), s.Close()); err != nil {
		return err
	}
	var ready, again []time.Duration
	for range max(3, o.rounds) {
		if err := g.start(ctx, o, false); err != nil {
			return err
		}
		if _, err := b.wait(ctx); err != nil {
			return err
		}
		g.kill()
		began := time.Now()
		if err := g.start(ctx, o, false); err != nil {
			return err
		}
		at, err := b.wait(ctx)
		if err != nil {
			return err
		}
		ready, again = append(ready, g.ready), append(again, at.Sub(began))
		g.kill()
	}
	if err := g.start(ctx, o, false); err != nil { // to end it in order
		return err
	}
	g.stop()
	ms := func(of []time.Duration) string {
		var v []float64
		for _, d := range of {
			v = append(v, float64(d.Microseconds())/1000)
		}
		return fmt.Sprintf("%.0f ms", median(v))
	}
	t.add(fmt.Sprintf("after a kill with %d jobs waiting", o.depth), "ready after "+ms(ready), "its job runs again after "+ms(again))
	return nil
}

// pruneCost deletes the history of many deliveries, in the gateway's steps.
func pruneCost(ctx context.Context, o options, t *table) error {
	s, err := newScratch(ctx, 1)
	if err != nil {
		return err
	}
	defer s.close()
	const records = 20_000
	var left atomic.Int64
	left.Store(records)
	if _, err := during(ctx, 64, time.Hour, func(ctx context.Context) error {
		if left.Add(-1) < 0 {
			return errEnough
		}
		return errors.Join(s.accept(ctx, agentName(0)), s.work(ctx))
	}); err != nil && !errors.Is(err, errEnough) {
		return err
	}
	var steps []time.Duration
	used := selfCPU()
	for more := true; more; {
		began := time.Now()
		if more, err = s.Prune(ctx, store.Prune{Before: time.Now(), Step: store.PruneStep}); err != nil {
			return err
		}
		steps = append(steps, time.Since(began))
	}
	cost := (selfCPU() - used) / records
	t.add(fmt.Sprintf("delete %d deliveries with jobs and runs", records), append(quantiles(steps),
		fmt.Sprintf("for each step of %d", store.PruneStep), fmt.Sprintf("CPU %d µs each", cost.Microseconds()))...)
	return nil
}

var errEnough = errors.New("enough")
