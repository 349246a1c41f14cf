package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/queue"
	"github.com/action-llama/gateway/host/scrape"
	"github.com/action-llama/gateway/host/store"
)

// Whatever becomes of jobs, the metrics of their agent add up: what was taken
// has ended, waits or runs.
func TestTheMetricsOfJobsAddUp(t *testing.T) {
	t.Parallel()
	s := open(t)
	const agent = "a"
	set := func(perDay int) {
		t.Helper()
		l := store.AgentLimits{Agent: agent, Scale: 3, Capacity: 8, Budget: store.Budget{PerDay: perDay}, DropBeyond: true}
		if err := s.SetLimits(t.Context(), store.Limits{Agents: []store.AgentLimits{l}, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	set(0)
	reg := scrape.New(prometheus.NewRegistry())
	began := make(chan int64, 100)
	hold := make(chan struct{})
	d, err := queue.New(queue.Options{
		Store: s, Board: reg, Exclusive: true, MaxAttempts: 1,
		Execute: func(_ context.Context, c store.Claimed) queue.Result {
			began <- c.Job.ID
			<-hold
			if c.Job.ID%3 == 0 || c.Job.ID%3 == 1 && c.Job.Attempt == 1 {
				return queue.Result{State: job.Failed, ExitCode: 1}
			}
			return queue.Result{State: job.Done}
		},
		Retry: func(j job.Job, failedAt time.Time) time.Time {
			if j.Failures > 0 {
				return time.Time{}
			}
			return failedAt
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.SetAgents([]string{agent})
	queue.NewCollector(reg, s.Queues, time.Now, nil)
	asked := 0
	ask := func(j store.NewJob) store.Verdict {
		t.Helper()
		j.Agent, j.Trigger = agent, job.Webhook
		a := store.Acceptance{Jobs: []store.NewJob{j}, At: time.Now()}
		out, err := s.Accept(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		d.Accepted(a, out)
		if v := out.Verdicts[0]; v != store.Busy && v != store.Paused {
			asked++
		}
		return out.Verdicts[0]
	}

	// A run whose host died: it is dead when the dispatcher starts.
	ask(store.NewJob{})
	if _, err := s.Claim(t.Context(), store.Claim{Run: "lost", At: time.Now(), Until: time.Now()}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Run(context.Background()) }()
	for n := range 20 { // three run, some wait, the others are pushed out
		ask(store.NewJob{Key: fmt.Sprint(n)})
		d.Wake()
		if n < 3 {
			<-began
		}
	}
	verdicts := map[store.Verdict]bool{
		ask(store.NewJob{Key: "19"}):                                                true, // a repeat
		ask(store.NewJob{OnlyIfFree: true}):                                         true, // a tick
		ask(store.NewJob{Concurrency: store.Concurrency{Key: "k"}}):                 true,
		ask(store.NewJob{Concurrency: store.Concurrency{Key: "k", OnBusy: "skip"}}): true,
		// Open until the second comes, which ends the burst.
		ask(store.NewJob{Debounce: store.Debounce{Group: "g", Quiet: time.Hour}}): true,
		ask(store.NewJob{Debounce: store.Debounce{Group: "g"}}):                   true,
	}
	set(1) // which is used up
	verdicts[ask(store.NewJob{})] = true
	for _, v := range []store.Verdict{store.Enqueued, store.Duplicate, store.Busy, store.Merged, store.Skipped, store.Limited} {
		if !verdicts[v] {
			t.Errorf("no verdict was %d: this tests less than it should", v)
		}
	}
	check := func(when string) map[string]float64 {
		t.Helper()
		m := gathered(t, reg)
		in := m["al_jobs_accepted_total queued"] + m["al_jobs_accepted_total skipped"] + m["al_jobs_accepted_total limited"]
		out := m["al_jobs_ended_total done"] + m["al_jobs_ended_total failed"] + m["al_jobs_ended_total dead"] +
			m["al_queue_dropped_total"] + m["al_queue_depth"] + m["al_runs_active"]
		if in != out {
			t.Errorf("%s: %v jobs came, and %v ended or are there: %v", when, in, out, m)
		}
		if m["al_jobs_dropped_total"] != m["al_queue_dropped_total"] {
			t.Errorf("%s: the reasons and the store differ in what was dropped: %v", when, m)
		}
		if all := in + m["al_jobs_accepted_total merged"] + m["al_jobs_accepted_total duplicate"]; int(all) != asked {
			t.Errorf("%s: %d jobs were asked for, %v are counted: %v", when, asked, all, m)
		}
		return m
	}
	check("while they run")
	set(0)
	close(hold)
	d.Wake()
	for deadline := time.Now().Add(time.Minute); ; {
		queues, err := s.Queues(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if queues[0].Waiting+queues[0].Running == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not worked off: %+v", queues)
		}
		select {
		case <-began:
		case <-time.After(10 * time.Millisecond):
		}
	}
	d.Stop(time.Minute)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	m := check("in the end")
	for _, some := range []string{"al_jobs_ended_total done", "al_jobs_ended_total failed", "al_jobs_ended_total dead", "al_queue_dropped_total"} {
		if m[some] == 0 {
			t.Errorf("%s is 0: this tests less than it should", some)
		}
	}
}

// gathered are the values of all metrics, by name and outcome.
func gathered(t *testing.T, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "outcome" {
					name += " " + l.GetValue()
				}
			}
			out[name] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}
