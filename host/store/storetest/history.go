package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

var listTests = map[string]func(*testing.T, *bench){
	"queues by name": func(t *testing.T, b *bench) {
		b.limits(0, agent("b", 2, 7), agent("c", 0, 8), agent("a", 1, 9))
		queues, err := b.Queues(b.ctx)
		b.must(err)
		b.equal("queues", queues, []store.Queue{
			{Agent: "a", Scale: 1, Capacity: 9}, {Agent: "b", Scale: 2, Capacity: 7}, {Agent: "c", Capacity: 8},
		})
	},

	"jobs, the newest first, page by page": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10), agent("ops", 1, 10))
		var want []int64
		for i := range 7 {
			want = append(want, b.enqueue([]string{"dev", "ops"}[i%2]))
		}
		slices.Reverse(want)
		var got []int64
		for before := ""; ; before = fmt.Sprint(got[len(got)-1]) {
			page, err := b.Jobs(b.ctx, store.Query{Before: before, Limit: 3})
			b.must(err)
			if len(page) == 0 {
				break
			}
			got = append(got, ids(page)...)
		}
		b.equal("jobs", got, want)
	},

	"jobs of an agent, in a state": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 2, 2), agent("ops", 1, 10))
		dropped, done, running := b.enqueue("dev"), int64(0), int64(0)
		done = b.enqueue("dev")
		running = b.enqueue("dev")
		b.finish(b.claim(done), job.Done)
		b.claim(running)
		waiting := []int64{b.enqueue("dev"), b.enqueue("dev")}
		other := b.enqueue("ops")
		for _, c := range []struct {
			q    store.Query
			want []int64
		}{
			{store.Query{}, []int64{other, waiting[1], waiting[0], running, done, dropped}},
			{store.Query{Agent: "dev"}, []int64{waiting[1], waiting[0], running, done, dropped}},
			{store.Query{Agent: "ops"}, []int64{other}},
			{store.Query{Agent: "none"}, []int64{}},
			{store.Query{State: job.Waiting}, []int64{other, waiting[1], waiting[0]}},
			{store.Query{Agent: "dev", State: job.Waiting}, []int64{waiting[1], waiting[0]}},
			{store.Query{State: job.Running}, []int64{running}},
			{store.Query{State: job.Done}, []int64{done}},
			{store.Query{State: job.Dropped}, []int64{dropped}},
			{store.Query{State: job.Dead}, []int64{}},
			{store.Query{Agent: "dev", State: job.Done, Before: fmt.Sprint(running)}, []int64{done}},
			{store.Query{Agent: "dev", State: job.Running, Before: fmt.Sprint(running)}, []int64{}},
		} {
			jobs, err := b.Jobs(b.ctx, c.q)
			b.must(err)
			b.equal(fmt.Sprintf("jobs of %+v", c.q), ids(jobs), c.want)
		}
	},

	"runs of an agent, in a state, page by page": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 5, 10), agent("ops", 5, 10))
		list := func(q store.Query) []string {
			t.Helper()
			runs, err := b.Runs(b.ctx, q)
			b.must(err)
			got := make([]string, len(runs))
			for i := range runs {
				got[i] = runs[i].ID
			}
			return got
		}
		one, two, three := b.claim(b.enqueue("dev")), b.claim(b.enqueue("ops")), b.claim(b.enqueue("dev"))
		b.finish(one, job.Failed)
		b.equal("all", list(store.Query{}), []string{three.ID, two.ID, one.ID})
		b.equal("of dev", list(store.Query{Agent: "dev"}), []string{three.ID, one.ID})
		b.equal("running", list(store.Query{State: job.Running}), []string{three.ID, two.ID})
		b.equal("failed of dev", list(store.Query{Agent: "dev", State: job.Failed}), []string{one.ID})
		b.equal("first page", list(store.Query{Limit: 2}), []string{three.ID, two.ID})
		b.equal("second page", list(store.Query{Limit: 2, Before: two.ID}), []string{one.ID})
	},

	"receipts without their bodies": func(t *testing.T, b *bench) {
		want := []job.Receipt{b.receipt("01c"), b.receipt("01b"), b.receipt("01a")}
		for i := len(want) - 1; i >= 0; i-- {
			_, err := b.Accept(b.ctx, store.Acceptance{Receipt: &want[i], At: b.now})
			b.must(err)
			want[i].Body = nil
		}
		got, err := b.Receipts(b.ctx, store.Query{})
		b.must(err)
		b.equal("receipts", got, want)
		got, err = b.Receipts(b.ctx, store.Query{Before: "01c", Limit: 1})
		b.must(err)
		b.equal("second page", got, want[1:2])
	},

	"no more than asked for, nor than is sensible": func(t *testing.T, b *bench) {
		const many = 1100
		b.limits(0, agent("dev", 1, 2*many))
		jobs := make([]store.NewJob, many)
		for i := range jobs {
			jobs[i] = newJob("dev", "")
		}
		b.accept(jobs...)
		for limit, want := range map[int]int{0: 100, 5: 5, 5000: 1000} {
			got, err := b.Jobs(b.ctx, store.Query{Limit: limit})
			b.must(err)
			b.equal(fmt.Sprintf("jobs with limit %d", limit), len(got), want)
		}
	},

	"refuses questions that make no sense": func(t *testing.T, b *bench) {
		for _, q := range []store.Query{{State: "wrong"}, {Before: "wrong"}} {
			if _, err := b.Jobs(b.ctx, q); err == nil {
				t.Errorf("jobs: %+v: answered", q)
			}
		}
		if _, err := b.Runs(b.ctx, store.Query{State: "wrong"}); err == nil {
			t.Error("runs: answered")
		}
	},
}

