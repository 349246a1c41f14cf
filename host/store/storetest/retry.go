package storetest

import (
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// fail ends a run for another attempt after a while.
func (b *bench) fail(run job.Run, after time.Duration) time.Time {
	b.t.Helper()
	at := b.tick()
	b.must(b.Finish(b.ctx, store.Finish{Run: run.ID, State: job.Failed, ExitCode: 1, Reason: "no luck", At: at, RetryAt: at.Add(after)}))
	return at.Add(after)
}

func (b *bench) due() time.Time {
	b.t.Helper()
	at, err := b.Due(b.ctx)
	b.must(err)
	return at
}

var retryTests = map[string]func(*testing.T, *bench){
	"a failed job waits for its next attempt": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.enqueue("dev")
		at := b.fail(b.claim(id), time.Minute)
		b.equal("due", b.due(), at)
		j := b.state(id, job.Waiting)
		b.equal("ready at", j.ReadyAt, at)
		b.equal("failures", j.Failures, 1)
		b.equal("reason", j.Reason, "no luck")
		b.claimNothing()
		b.counts("dev", 1, 0, 0)
		b.now = at
		run := b.claim(id)
		b.equal("attempt", run.Attempt, 2)
		b.finish(run, job.Failed)
		b.state(id, job.Failed)
		runs, err := b.Runs(b.ctx, store.Query{})
		b.must(err)
		b.equal("runs", len(runs), 2)
	},

	"others go on meanwhile": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		first, second := b.enqueue("dev"), b.enqueue("dev")
		at := b.fail(b.claim(first), time.Minute)
		run := b.claim(second)
		b.now = at.Add(time.Second)
		b.claimNothing()
		third := b.enqueue("dev")
		b.finish(run, job.Done)
		b.finish(b.claim(first), job.Done) // in its old place
		b.claim(third)
	},

	"a tick does not wait for it": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		at := b.fail(b.claim(b.enqueue("dev")), time.Hour)
		tick := store.NewJob{Agent: "dev", Trigger: job.Schedule, OnlyIfFree: true}
		a := b.accept(tick)
		b.equal("verdict while it waits", a.Verdicts, []store.Verdict{store.Enqueued})
		b.claim(a.IDs[0])
		b.now = at
		b.equal("verdict while the slot is taken", b.accept(tick).Verdicts, []store.Verdict{store.Busy})
	},

	"its repeat is a duplicate": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		b.accept(newJob("dev", "k"))
		b.fail(b.tryClaim().Run, time.Minute)
		b.equal("verdict", b.accept(newJob("dev", "k")).Verdicts, []store.Verdict{store.Duplicate})
	},

	"a crash does not count as a failure": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.enqueue("dev")
		b.claim(id)
		b.lose(5)
		j := b.state(id, job.Waiting)
		b.equal("crashes and failures", []int{j.Crashes, j.Failures}, []int{1, 0})
	},

	"survives a restart": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.enqueue("dev")
		at := b.fail(b.claim(id), time.Minute)
		b.reopen()
		b.claimNothing()
		b.now = at
		b.claim(id)
	},
}
