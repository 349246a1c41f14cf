package storetest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

var acceptTests = map[string]func(*testing.T, *bench){
	"receipt comes back as it was": func(t *testing.T, b *bench) {
		want := b.receipt("01a")
		_, err := b.Accept(b.ctx, store.Acceptance{Receipt: &want, At: b.now})
		b.must(err)
		got, err := b.Receipt(b.ctx, "01a")
		b.must(err)
		b.equal("receipt", got, want)
	},

	"body of any size comes back byte for byte": func(t *testing.T, b *bench) {
		random := make([]byte, 3<<20)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range random {
			random[i] = byte(r.Uint32())
		}
		bodies := map[string][]byte{
			"01a": nil, "01b": {0}, "01c": []byte("{}"), "01d": bytes.Repeat([]byte("very much alike "), 1<<17), "01e": random,
			"01f": []byte("\xff\xfe\x00 not UTF-8"),
		}
		for id, body := range bodies {
			rec := b.receipt(id)
			rec.Body = body
			_, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, At: b.now})
			b.must(err)
		}
		for id, body := range bodies {
			got, err := b.Receipt(b.ctx, id)
			b.must(err)
			if !bytes.Equal(got.Body, body) {
				t.Errorf("body of %s: %d bytes came back, not the %d that were stored", id, len(got.Body), len(body))
			}
		}
	},

	"job comes back as it was": func(t *testing.T, b *bench) {
		rec := b.receipt("01a")
		n := newJob("dev", "key")
		n.Sensitive = []string{"extra.token", "extra.other"}
		a, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, Jobs: []store.NewJob{n}, At: b.now})
		b.must(err)
		b.equal("job", b.job(a.IDs[0]), job.Job{
			ID: a.IDs[0], Agent: "dev", Trigger: job.Webhook, Receipt: "01a", Source: "one", Provider: "fake",
			Event: "issues", DeliveryID: "delivery", Context: []byte(`{"event":"issues"}`),
			Sensitive: []string{"extra.token", "extra.other"}, State: job.Waiting, QueuedAt: b.now,
		})
	},

	"bare job of a tick comes back as it was": func(t *testing.T, b *bench) {
		a := b.accept(store.NewJob{Agent: "dev", Trigger: job.Schedule})
		b.equal("job", b.job(a.IDs[0]), job.Job{
			ID: a.IDs[0], Agent: "dev", Trigger: job.Schedule, State: job.Waiting, QueuedAt: b.now,
		})
	},

	"ids rise and are not used again": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		first := b.enqueue("dev")
		second := b.enqueue("dev")
		b.finish(b.claim(first), job.Done)
		b.finish(b.claim(second), job.Done)
		for more := true; more; {
			var err error
			more, err = b.Prune(b.ctx, store.Prune{Before: b.tick(), Step: 10})
			b.must(err)
		}
		third := b.enqueue("dev")
		if second <= first || third <= second {
			t.Fatalf("ids are %d, %d and, after pruning, %d", first, second, third)
		}
	},

	"all or nothing": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		rec := b.receipt("01a")
		_, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, At: b.now})
		b.must(err)
		// The receipt's id is taken, so nothing of this may stay.
		_, err = b.Accept(b.ctx, store.Acceptance{Receipt: &rec, Jobs: []store.NewJob{newJob("dev", "key")}, At: b.now})
		if err == nil {
			t.Fatal("a receipt with an id that exists was accepted")
		}
		if errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("a caller's mistake is called unavailability, which asks to try again: %v", err)
		}
		b.counts("dev", 0, 0, 0)
		b.equal("verdict of the job's next try", b.accept(newJob("dev", "key")).Verdicts, []store.Verdict{store.Enqueued})
	},

	"refuses what it could not find again": func(t *testing.T, b *bench) {
		for name, a := range map[string]store.Acceptance{
			"job without agent":    {Jobs: []store.NewJob{{}}, At: b.now},
			"receipt without id":   {Receipt: &job.Receipt{ReceivedAt: b.now}, At: b.now},
			"receipt without time": {Receipt: &job.Receipt{ID: "01a"}, At: b.now},
		} {
			if _, err := b.Accept(b.ctx, a); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	},

	"nothing is recorded for a caller who has left": func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		_, err := b.Accept(ctx, store.Acceptance{Jobs: []store.NewJob{newJob("dev", "key")}, At: b.now})
		b.wantErr(err, context.Canceled)
		b.counts("dev", 0, 0, 0)
	},

	"unknown receipt is not found": func(t *testing.T, b *bench) {
		_, err := b.Receipt(b.ctx, "nope")
		b.wantErr(err, store.ErrNotFound)
	},

	"closed store says so": func(t *testing.T, b *bench) {
		b.must(b.Close())
		_, err := b.Accept(b.ctx, store.Acceptance{At: b.now})
		b.wantErr(err, store.ErrClosed)
		_, err = b.Claim(b.ctx, store.Claim{Run: "run", At: b.now, Until: b.now})
		b.wantErr(err, store.ErrClosed)
		_, err = b.Queues(b.ctx)
		b.wantErr(err, store.ErrClosed)
		if b.Note(b.receipt("01a")) {
			t.Fatal("took a note")
		}
	},
}

