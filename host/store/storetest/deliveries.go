package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// arrive records a delivery with an id of its own, and jobs of the agent dev
// with the given keys.
func (b *bench) arrive(change func(*job.Receipt), keys ...string) string {
	b.t.Helper()
	b.tick()
	rec := b.receipt(job.NewID(b.now))
	rec.Sources, rec.Matched = []string{"work"}, len(keys)
	change(&rec)
	jobs := make([]store.NewJob, len(keys))
	for i, key := range keys {
		jobs[i] = newJob("dev", key)
	}
	_, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, Jobs: jobs, At: b.now})
	b.must(err)
	return rec.ID
}

var deliveryTests = map[string]func(*testing.T, *bench){
	"receipts by what they are": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 9, 100))
		queued := b.arrive(func(*job.Receipt) {}, "1")
		other := b.arrive(func(r *job.Receipt) { r.Provider, r.Outcome = "other", job.Unmatched })
		both := b.arrive(func(r *job.Receipt) { r.Sources, r.Outcome = []string{"work", "home"}, job.Unmatched })
		middle := b.tick()
		dead := b.arrive(func(r *job.Receipt) { r.Outcome = job.Unparseable })
		long := b.arrive(func(r *job.Receipt) { r.Sources = []string{"work.2"} })
		for _, c := range []struct {
			q    store.Query
			want []string
		}{
			{store.Query{}, []string{long, dead, both, other, queued}},
			{store.Query{Provider: "fake"}, []string{long, dead, both, queued}},
			{store.Query{Provider: "other"}, []string{other}},
			{store.Query{Provider: "fak"}, []string{}},
			{store.Query{Source: "work"}, []string{dead, both, other, queued}},
			{store.Query{Source: "home"}, []string{both}},
			{store.Query{Source: "hom"}, []string{}},
			{store.Query{Source: `work","home`}, []string{}},
			{store.Query{Outcome: job.Queued}, []string{long, queued}},
			{store.Query{Outcome: job.Unmatched}, []string{both, other}},
			{store.Query{Since: middle}, []string{long, dead}},
			{store.Query{Since: middle, Provider: "fake", Source: "work", Outcome: job.Unparseable}, []string{dead}},
			{store.Query{Provider: "fake", Limit: 2}, []string{long, dead}},
			{store.Query{Provider: "fake", Before: dead, Limit: 2}, []string{both, queued}},
			{store.Query{Outcome: job.Unmatched, Before: both}, []string{other}},
			{store.Query{Dead: true}, []string{dead}},
		} {
			list, err := b.Receipts(b.ctx, c.q)
			b.must(err)
			got := make([]string, len(list))
			for i := range list {
				got[i] = list[i].ID
			}
			b.equal(fmt.Sprintf("receipts of %+v", c.q), got, c.want)
		}
		if _, err := b.Receipts(b.ctx, store.Query{Outcome: "wrong"}); err == nil {
			t.Error("an outcome that is none: answered")
		}
	},

	"dead letters are also those whose job was given up": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 9, 100))
		done, given := b.arrive(func(*job.Receipt) {}, "1"), b.arrive(func(*job.Receipt) {}, "2", "3")
		b.finish(b.tryClaim().Run, job.Done)
		b.tryClaim()
		b.tryClaim()
		b.lose(1)
		unread := b.arrive(func(r *job.Receipt) { r.Outcome = job.Unparseable })
		list, err := b.Receipts(b.ctx, store.Query{Dead: true})
		b.must(err)
		if len(list) != 2 || list[0].ID != unread || list[1].ID != given {
			t.Errorf("got %d receipts; want %s and %s, not %s", len(list), unread, given, done)
		}
		list, err = b.Receipts(b.ctx, store.Query{Dead: true, Before: unread, Since: b.now.Add(-time.Hour), Source: "work", Provider: "fake"})
		b.must(err)
		b.equal("of a source, page by page", len(list), 1)
	},

	"a dead letter that was replayed is none any more, unless its replay is": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 9, 100))
		dead := func() string {
			t.Helper()
			list, err := b.Receipts(b.ctx, store.Query{Dead: true})
			b.must(err)
			ids := ""
			for _, r := range list {
				ids += r.ID + " "
			}
			return ids
		}
		given := b.arrive(func(*job.Receipt) {}, "1")
		b.tryClaim()
		b.lose(1)
		unread := b.arrive(func(r *job.Receipt) { r.Outcome = job.Unparseable })
		b.equal("before", dead(), unread+" "+given+" ")
		again := b.arrive(func(r *job.Receipt) { r.ReplayOf = given }, "1")
		b.equal("once it was replayed", dead(), unread+" ")
		b.tryClaim()
		b.lose(1)
		b.equal("when that is dead, too", dead(), again+" "+unread+" ")
	},

	"what jobs took of receipts": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 9, 100))
		one := b.arrive(func(*job.Receipt) {}, "1", "2")
		b.enqueue("dev") // of no receipt
		none := b.arrive(func(r *job.Receipt) { r.Outcome = job.Unmatched })
		two := b.arrive(func(*job.Receipt) {}, "3")
		run := b.tryClaim().Run
		b.finish(run, job.Failed)

		got, err := b.Taken(b.ctx, []string{two, none, one, "", "nothing"})
		b.must(err)
		type line struct {
			Receipt, Event, Delivery string
			Joined                   bool
			State                    job.State
		}
		lines := make([]line, len(got))
		for i, t := range got {
			lines[i] = line{t.Receipt, t.Event, t.DeliveryID, t.Joined, t.Job.State}
		}
		b.equal("taken", lines, []line{
			{two, "issues", "delivery", false, job.Waiting},
			{one, "issues", "delivery", false, job.Failed},
			{one, "issues", "delivery", false, job.Waiting},
		})
		want := b.job(got[1].Job.ID)
		want.Context, want.Sensitive = nil, nil
		b.equal("job", got[1].Job, want)
		if got[1].Job.ID != run.Job {
			t.Errorf("the failed job is %d, want %d", got[1].Job.ID, run.Job)
		}
		got, err = b.Taken(b.ctx, nil)
		b.must(err)
		b.equal("of nothing", len(got), 0)
	},

	"what joined a job is of its own receipt": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 9, 100))
		deliver := func(key, event string, again bool) (string, store.Accepted) {
			b.tick()
			rec := b.receipt(job.NewID(b.now))
			j := newJob("dev", key)
			j.Event, j.DeliveryID, j.Again = event, key, again
			j.Debounce = store.Debounce{Group: "g", Quiet: time.Minute, Max: time.Hour}
			a, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, Jobs: []store.NewJob{j}, At: b.now})
			b.must(err)
			return rec.ID, a
		}
		one, a := deliver("1", "opened", false)
		two, joined := deliver("2", "edited", false)
		b.equal("verdict", joined.Verdicts, []store.Verdict{store.Merged})
		got, err := b.Taken(b.ctx, []string{two, one})
		b.must(err)
		b.equal("taken", len(got), 2)
		b.equal("joined", []any{got[0].Receipt, got[0].Event, got[0].DeliveryID, got[0].Joined, got[0].Job.ID}, []any{two, "edited", "2", true, a.IDs[0]})
		b.equal("first", []any{got[1].Receipt, got[1].Event, got[1].DeliveryID, got[1].Joined, got[1].Job.ID}, []any{one, "opened", "1", false, a.IDs[0]})

		b.now = b.now.Add(2 * time.Hour)
		b.finish(b.claim(a.IDs[0]), job.Done)
		_, again := deliver("2", "edited", false)
		b.equal("a repeat of what joined", again.Verdicts, []store.Verdict{store.Duplicate})
		_, again = deliver("2", "edited", true)
		b.equal("again", again.Verdicts, []store.Verdict{store.Enqueued})
		b.now = b.now.Add(2 * time.Hour)
		three, _ := deliver("3", "closed", false)
		b.claim(again.IDs[0])
		b.lose(1)
		list, err := b.Receipts(b.ctx, store.Query{Dead: true})
		b.must(err)
		if len(list) != 2 || list[0].ID != three {
			t.Errorf("dead letters: %d, want the two whose job was given up, the last %s", len(list), three)
		}
	},

	"what is done can be done again, and is then what a repeat repeats": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 9, 100))
		offer := func(key string, again bool) store.Accepted {
			j := newJob("dev", key)
			j.Again = again
			return b.accept(j)
		}
		first := offer("k", false).IDs[0]
		b.equal("while it waits", offer("k", true).Verdicts, []store.Verdict{store.Duplicate})
		run := b.claim(first)
		b.equal("while it runs", offer("k", true).Verdicts, []store.Verdict{store.Duplicate})
		b.finish(run, job.Done)
		b.equal("once it is done", offer("k", false).Verdicts, []store.Verdict{store.Duplicate})

		again := offer("k", true)
		b.equal("again", again.Verdicts, []store.Verdict{store.Enqueued})
		second := again.IDs[0]
		b.equal("a repeat repeats", offer("k", false).IDs, []int64{second})
		b.equal("again while it waits again", offer("k", true).IDs, []int64{second})
		b.finish(b.claim(second), job.Failed)
		b.equal("after it failed", offer("k", false).Verdicts, []store.Verdict{store.Enqueued})
		b.state(first, job.Done)
		b.equal("without key", []store.Verdict{offer("", true).Verdicts[0], offer("", true).Verdicts[0]}, []store.Verdict{store.Enqueued, store.Enqueued})
	},
}
