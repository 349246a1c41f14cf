package queue_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/queue"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/sqlite"
)

func open(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "al.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func accept(t testing.TB, s *sqlite.Store, agent string, jobs int) {
	t.Helper()
	a := store.Acceptance{At: time.Now()}
	for range jobs {
		a.Jobs = append(a.Jobs, store.NewJob{Agent: agent, Trigger: job.Manual})
	}
	if _, err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

// One life after another on a real store: jobs run within the scale, a stop
// gives back what it interrupts, and the next host does it first.
func TestOnSQLite(t *testing.T) {
	t.Parallel()
	s := open(t)
	err := s.SetLimits(t.Context(), store.Limits{Agents: []store.AgentLimits{{Agent: "a", Scale: 2, Capacity: 100}}})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, "a", 20)

	start := func(execute func(context.Context, store.Claimed) queue.Result) (*queue.Dispatcher, chan error) {
		d, err := queue.New(queue.Options{Store: s, Execute: execute, Host: "here", Exclusive: true})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- d.Run(context.Background()) }()
		return d, ended
	}

	began := make(chan int64, 20)
	d, ended := start(func(ctx context.Context, c store.Claimed) queue.Result {
		began <- c.Job.ID
		<-ctx.Done()
		return queue.Result{State: job.Waiting}
	})
	interrupted := map[int64]bool{<-began: true, <-began: true}
	if n := len(d.Active()); n != 2 {
		t.Errorf("%d runs at once, want 2", n)
	}
	d.Stop(0)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	var now, most atomic.Int64
	done := make(chan store.Claimed, 20)
	d, ended = start(func(_ context.Context, c store.Claimed) queue.Result {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		done <- c
		return queue.Result{State: job.Done}
	})
	var claims []store.Claimed
	for range 20 {
		claims = append(claims, <-done)
	}
	// By when they were claimed: which goroutine gets to run first is chance.
	slices.SortFunc(claims, func(a, b store.Claimed) int { return strings.Compare(a.Run.ID, b.Run.ID) })
	for i, c := range claims {
		if i < 2 && (!interrupted[c.Job.ID] || c.Job.Attempt != 2) {
			t.Errorf("run %d is of job %d, attempt %d; want one that was interrupted", i, c.Job.ID, c.Job.Attempt)
		}
	}
	d.Stop(time.Minute)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if most.Load() > 2 {
		t.Errorf("%d runs at once", most.Load())
	}
	jobs, err := s.Jobs(t.Context(), store.Query{State: job.Done})
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 20 {
		t.Errorf("%d jobs are done, want 20", len(jobs))
	}
}

// From the wake-up to the first line of Execute, on a real disk.
func BenchmarkWakeToExecute(b *testing.B) {
	s := open(b)
	err := s.SetLimits(b.Context(), store.Limits{Agents: []store.AgentLimits{{Agent: "a", Scale: 1, Capacity: 100}}})
	if err != nil {
		b.Fatal(err)
	}
	began := make(chan time.Time, 1)
	d, err := queue.New(queue.Options{Store: s, Exclusive: true, Execute: func(context.Context, store.Claimed) queue.Result {
		began <- time.Now()
		return queue.Result{State: job.Done}
	}})
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Run(context.Background()) }()
	var total time.Duration
	for b.Loop() {
		accept(b, s, "a", 1)
		woken := time.Now()
		d.Wake()
		total += (<-began).Sub(woken)
	}
	b.ReportMetric(float64(total.Microseconds())/float64(b.N), "wake-µs/op")
	d.Stop(time.Minute)
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
