package cron_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/cron"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/sqlite"
)

// Two hosts on one real store: every tick is one job, and one only when the
// agent is free.
func TestOnSQLite(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "al.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	limits := store.Limits{Agents: []store.AgentLimits{{Agent: "free", Scale: 100, Capacity: 100}, {Agent: "full", Scale: 1, Capacity: 100}}}
	if err := s.SetLimits(t.Context(), limits); err != nil {
		t.Fatal(err)
	}
	every, err := cron.Parse("* * * * * *", time.UTC)
	if err != nil {
		t.Fatal(err)
	}

	type verdicts struct {
		host int
		of   map[string]store.Verdict // by agent and key
	}
	ctx, cancel := context.WithCancel(t.Context())
	judged := make(chan verdicts, 100)
	ended := make(chan error, 2)
	for host := range 2 {
		c, err := cron.New(cron.Options{Accept: func(ctx context.Context, a store.Acceptance) (store.Accepted, error) {
			out, err := s.Accept(ctx, a)
			v := verdicts{host: host, of: make(map[string]store.Verdict)}
			for i := range out.Verdicts {
				v.of[a.Jobs[i].Agent+" "+a.Jobs[i].Key] = out.Verdicts[i]
			}
			judged <- v
			return out, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		c.SetSchedules([]cron.Entry{{Agent: "free", Schedule: every}, {Agent: "full", Schedule: every}})
		go func() { ended <- c.Run(ctx) }()
	}

	seen := make(map[string]int)
	enqueued := make(map[string]int)
	for both := 0; both < 4; { // ticks of the free agent that both hosts have asked for
		for key, verdict := range (<-judged).of {
			if verdict == store.Enqueued {
				enqueued[key]++
			}
			if seen[key]++; seen[key] == 2 && key[:4] == "free" {
				both++
			}
		}
	}
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}

	full := 0
	for key, n := range enqueued {
		if n != 1 {
			t.Errorf("%s was enqueued %d times", key, n)
		}
		if key[:4] == "full" {
			full++
		}
	}
	if full != 1 {
		t.Errorf("the agent with one slot got %d jobs, want 1", full)
	}
	jobs, err := s.Jobs(t.Context(), store.Query{Agent: "free"})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Trigger != job.Schedule {
			t.Errorf("job %+v", j)
		}
	}
	if len(jobs) < 4 {
		t.Errorf("%d jobs for 4 ticks", len(jobs))
	}
}

// What a store remembers is enough to make up for the newest tick that no host
// was there for, once.
func TestCatchUpOnSQLite(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "al.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	limits := store.Limits{Agents: []store.AgentLimits{{Agent: "a", Scale: 100, Capacity: 100}}}
	if err := s.SetLimits(t.Context(), limits); err != nil {
		t.Fatal(err)
	}
	hourly, err := cron.Parse("@hourly", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	// life is a host from one time on, until it has looked for missed ticks.
	life := func(at time.Time) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		looked := make(chan struct{}, 100)
		c, err := cron.New(cron.Options{
			Accept: func(ctx context.Context, a store.Acceptance) (store.Accepted, error) { return s.Accept(ctx, a) },
			LastTicks: func(ctx context.Context) (map[string]time.Time, error) {
				queues, err := s.Queues(ctx)
				last := make(map[string]time.Time)
				for _, q := range queues {
					last[q.Agent] = q.LastTick
				}
				return last, err
			},
			Now: func() time.Time {
				select {
				case looked <- struct{}{}:
				default:
				}
				return at
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.SetSchedules([]cron.Entry{{Agent: "a", Schedule: hourly, CatchUp: true}})
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		for range 4 { // the last is asked for after the ticks were
			<-looked
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	jobs := func(when string, want int) {
		t.Helper()
		got, err := s.Jobs(t.Context(), store.Query{Agent: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != want {
			t.Errorf("%s: %d jobs, want %d", when, len(got), want)
		}
	}

	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	life(noon.Add(10 * time.Minute))
	jobs("a first start", 0)
	first := store.NewJob{Agent: "a", Trigger: job.Schedule, Key: "tick/first", OnlyIfFree: true, Tick: noon}
	if _, err := s.Accept(t.Context(), store.Acceptance{Jobs: []store.NewJob{first}, At: noon}); err != nil {
		t.Fatal(err)
	}
	life(noon.Add(20 * time.Minute))
	jobs("nothing was missed", 1)
	life(noon.Add(5*time.Hour + 10*time.Minute))
	jobs("five ticks were missed", 2)
	life(noon.Add(5*time.Hour + 20*time.Minute))
	jobs("another restart", 2)
	life(noon.Add(6*time.Hour + 20*time.Minute))
	jobs("and another hour", 3)
}
