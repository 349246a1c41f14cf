package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

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
