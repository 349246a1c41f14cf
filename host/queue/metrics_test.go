package queue

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/scrape"
	"github.com/action-llama/gateway/host/store"
)

func TestCollectorTellsTheStateOfTheStore(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var down error
	reg := scrape.New(prometheus.NewRegistry())
	NewCollector(reg, func(ctx context.Context) ([]store.Queue, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("a scrape without a deadline")
		}
		return []store.Queue{
			{Agent: "a", Scale: 2, Capacity: 100, Waiting: 3, Running: 1, Dropped: 7, Oldest: now.Add(-90 * time.Second),
				Paused: true, LimitedUntil: now.Add(time.Hour)},
			{Agent: "b", Scale: 1, Capacity: 5},
		}, down
	}, func() time.Time { return now }, nil)

	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP al_agent_paused 1 while the agent is paused.
# TYPE al_agent_paused gauge
al_agent_paused{agent="a"} 1
al_agent_paused{agent="b"} 0
# HELP al_queue_capacity Jobs that may wait before the oldest is dropped.
# TYPE al_queue_capacity gauge
al_queue_capacity{agent="a"} 100
al_queue_capacity{agent="b"} 5
# HELP al_queue_depth Jobs that wait.
# TYPE al_queue_depth gauge
al_queue_depth{agent="a"} 3
al_queue_depth{agent="b"} 0
# HELP al_queue_dropped_total Jobs that were dropped: from a full queue, for a newer one with their key, or for want of a budget.
# TYPE al_queue_dropped_total counter
al_queue_dropped_total{agent="a"} 7
al_queue_dropped_total{agent="b"} 0
# HELP al_queue_oldest_seconds For how long the oldest waiting job has waited; 0 when none waits.
# TYPE al_queue_oldest_seconds gauge
al_queue_oldest_seconds{agent="a"} 90
al_queue_oldest_seconds{agent="b"} 0
# HELP al_runs_active Runs under way, on all hosts of the store.
# TYPE al_runs_active gauge
al_runs_active{agent="a"} 1
al_runs_active{agent="b"} 0
# HELP al_runs_budget_exhausted 1 while maxRunsPerHour or maxRunsPerDay of the agent keeps it from starting runs.
# TYPE al_runs_budget_exhausted gauge
al_runs_budget_exhausted{agent="a"} 1
al_runs_budget_exhausted{agent="b"} 0
# HELP al_runs_limit Runs that may be under way at once: the scale of the agent.
# TYPE al_runs_limit gauge
al_runs_limit{agent="a"} 2
al_runs_limit{agent="b"} 1
`))
	if err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}

	down = store.ErrUnavailable
	if n, err := testutil.GatherAndCount(reg); err != nil || n != 0 {
		t.Errorf("with the store down: %d series, %v; the rest of the scrape must live", n, err)
	}
	down = nil
	if n, err := testutil.GatherAndCount(reg); err != nil || n != 16 {
		t.Errorf("when it answers again: %d series, %v", n, err)
	}
}

// The series of an agent go with it, also those that its last run made after.
func TestSeriesOfAgentsThatAreGone(t *testing.T) {
	t.Parallel()
	reg := scrape.New(prometheus.NewRegistry())
	d, err := New(Options{Store: newMemory(1, nil), Execute: ok, Board: reg})
	if err != nil {
		t.Fatal(err)
	}
	count := func() int {
		n, err := testutil.GatherAndCount(reg, "al_runs_total")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	d.SetAgents([]string{"a", "b"})
	both := count()
	d.SetAgents([]string{"a"})
	one := count()
	d.metrics.ended(store.Claimed{Job: job.Job{Agent: "b", Trigger: job.Webhook}}, outcomeDone, time.Second)
	d.SetAgents([]string{"a"})
	if both != 2*one || count() != one {
		t.Errorf("%d series of two agents, %d of one, and %d after the other's last run", both, one, count())
	}
}
