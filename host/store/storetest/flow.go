package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// keyed is a job for a concurrency key.
func keyed(agent, key string, onBusy store.OnBusy) store.NewJob {
	j := newJob(agent, "")
	j.Concurrency = store.Concurrency{Key: key, OnBusy: onBusy}
	return j
}

func (b *bench) enqueueKeyed(agent, key string) int64 {
	b.t.Helper()
	a := b.accept(keyed(agent, key, store.BusyQueue))
	b.equal("verdict", a.Verdicts, []store.Verdict{store.Enqueued})
	return a.IDs[0]
}

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

var concurrencyTests = map[string]func(*testing.T, *bench){
	"of one key one job runs at a time, in order": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		a1, a2, other, a3 := b.enqueueKeyed("dev", "a"), b.enqueueKeyed("dev", "a"), b.enqueueKeyed("dev", "b"), b.enqueueKeyed("dev", "a")
		run := b.claim(a1)
		b.claim(other)
		b.claimNothing()
		b.counts("dev", 2, 2, 0)
		b.finish(run, job.Failed)
		run = b.claim(a2)
		b.claimNothing()
		b.finish(run, job.Done)
		b.claim(a3)
	},

	"agents do not share keys": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10), agent("ops", 5, 10))
		first, second := b.enqueueKeyed("dev", "a"), b.enqueueKeyed("ops", "a")
		b.claim(first)
		b.claim(second)
	},

	"a job that failed and one that was released keep their place": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		first, second := b.enqueueKeyed("dev", "a"), b.enqueueKeyed("dev", "a")
		b.now = b.fail(b.claim(first), time.Minute).Add(-10 * time.Second)
		b.claimNothing()
		b.now = b.now.Add(time.Minute)
		run := b.claim(first)
		b.must(b.Release(b.ctx, run.ID, "test", b.tick()))
		run = b.claim(first)
		b.finish(run, job.Done)
		b.claim(second)
	},

	"a lost job keeps its place, and a dead one makes room": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		first, second := b.enqueueKeyed("dev", "a"), b.enqueueKeyed("dev", "a")
		b.claim(first)
		b.lose(2)
		b.claim(first)
		b.claimNothing()
		b.lose(2)
		b.state(first, job.Dead)
		b.claim(second)
	},

	"a full queue drops the first of a line, and the next may run": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 2))
		first, second := b.enqueueKeyed("dev", "a"), b.enqueueKeyed("dev", "a")
		third := b.enqueueKeyed("dev", "a")
		b.state(first, job.Dropped)
		run := b.claim(second)
		b.claimNothing()
		b.finish(run, job.Done)
		b.claim(third)
	},

	"skip": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		first := b.enqueueKeyed("dev", "a")
		for range 2 { // while it waits, and while it runs
			a := b.accept(keyed("dev", "a", store.BusySkip))
			b.equal("verdict", a.Verdicts, []store.Verdict{store.Skipped})
			if j := b.state(a.IDs[0], job.Dropped); !strings.Contains(j.Reason, fmt.Sprint(first)) || j.EndedAt.IsZero() {
				t.Errorf("skipped: %+v", j)
			}
			b.tryClaim()
		}
		b.counts("dev", 0, 1, 2)
	},

	"skip when free": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		b.finish(b.claim(b.enqueueKeyed("dev", "a")), job.Done)
		a := b.accept(keyed("dev", "a", store.BusySkip))
		b.equal("verdict", a.Verdicts, []store.Verdict{store.Enqueued})
	},

	"a skipped delivery may come again": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		run := b.claim(b.enqueueKeyed("dev", "a"))
		j := keyed("dev", "a", store.BusySkip)
		j.Key = "delivery"
		b.equal("verdict while busy", b.accept(j).Verdicts, []store.Verdict{store.Skipped})
		b.finish(run, job.Done)
		b.equal("verdict later", b.accept(j).Verdicts, []store.Verdict{store.Enqueued})
	},

	"latest": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		running := b.enqueueKeyed("dev", "a")
		run := b.claim(running)
		first, second := b.enqueueKeyed("dev", "a"), b.enqueueKeyed("dev", "a")
		a := b.accept(keyed("dev", "a", store.BusyLatest))
		newest := a.IDs[0]
		b.equal("accepted", a, store.Accepted{
			Verdicts: []store.Verdict{store.Enqueued}, IDs: a.IDs,
			Dropped: []store.Drop{{Agent: "dev", ID: first, By: newest}, {Agent: "dev", ID: second, By: newest}},
		})
		b.counts("dev", 1, 1, 2)
		b.claimNothing()
		b.finish(run, job.Done)
		b.claim(newest)
	},

	"cancel": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		run := b.claim(b.enqueueKeyed("dev", "a"))
		waiting := b.enqueueKeyed("dev", "a")
		a := b.accept(keyed("dev", "a", store.BusyCancel))
		b.equal("cancelled", a.Cancelled, []string{run.ID})
		b.equal("dropped", a.Dropped, []store.Drop{{Agent: "dev", ID: waiting, By: a.IDs[0]}})
		renewed, err := b.Renew(b.ctx, []string{run.ID}, b.now.Add(lease))
		b.must(err)
		if len(renewed.Lost) > 0 || !strings.Contains(renewed.Cancelled[run.ID], fmt.Sprint(a.IDs[0])) {
			t.Errorf("renewed %+v", renewed)
		}
		b.claimNothing() // until the old one has ended
		b.finish(run, job.Failed)
		b.claim(a.IDs[0])
	},

	"a tick whose key is busy is skipped": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		run := b.claim(b.enqueueKeyed("dev", "a"))
		tick := keyed("dev", "a", store.BusyQueue)
		tick.Trigger, tick.OnlyIfFree = job.Schedule, true
		b.equal("verdict while busy", b.accept(tick).Verdicts, []store.Verdict{store.Busy})
		b.finish(run, job.Done)
		b.equal("verdict later", b.accept(tick).Verdicts, []store.Verdict{store.Enqueued})
	},
}

