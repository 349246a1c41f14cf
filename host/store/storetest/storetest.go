// Package storetest is the suite that every implementation of [store.Store]
// passes: the promises of the interface's comments, and of the queue in
// docs/design, as tests. What only one implementation can do (a full disk, a
// locked file) is tested beside it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Place opens the store at one place. Called again after Close it finds what
// was recorded there.
type Place func(t *testing.T) store.Store

// topic is a part of the suite.
type topic struct {
	name  string
	tests map[string]func(*testing.T, *bench)
}

// Exercise runs the suite. fresh makes an empty place of its own for each
// test, gone when that test ends.
func Exercise(t *testing.T, fresh func(t *testing.T) Place) {
	exercise(t, fresh, []topic{
		{"Accept", acceptTests},
		{"Duplicates", duplicateTests},
		{"Queue", queueTests},
		{"Limits", limitTests},
		{"Runs", runTests},
		{"Recover", recoverTests},
		{"Concurrency", concurrencyTests},
		{"Debounce", debounceTests},
		{"Retry", retryTests},
		{"Budget", budgetTests},
		{"Pause", pauseTests},
		{"Loop", loopTests},
		{"Cancel", cancelTests},
		{"Note", noteTests},
		{"Lists", listTests},
		{"History", tallyTests},
		{"Deliveries", deliveryTests},
		{"Prune", pruneTests},
		{"Reopen", reopenTests},
		{"Concurrent", concurrentTests},
	})
}

func exercise(t *testing.T, fresh func(t *testing.T) Place, topics []topic) {
	for _, topic := range topics {
		t.Run(topic.name, func(t *testing.T) {
			t.Parallel()
			for name, test := range topic.tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, setup(t, fresh(t)))
				})
			}
		})
	}
	t.Run("Fairness", func(t *testing.T) {
		t.Parallel()
		exerciseFairness(t, fresh)
	})
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		exerciseModel(t, fresh)
	})
}

// deadline is for a test that hangs: far beyond what any takes.
const deadline = 2 * time.Minute

// bench is a store and a clock for one test.
type bench struct {
	store.Store
	t     *testing.T
	ctx   context.Context
	place Place
	now   time.Time
	runs  int
}

