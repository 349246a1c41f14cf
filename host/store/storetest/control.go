package storetest

import (
	"testing"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

var pauseTests = map[string]func(*testing.T, *bench){
	"a paused agent queues and starts nothing": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10), agent("ops", 5, 10))
		running := b.claim(b.enqueue("dev"))
		b.must(b.SetPaused(b.ctx, store.Pause{Agent: "dev", Paused: true, Reason: "holidays", At: b.tick()}))
		id, other := b.enqueue("dev"), b.enqueue("ops")
		b.claim(other)
		b.claimNothing()
		q := b.queue("dev")
		b.equal("paused", []any{q.Paused, q.PausedReason, q.Waiting}, []any{true, "holidays", 1})
		b.finish(running, job.Done)
		b.reopen()
		b.limits(0, agent("dev", 5, 10), agent("ops", 5, 10))
		b.claimNothing()
		b.must(b.SetPaused(b.ctx, store.Pause{Agent: "dev", At: b.tick()}))
		b.equal("reason when it goes on", b.queue("dev").PausedReason, "")
		b.claim(id)
	},

	"a paused project": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		b.must(b.SetPaused(b.ctx, store.Pause{Paused: true, Reason: "release", At: b.tick()}))
		id := b.enqueue("dev")
		b.reopen()
		b.claimNothing()
		p, err := b.Project(b.ctx)
		b.must(err)
		b.equal("project", p, store.Project{Paused: true, PausedReason: "release"})
		b.must(b.SetPaused(b.ctx, store.Pause{At: b.tick()}))
		b.claim(id)
	},

	"ticks are let go by": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		tick := store.NewJob{Agent: "dev", Trigger: job.Schedule, OnlyIfFree: true, Tick: b.now}
		for _, who := range []string{"dev", ""} {
			b.must(b.SetPaused(b.ctx, store.Pause{Agent: who, Paused: true, At: b.tick()}))
			tick.Tick = b.now
			b.equal("verdict", b.accept(tick).Verdicts, []store.Verdict{store.Paused})
			b.must(b.SetPaused(b.ctx, store.Pause{Agent: who, At: b.tick()}))
		}
		b.equal("verdict of the same tick", b.accept(tick).Verdicts, []store.Verdict{store.Duplicate})
		tick.Tick = b.now
		b.equal("verdict", b.accept(tick).Verdicts, []store.Verdict{store.Enqueued})
		b.equal("last tick", b.queue("dev").LastTick, tick.Tick)
	},

	"a tick is one host's, also when its job has failed": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		tick := store.NewJob{Agent: "dev", Trigger: job.Schedule, Key: "tick/1", OnlyIfFree: true, Tick: b.now}
		b.accept(tick)
		b.finish(b.tryClaim().Run, job.Failed)
		b.equal("verdict", b.accept(tick).Verdicts, []store.Verdict{store.Duplicate})
		b.reopen()
		b.equal("verdict after a restart", b.accept(tick).Verdicts, []store.Verdict{store.Duplicate})
		tick.Key, tick.Tick = "tick/2", b.tick()
		b.equal("verdict of the next", b.accept(tick).Verdicts, []store.Verdict{store.Enqueued})
	},

	"an agent that is gone stays paused for when it comes back": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		b.must(b.SetPaused(b.ctx, store.Pause{Agent: "dev", Paused: true, At: b.tick()}))
		b.limits(0)
		b.limits(0, agent("dev", 5, 10))
		b.enqueue("dev")
		b.claimNothing()
	},
}

var cancelTests = map[string]func(*testing.T, *bench){
	"by run and by agent": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10), agent("ops", 5, 10))
		dev1, dev2, ops := b.claim(b.enqueue("dev")), b.claim(b.enqueue("dev")), b.claim(b.enqueue("ops"))
		cancel := func(what string, want ...string) {
			t.Helper()
			ids, err := b.Cancel(b.ctx, what, "killed by ann")
			b.must(err)
			if len(ids) != len(want) {
				t.Errorf("cancelled %v of %s, want %v", ids, what, want)
			}
		}
		cancel("nobody")
		cancel(dev1.ID, dev1.ID)
		renewed, err := b.Renew(b.ctx, []string{dev1.ID, dev2.ID, ops.ID}, b.now.Add(lease))
		b.must(err)
		b.equal("renewed", renewed, store.Renewed{Cancelled: map[string]string{dev1.ID: "killed by ann"}})
		cancel("dev", dev1.ID, dev2.ID)
		b.finish(ops, job.Done)
		cancel("ops")
	},
}