func bursting(agent, key, group string) store.NewJob {
	j := newJob(agent, key)
	j.Debounce = store.Debounce{Group: group, Quiet: time.Minute, Max: 3 * time.Minute}
	return j
}

var debounceTests = map[string]func(*testing.T, *bench){
	"a burst is one job with all of its events": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		first := b.accept(bursting("dev", "1", "g"))
		b.equal("first", first.Verdicts, []store.Verdict{store.Enqueued})
		b.equal("due", b.due(), b.now.Add(time.Minute))
		b.now = b.now.Add(30 * time.Second)
		rec := b.receipt("02")
		second := bursting("dev", "2", "g")
		second.Context, second.Sensitive, second.Event = []byte(`{"second":true}`), []string{"extra.token"}, "comment"
		a, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, Jobs: []store.NewJob{second}, At: b.tick()})
		b.must(err)
		b.equal("second", a, store.Accepted{Verdicts: []store.Verdict{store.Merged}, IDs: first.IDs})
		b.equal("due, put off", b.due(), b.now.Add(time.Minute))
		b.counts("dev", 1, 0, 0)
		b.claimNothing()
		b.now = b.now.Add(time.Minute)
		c := b.tryClaim()
		if c == nil {
			t.Fatal("the burst has ended, and nothing can be claimed")
		}
		b.equal("merged", c.Job.Merged, 1)
		b.equal("events", c.Merged, []job.Event{{
			Receipt: "02", Source: "one", Provider: "fake", Name: "comment", DeliveryID: "delivery",
			Context: second.Context, Sensitive: second.Sensitive,
		}})
		b.equal("due after it", b.due(), time.Time{})
	},

	"a burst without end runs after the longest wait": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		first := b.accept(bursting("dev", "", "g")).IDs[0]
		end := b.now.Add(3 * time.Minute)
		for b.now.Before(end.Add(-time.Minute)) {
			b.now = b.now.Add(30 * time.Second)
			b.accept(bursting("dev", "", "g"))
		}
		b.accept(bursting("dev", "", "g"))
		b.equal("due", b.due(), end)
		b.now = end
		b.claim(first)
		b.equal("verdict of the next", b.accept(bursting("dev", "", "g")).Verdicts, []store.Verdict{store.Enqueued})
	},

	"a burst of too many runs at once": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		first := b.accept(bursting("dev", "", "g")).IDs[0]
		for range store.MaxMerged {
			b.equal("verdict", b.accept(bursting("dev", "", "g")).Verdicts, []store.Verdict{store.Merged})
		}
		b.equal("verdict of the next", b.accept(bursting("dev", "", "g")).Verdicts, []store.Verdict{store.Enqueued})
		b.claim(first)
		b.claimNothing()
	},

	"groups and agents keep apart": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10), agent("ops", 5, 10))
		a := b.accept(bursting("dev", "", "g"), bursting("dev", "", "h"), bursting("ops", "", "g"), bursting("dev", "", "g"))
		b.equal("verdicts", a.Verdicts, []store.Verdict{store.Enqueued, store.Enqueued, store.Enqueued, store.Merged})
	},

	"a repeat of what was merged is a duplicate": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 1))
		first := b.accept(bursting("dev", "1", "g")).IDs[0]
		b.accept(bursting("dev", "2", "g"))
		repeat := func(when string, want store.Verdict) {
			t.Helper()
			for _, key := range []string{"1", "2"} {
				b.equal("verdict of "+key+" "+when, b.accept(newJob("dev", key)).Verdicts, []store.Verdict{want})
			}
		}
		repeat("while it waits", store.Duplicate)
		b.now = b.now.Add(time.Minute)
		run := b.claim(first)
		repeat("while it runs", store.Duplicate)
		b.finish(run, job.Failed)
		repeat("when it failed", store.Enqueued)
	},

	"a burst may be dropped like any other job": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 1))
		first := b.accept(bursting("dev", "1", "g")).IDs[0]
		second := b.enqueue("dev")
		b.state(first, job.Dropped)
		b.equal("due", b.due(), time.Time{})
		b.equal("verdict", b.accept(bursting("dev", "1", "g")).Verdicts, []store.Verdict{store.Enqueued})
		b.state(second, job.Dropped)
	},

	"a burst waits for its key, too": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10))
		run := b.claim(b.enqueueKeyed("dev", "a"))
		j := bursting("dev", "", "g")
		j.Concurrency.Key = "a"
		id := b.accept(j).IDs[0]
		b.now = b.now.Add(time.Hour)
		b.claimNothing()
		b.equal("verdict behind the time, before its turn", b.accept(j).Verdicts, []store.Verdict{store.Enqueued})
		b.finish(run, job.Done)
		b.claim(id)
	},

	"survives a restart": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		first := b.accept(bursting("dev", "1", "g")).IDs[0]
		due := b.due()
		b.reopen()
		b.equal("verdict", b.accept(bursting("dev", "2", "g")).Verdicts, []store.Verdict{store.Merged})
		b.now = due.Add(time.Minute)
		b.claim(first)
	},

	"its receipts are kept for as long as it is": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		for i, id := range []string{"01", "02"} {
			rec := b.receipt(id)
			_, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, Jobs: []store.NewJob{bursting("dev", fmt.Sprint(i), "g")}, At: b.now})
			b.must(err)
		}
		prune := func() {
			_, err := b.Prune(b.ctx, store.Prune{Before: b.now, MaxBytes: 1, Step: 10})
			b.must(err)
		}
		b.now = b.now.Add(time.Hour)
		prune()
		b.equal("receipts while it waits", b.receiptIDs(), []string{"02", "01"})
		b.finish(b.tryClaim().Run, job.Done)
		b.now = b.now.Add(time.Hour)
		prune()
		b.equal("receipts when it is done", b.receiptIDs(), []string{})
	},
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