func setup(t *testing.T, place Place) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	b := &bench{t: t, ctx: ctx, place: place, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.open()
	t.Cleanup(func() {
		if err := b.Store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func (b *bench) open() { b.Store = b.place(b.t) }

// reopen closes the store and opens it again.
func (b *bench) reopen() {
	b.t.Helper()
	b.must(b.Store.Close())
	b.open()
}

// tick moves the clock on by a second and returns the new time.
func (b *bench) tick() time.Time {
	b.now = b.now.Add(time.Second)
	return b.now
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) wantErr(err, want error) {
	b.t.Helper()
	if !errors.Is(err, want) {
		b.t.Fatalf("error is %v, want %v", err, want)
	}
}

func (b *bench) equal(what string, got, want any) {
	b.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// limits sets the project's scale and those of agents, each "name", scale, capacity.
func (b *bench) limits(project int, agents ...store.AgentLimits) {
	b.t.Helper()
	b.must(b.SetLimits(b.ctx, store.Limits{Scale: project, Agents: agents, At: b.now}))
}

func agent(name string, scale, capacity int) store.AgentLimits {
	return store.AgentLimits{Agent: name, Scale: scale, Capacity: capacity}
}

// receipt returns one with every field set.
func (b *bench) receipt(id string) job.Receipt {
	return job.Receipt{
		ID: id, Provider: "fake", Sources: []string{"one", "two"}, DeliveryID: "delivery-" + id, ReceivedAt: b.now,
		Method: "POST", Path: "/webhooks/fake", Query: "a=1&b=%20",
		Header: map[string][]string{"Content-Type": {"application/json"}, "X-Two": {"first", "second"}},
		Body:   []byte(`{"id":"` + id + `"}`), Outcome: job.Queued, Reason: "because", Event: "issues.labeled",
		Events: 2, Matched: 1, ReplayOf: "other",
	}
}

func newJob(agent, key string) store.NewJob {
	return store.NewJob{
		Agent: agent, Trigger: job.Webhook, Source: "one", Provider: "fake", Event: "issues",
		DeliveryID: "delivery", Context: []byte(`{"event":"issues"}`), Key: key,
	}
}

// accept queues jobs without a receipt.
func (b *bench) accept(jobs ...store.NewJob) store.Accepted {
	b.t.Helper()
	a, err := b.Accept(b.ctx, store.Acceptance{Jobs: jobs, At: b.tick()})
	b.must(err)
	return a
}

// enqueue queues a job for an agent that can not be a duplicate.
func (b *bench) enqueue(agent string) int64 {
	b.t.Helper()
	a := b.accept(newJob(agent, ""))
	b.equal("verdict", a.Verdicts, []store.Verdict{store.Enqueued})
	return a.IDs[0]
}

// lease is how long the leases of claimed runs are.
const lease = time.Minute

// tryClaim claims a job, or returns nil.
func (b *bench) tryClaim() *store.Claimed {
	b.t.Helper()
	b.runs++
	at := b.tick()
	c, err := b.Claim(b.ctx, store.Claim{Host: "host-1", At: at, Until: at.Add(lease), Run: fmt.Sprintf("run-%04d", b.runs)})
	b.must(err)
	return c
}

// claim claims the job that must be next.
func (b *bench) claim(id int64) job.Run {
	b.t.Helper()
	c := b.tryClaim()
	if c == nil {
		b.t.Fatalf("nothing to claim, want job %d", id)
	}
	if c.Job.ID != id {
		b.t.Fatalf("claimed job %d of %s, want %d", c.Job.ID, c.Job.Agent, id)
	}
	return c.Run
}

func (b *bench) claimNothing() {
	b.t.Helper()
	if c := b.tryClaim(); c != nil {
		b.t.Fatalf("claimed job %d of %s, want nothing", c.Job.ID, c.Job.Agent)
	}
}

func (b *bench) finish(run job.Run, state job.State) {
	b.t.Helper()
	b.must(b.Finish(b.ctx, store.Finish{Run: run.ID, State: state, At: b.tick()}))
}

// lose gives back all runs under way, as at the start of the only host.
func (b *bench) lose(maxAttempts int) store.Recovered {
	b.t.Helper()
	r, err := b.Recover(b.ctx, store.Recovery{At: b.tick(), LeaseEndedBefore: b.now.AddDate(100, 0, 0), MaxAttempts: maxAttempts})
	b.must(err)
	return r
}

// queue returns the state of an agent's queue, zero when it has none.
func (b *bench) queue(agent string) store.Queue {
	b.t.Helper()
	queues, err := b.Queues(b.ctx)
	b.must(err)
	for _, q := range queues {
		if q.Agent == agent {
			return q
		}
	}
	return store.Queue{}
}

func (b *bench) counts(agent string, waiting, running int, dropped int64) {
	b.t.Helper()
	q := b.queue(agent)
	b.equal("waiting, running and dropped of "+agent,
		[]int64{int64(q.Waiting), int64(q.Running), q.Dropped}, []int64{int64(waiting), int64(running), dropped})
}

// job returns a job by id.
func (b *bench) job(id int64) job.Job {
	b.t.Helper()
	jobs, err := b.Jobs(b.ctx, store.Query{Before: fmt.Sprint(id + 1), Limit: 1})
	b.must(err)
	if len(jobs) == 0 || jobs[0].ID != id {
		b.t.Fatalf("there is no job %d", id)
	}
	return jobs[0]
}

func (b *bench) state(id int64, want job.State) job.Job {
	b.t.Helper()
	j := b.job(id)
	if j.State != want {
		b.t.Fatalf("job %d is %s, want %s", id, j.State, want)
	}
	return j
}

// receiptIDs lists the receipts there are, the newest first.
func (b *bench) receiptIDs() []string {
	b.t.Helper()
	list, err := b.Receipts(b.ctx, store.Query{})
	b.must(err)
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}

func ids(jobs []job.Job) []int64 {
	out := make([]int64, len(jobs))
	for i := range jobs {
		out[i] = jobs[i].ID
	}
	return out
}