// prune runs until there is nothing more to do.
func (b *bench) prune(p store.Prune) {
	b.t.Helper()
	for range 1000 {
		more, err := b.Prune(b.ctx, p)
		b.must(err)
		if !more {
			return
		}
	}
	b.t.Fatal("pruning never ends")
}

// deliver accepts a receipt with a job for the agent dev.
func (b *bench) deliver(id string) int64 {
	b.t.Helper()
	rec := b.receipt(id)
	rec.ReceivedAt = b.tick()
	a, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, Jobs: []store.NewJob{newJob("dev", id)}, At: b.now})
	b.must(err)
	return a.IDs[0]
}

var pruneTests = map[string]func(*testing.T, *bench){
	"what ended before goes, with its runs and receipts": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 9, 10))
		old := b.deliver("01a")
		b.finish(b.claim(old), job.Done)
		between := b.tick()
		young := b.deliver("01b")
		youngRun := b.claim(young)
		b.finish(youngRun, job.Done)
		b.prune(store.Prune{Before: between, Step: 10})

		jobs, err := b.Jobs(b.ctx, store.Query{})
		b.must(err)
		b.equal("jobs", ids(jobs), []int64{young})
		runs, err := b.Runs(b.ctx, store.Query{})
		b.must(err)
		if len(runs) != 1 || runs[0].ID != youngRun.ID {
			t.Errorf("runs: %v, want %s alone", runs, youngRun.ID)
		}
		b.equal("receipts", b.receiptIDs(), []string{"01b"})
	},

	"what waits or runs stays, with its receipt": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		running, waiting := b.deliver("01a"), b.deliver("01b")
		run := b.claim(running)
		b.prune(store.Prune{Before: b.now.Add(time.Hour), MaxBytes: 1, Step: 10})
		b.equal("receipts", b.receiptIDs(), []string{"01b", "01a"})
		b.counts("dev", 1, 1, 0)
		b.finish(run, job.Done)
		b.claim(waiting)
	},

	"a job that went back keeps its earlier runs": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		b.claim(b.deliver("01a"))
		b.lose(5)
		b.prune(store.Prune{Before: b.now.Add(time.Hour), Step: 10})
		runs, err := b.Runs(b.ctx, store.Query{})
		b.must(err)
		b.equal("runs", len(runs), 1)
	},

	"an old receipt stays as long as a job of it is young": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.deliver("01a")
		between := b.tick()
		b.finish(b.claim(id), job.Done)
		b.prune(store.Prune{Before: between, Step: 10})
		b.equal("receipts", b.receiptIDs(), []string{"01a"})
	},

	"a dropped or failed job can be pruned like any other": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 1))
		b.deliver("01a")
		b.finish(b.claim(b.deliver("01b")), job.Failed)
		b.prune(store.Prune{Before: b.now.Add(time.Hour), Step: 10})
		jobs, err := b.Jobs(b.ctx, store.Query{})
		b.must(err)
		b.equal("jobs", len(jobs), 0)
		b.equal("receipts", len(b.receiptIDs()), 0)
		b.counts("dev", 0, 0, 1)
	},

	"a pruned delivery may come again": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		b.finish(b.claim(b.deliver("01a")), job.Done)
		b.prune(store.Prune{Before: b.now.Add(time.Hour), Step: 10})
		b.equal("verdict", b.accept(newJob("dev", "01a")).Verdicts, []store.Verdict{store.Enqueued})
	},

	"the oldest receipts beyond the bytes go": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		note := func(id string) {
			rec := b.receipt(id)
			rec.ReceivedAt = b.tick()
			rec.Body = make([]byte, 100) // too small to be compressed
			rec.Header = nil
			b.Note(rec)
		}
		for i := range 10 {
			note(fmt.Sprintf("01%d", i))
		}
		live := b.deliver("020")
		for i := range 2 {
			note(fmt.Sprintf("03%d", i))
		}
		b.reopen() // the total is remembered
		b.prune(store.Prune{MaxBytes: 550, Step: 3})
		left := b.receiptIDs()
		// How much a store counts besides the body is its own business.
		if len(left) < 3 || len(left) > 6 {
			t.Fatalf("%d receipts of 100 bytes are left of 13, want what fits into 550: %v", len(left), left)
		}
		want := []string{"031", "030", "020", "019", "018", "017"}
		b.equal("receipts", left, want[:len(left)])

		b.prune(store.Prune{MaxBytes: 1, Step: 3})
		b.equal("receipts within one byte", b.receiptIDs(), []string{"020"})
		b.claim(live)
	},

	"in steps": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 100))
		for i := range 10 {
			b.finish(b.claim(b.deliver(fmt.Sprintf("01%d", i))), job.Done)
		}
		p := store.Prune{Before: b.now.Add(time.Hour), Step: 4}
		for _, want := range []int{6, 2, 0} {
			more, err := b.Prune(b.ctx, p)
			b.must(err)
			b.equal("receipts left", len(b.receiptIDs()), want)
			if want > 0 && !more {
				t.Fatalf("says that nothing is left to do, with %d receipts to go", want)
			}
		}
		b.prune(p)
	},

	"without bounds nothing goes": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		b.finish(b.claim(b.deliver("01a")), job.Done)
		b.prune(store.Prune{Step: 10})
		b.equal("receipts", b.receiptIDs(), []string{"01a"})
	},
}

