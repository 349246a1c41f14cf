package storetest

import (
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// budgeted is an agent with a budget of runs.
func budgeted(name string, perHour, perDay int, drop bool) store.AgentLimits {
	return store.AgentLimits{Agent: name, Scale: 10, Capacity: 10, Budget: store.Budget{PerHour: perHour, PerDay: perDay}, DropBeyond: drop}
}

var budgetTests = map[string]func(*testing.T, *bench){
	"jobs wait when the budget of an hour is used up": func(t *testing.T, b *bench) {
		b.limits(0, budgeted("dev", 2, 0, false), agent("ops", 1, 10))
		first, second, third := b.enqueue("dev"), b.enqueue("dev"), b.enqueue("dev")
		run := b.claim(first)
		b.finish(b.claim(second), job.Failed) // failed runs cost as much
		b.claimNothing()
		opens := run.StartedAt.Add(time.Hour)
		b.equal("limited until", b.queue("dev").LimitedUntil, opens)
		b.equal("due", b.due(), opens)
		b.claim(b.enqueue("ops"))
		b.now = opens.Add(-2 * time.Second)
		b.claimNothing()
		b.now = opens
		b.claim(third)
	},

	"the budget of a day": func(t *testing.T, b *bench) {
		b.limits(0, budgeted("dev", 2, 3, false))
		var runs []job.Run
		for range 4 {
			b.enqueue("dev")
		}
		for range 3 {
			b.now = b.now.Add(time.Hour)
			runs = append(runs, b.tryClaim().Run)
		}
		b.now = b.now.Add(2 * time.Hour)
		b.claimNothing()
		b.equal("limited until", b.queue("dev").LimitedUntil, runs[0].StartedAt.Add(24*time.Hour))
	},

	"the budget of the project": func(t *testing.T, b *bench) {
		b.must(b.SetLimits(b.ctx, store.Limits{
			Budget: store.Budget{PerHour: 1}, Agents: []store.AgentLimits{agent("dev", 5, 10), agent("ops", 5, 10)}, At: b.now,
		}))
		run := b.claim(b.enqueue("dev"))
		id := b.enqueue("ops")
		b.claimNothing()
		p, err := b.Project(b.ctx)
		b.must(err)
		b.equal("limited until", p.LimitedUntil, run.StartedAt.Add(time.Hour))
		b.now = p.LimitedUntil
		b.claim(id)
	},

	"what comes beyond is dropped where that is wanted": func(t *testing.T, b *bench) {
		b.limits(0, budgeted("dev", 2, 0, true))
		a := b.accept(newJob("dev", ""), newJob("dev", ""), newJob("dev", "k"))
		b.equal("verdicts", a.Verdicts, []store.Verdict{store.Enqueued, store.Enqueued, store.Limited})
		if j := b.state(a.IDs[2], job.Dropped); j.Reason == "" {
			t.Error("it does not say why")
		}
		b.counts("dev", 2, 0, 1)
		b.claim(a.IDs[0])
		last := b.claim(a.IDs[1])
		b.equal("verdict when they run", b.accept(newJob("dev", "k")).Verdicts, []store.Verdict{store.Limited})
		b.now = last.StartedAt.Add(time.Hour)
		b.equal("verdict an hour later", b.accept(newJob("dev", "k")).Verdicts, []store.Verdict{store.Enqueued})
	},

	"a tick beyond is skipped": func(t *testing.T, b *bench) {
		b.limits(0, budgeted("dev", 1, 0, false))
		b.claim(b.enqueue("dev"))
		tick := store.NewJob{Agent: "dev", Trigger: job.Schedule, OnlyIfFree: true}
		b.equal("verdict", b.accept(tick).Verdicts, []store.Verdict{store.Busy})
	},

	"another budget holds at once": func(t *testing.T, b *bench) {
		b.limits(0, budgeted("dev", 1, 0, false))
		b.claim(b.enqueue("dev"))
		id := b.enqueue("dev")
		b.claimNothing()
		raised := store.Limits{Agents: []store.AgentLimits{budgeted("dev", 2, 0, false)}, At: b.now}
		b.must(b.SetLimits(b.ctx, raised))
		b.claim(id)
		b.enqueue("dev")
		b.must(b.SetLimits(b.ctx, store.Limits{Agents: []store.AgentLimits{budgeted("dev", 1, 0, false)}, At: b.now}))
		b.claimNothing()
		b.must(b.SetLimits(b.ctx, store.Limits{Agents: []store.AgentLimits{budgeted("dev", 0, 0, false)}, At: b.now}))
		if b.tryClaim() == nil {
			t.Error("nothing to claim without a budget")
		}
	},

	"survives a restart": func(t *testing.T, b *bench) {
		b.limits(0, budgeted("dev", 1, 0, false))
		run := b.claim(b.enqueue("dev"))
		id := b.enqueue("dev")
		b.reopen()
		b.claimNothing()
		b.now = run.StartedAt.Add(time.Hour)
		b.claim(id)
	},
}