// looping is an event that an agent's own run may have caused.
func looping(entity, sender string) store.NewJob {
	j := newJob("dev", "")
	j.Loop = store.Loop{Entity: entity, Sender: sender, Limit: 3, Window: time.Minute}
	return j
}

var loopTests = map[string]func(*testing.T, *bench){
	"an agent that keeps starting itself is paused": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		var a store.Accepted
		for i := range 5 {
			a = b.accept(looping("acme/repo#1", "robot"))
			b.equal("verdict", a.Verdicts, []store.Verdict{store.Enqueued})
			if tripped := len(a.Tripped) > 0; tripped != (i == 4) {
				t.Fatalf("event %d: tripped %v", i, a.Tripped)
			}
			if i < 4 {
				b.finish(b.tryClaim().Run, job.Done)
			}
		}
		for _, want := range []string{"acme/repo#1", "robot"} {
			if !strings.Contains(a.Tripped[0].Reason, want) {
				t.Errorf("reason %q does not name %s", a.Tripped[0].Reason, want)
			}
		}
		b.claimNothing() // and the event is not lost
		b.counts("dev", 1, 0, 0)
		b.equal("paused", b.queue("dev").Paused, true)
		b.must(b.SetPaused(b.ctx, store.Pause{Agent: "dev", At: b.tick()}))
		b.finish(b.tryClaim().Run, job.Done)
		b.equal("tripped right after", len(b.accept(looping("acme/repo#1", "robot")).Tripped), 0)
	},

	"events that do not come of a run are no loop": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 100))
		for i := range 20 { // nobody runs
			b.equal("tripped while they wait", len(b.accept(looping("acme/repo#1", "ann")).Tripped), 0)
			b.equal("tripped by others", len(b.accept(looping("acme/repo#2", fmt.Sprint("user", i))).Tripped), 0)
		}
		for c := b.tryClaim(); c != nil; c = b.tryClaim() {
			b.finish(c.Run, job.Done)
		}
		for range 10 { // long after the run
			b.now = b.now.Add(time.Hour)
			b.equal("tripped long after", len(b.accept(looping("acme/repo#1", "ann")).Tripped), 0)
			b.finish(b.tryClaim().Run, job.Done)
		}
	},

	"without a limit": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		for range 10 {
			j := looping("acme/repo#1", "robot")
			j.Loop.Limit = 0
			b.equal("tripped", len(b.accept(j).Tripped), 0)
			b.finish(b.tryClaim().Run, job.Done)
		}
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
