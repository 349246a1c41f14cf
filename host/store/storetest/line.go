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
