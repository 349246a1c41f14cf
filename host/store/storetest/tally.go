package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

var tallyTests = map[string]func(*testing.T, *bench){
	"one job, one run": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.enqueue("dev")
		first := b.claim(id)
		b.lose(5)
		second := b.claim(id)
		b.finish(second, job.Failed)

		j, err := b.Job(b.ctx, id)
		b.must(err)
		b.equal("job", j, b.job(id))
		_, err = b.Job(b.ctx, id+1)
		b.wantErr(err, store.ErrNotFound)

		run, err := b.Run(b.ctx, second.ID)
		b.must(err)
		b.equal("run", []any{run.ID, run.Job, run.State, run.Attempt}, []any{second.ID, id, job.Failed, 2})
		_, err = b.Run(b.ctx, "nobody")
		b.wantErr(err, store.ErrNotFound)

		runs, err := b.RunsOf(b.ctx, id)
		b.must(err)
		b.equal("its runs", []string{runs[0].ID, runs[1].ID}, []string{second.ID, first.ID})
		runs, err = b.RunsOf(b.ctx, id+1)
		b.must(err)
		b.equal("runs of no job", len(runs), 0)
	},

	"tally": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 10, 2), agent("ops", 10, 10), agent("idle", 1, 1))
		start := func(id int64, after time.Duration) job.Run {
			t.Helper()
			b.now = b.now.Add(after)
			c, err := b.Claim(b.ctx, store.Claim{Host: "host-1", At: b.now, Until: b.now.Add(lease), Run: job.NewID(b.now)})
			b.must(err)
			if c == nil || c.Job.ID != id {
				t.Fatalf("claimed %+v; want job %d", c, id)
			}
			return c.Run
		}
		end := func(run job.Run, state job.State, after time.Duration) {
			t.Helper()
			b.now = b.now.Add(after)
			b.must(b.Finish(b.ctx, store.Finish{Run: run.ID, State: state, At: b.now}))
		}

		old := start(b.enqueue("dev"), time.Second) // before the time that is asked for
		end(old, job.Done, time.Hour)
		b.now = b.now.Add(time.Second)
		since := b.now

		end(start(b.enqueue("dev"), 3*time.Second), job.Done, 10*time.Second)
		end(start(b.enqueue("dev"), 5*time.Second), job.Failed, 20*time.Second)
		released := b.enqueue("dev")
		b.must(b.Release(b.ctx, start(released, 7*time.Second).ID, "stop", b.now))
		end(start(released, time.Minute), job.Done, 30*time.Second) // no first run: it did not wait
		start(b.enqueue("dev"), 11*time.Second)                     // still running
		end(start(b.enqueue("ops"), time.Second), job.Done, time.Second)
		for range 3 {
			b.enqueue("dev") // the third drops the first
		}

		want := []store.Tally{
			{
				Agent: "dev", Done: 2, Failed: 1, Returned: 1, Dropped: 1,
				Durations: []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second},
				Waits:     []time.Duration{3 * time.Second, 5 * time.Second, 7 * time.Second, 11 * time.Second},
			},
			{Agent: "ops", Done: 1, Durations: []time.Duration{time.Second}, Waits: []time.Duration{time.Second}},
		}
		tally := func(agent string, since time.Time) []store.Tally {
			t.Helper()
			got, err := b.Tally(b.ctx, agent, since)
			b.must(err)
			for i := range got {
				slices.Sort(got[i].Durations)
				slices.Sort(got[i].Waits)
			}
			return got
		}
		b.equal("of all", tally("", since), want)
		b.equal("of ops", tally("ops", since), want[1:])
		b.equal("of nobody", tally("nobody", since), []store.Tally{})
		b.equal("of later", tally("", b.now.Add(time.Second)), []store.Tally{})
		if got := tally("dev", old.StartedAt); got[0].Done != 3 {
			t.Errorf("with the run before it: %d done; want 3", got[0].Done)
		}
	},

	"tally of the dead": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		since := b.tick()
		id := b.enqueue("dev")
		b.now = b.now.Add(time.Second)
		_, err := b.Claim(b.ctx, store.Claim{Host: "host-1", At: b.now, Until: b.now, Run: job.NewID(b.now)})
		b.must(err)
		b.lose(1)
		b.state(id, job.Dead)
		got, err := b.Tally(b.ctx, "", since)
		b.must(err)
		if len(got) != 1 || got[0].Dead != 1 || got[0].Failed != 1 {
			t.Errorf("tally is %+v; want one dead job and its failed run", got)
		}
	},
}