var reopenTests = map[string]func(*testing.T, *bench){
	"shows the same state": func(t *testing.T, b *bench) {
		b.limits(2, agent("dev", 2, 2), agent("ops", 1, 3))
		b.deliver("01a")
		b.finish(b.claim(b.deliver("01b")-1), job.Done)
		run := b.tryClaim().Run
		for range 3 {
			b.enqueue("dev")
		}
		b.enqueue("ops")

		type state struct {
			Queues   []store.Queue
			Jobs     []job.Job
			Runs     []job.Run
			Receipts []job.Receipt
		}
		look := func() (s state) {
			var err error
			s.Queues, err = b.Queues(b.ctx)
			b.must(err)
			s.Jobs, err = b.Jobs(b.ctx, store.Query{})
			b.must(err)
			s.Runs, err = b.Runs(b.ctx, store.Query{})
			b.must(err)
			s.Receipts, err = b.Receipts(b.ctx, store.Query{})
			b.must(err)
			return s
		}
		before := look()
		b.reopen()
		b.equal("state", look(), before)

		// The limits still hold: one of the project's two slots is taken.
		if b.tryClaim() == nil {
			t.Fatal("the free slot is gone")
		}
		b.claimNothing()
		b.finish(run, job.Done)
	},

	"closing twice is fine": func(t *testing.T, b *bench) {
		b.must(b.Close())
		b.must(b.Close())
	},
}