var duplicateTests = map[string]func(*testing.T, *bench){
	"while waiting, running or done": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		first := b.accept(newJob("dev", "key"))
		again := func(when string) {
			t.Helper()
			a := b.accept(newJob("dev", "key"))
			b.equal("verdict while "+when, a.Verdicts, []store.Verdict{store.Duplicate})
			b.equal("id while "+when, a.IDs, first.IDs)
		}
		again("waiting")
		run := b.claim(first.IDs[0])
		again("running")
		b.finish(run, job.Done)
		again("done")
	},

	"not after it failed": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		first := b.accept(newJob("dev", "key"))
		b.finish(b.claim(first.IDs[0]), job.Failed)
		b.equal("verdict", b.accept(newJob("dev", "key")).Verdicts, []store.Verdict{store.Enqueued})
	},

	"not after it was dropped": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 1))
		b.accept(newJob("dev", "key"))
		b.enqueue("dev")
		b.equal("verdict", b.accept(newJob("dev", "key")).Verdicts, []store.Verdict{store.Enqueued})
	},

	"not after it ended dead": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		first := b.accept(newJob("dev", "key"))
		b.claim(first.IDs[0])
		b.equal("dead", b.lose(1).Dead, first.IDs)
		b.equal("verdict", b.accept(newJob("dev", "key")).Verdicts, []store.Verdict{store.Enqueued})
	},

	"after a lost run it still is one": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		first := b.accept(newJob("dev", "key"))
		b.claim(first.IDs[0])
		b.lose(2)
		b.equal("verdict", b.accept(newJob("dev", "key")).Verdicts, []store.Verdict{store.Duplicate})
	},

	"per agent and source": func(t *testing.T, b *bench) {
		b.accept(newJob("dev", "key"))
		other := newJob("dev", "key")
		other.Source = "two"
		a := b.accept(other, newJob("ops", "key"), newJob("dev", "another"))
		b.equal("verdicts", a.Verdicts, []store.Verdict{store.Enqueued, store.Enqueued, store.Enqueued})
	},

	"without a key never": func(t *testing.T, b *bench) {
		b.accept(newJob("dev", ""))
		b.equal("verdict", b.accept(newJob("dev", "")).Verdicts, []store.Verdict{store.Enqueued})
	},

	"within one acceptance": func(t *testing.T, b *bench) {
		a := b.accept(newJob("dev", "key"), newJob("dev", "key"))
		b.equal("verdicts", a.Verdicts, []store.Verdict{store.Enqueued, store.Duplicate})
		b.equal("id", a.IDs[1], a.IDs[0])
		b.counts("dev", 1, 0, 0)
	},

	"receipt of nothing but duplicates says so": func(t *testing.T, b *bench) {
		outcome := func(id string, jobs ...store.NewJob) job.Outcome {
			t.Helper()
			rec := b.receipt(id)
			_, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, Jobs: jobs, At: b.now})
			b.must(err)
			got, err := b.Receipt(b.ctx, id)
			b.must(err)
			return got.Outcome
		}
		b.equal("first", outcome("01a", newJob("dev", "key")), job.Queued)
		b.equal("repeat", outcome("01b", newJob("dev", "key")), job.Duplicate)
		b.equal("repeat for one of two agents", outcome("01c", newJob("dev", "key"), newJob("ops", "key")), job.Queued)
		b.equal("no jobs at all", outcome("01d"), job.Queued)
	},
}
