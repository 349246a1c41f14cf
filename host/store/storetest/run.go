package storetest

import (
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

var runTests = map[string]func(*testing.T, *bench){
	"claim starts a run": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.enqueue("dev")
		queued := b.now
		at := b.tick()
		c, err := b.Claim(b.ctx, store.Claim{Host: "host-1", At: at, Until: at.Add(lease), Run: "run-a"})
		b.must(err)
		wantJob := job.Job{
			ID: id, Agent: "dev", Trigger: job.Webhook, Source: "one", Provider: "fake", Event: "issues",
			DeliveryID: "delivery", Context: []byte(`{"event":"issues"}`), State: job.Running, Attempt: 1, QueuedAt: queued,
		}
		wantRun := job.Run{
			ID: "run-a", Job: id, Agent: "dev", Trigger: job.Webhook, Attempt: 1, Host: "host-1",
			StartedAt: at, State: job.Running, LeaseUntil: at.Add(lease),
		}
		b.equal("claimed", *c, store.Claimed{Job: wantJob, Run: wantRun})
		b.equal("job", b.job(id), wantJob)
		runs, err := b.Runs(b.ctx, store.Query{})
		b.must(err)
		b.equal("runs", runs, []job.Run{wantRun})
		b.counts("dev", 0, 1, 0)
	},

	"finish ends run and job": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		for _, state := range []job.State{job.Done, job.Failed} {
			id := b.enqueue("dev")
			run := b.claim(id)
			at := b.tick()
			b.must(b.Finish(b.ctx, store.Finish{Run: run.ID, State: state, ExitCode: 7, Reason: "why", At: at}))
			j := b.state(id, state)
			b.equal("end of the job", j.EndedAt, at)
			b.equal("reason of the job", j.Reason, "why")
			run.State, run.EndedAt, run.ExitCode, run.Reason = state, at, 7, "why"
			runs, err := b.Runs(b.ctx, store.Query{Limit: 1})
			b.must(err)
			b.equal("run", runs, []job.Run{run})
			b.counts("dev", 0, 0, 0)
		}
	},

	"finish takes only an end": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		run := b.claim(b.enqueue("dev"))
		for _, state := range []job.State{"", job.Waiting, job.Running, job.Dropped, job.Dead} {
			if err := b.Finish(b.ctx, store.Finish{Run: run.ID, State: state, At: b.tick()}); err == nil {
				t.Errorf("finished as %q", state)
			}
		}
		b.counts("dev", 0, 1, 0)
	},

	"a run ends once": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.enqueue("dev")
		run := b.claim(id)
		b.finish(run, job.Done)
		b.wantErr(b.Finish(b.ctx, store.Finish{Run: run.ID, State: job.Failed, At: b.tick()}), store.ErrLost)
		b.wantErr(b.Release(b.ctx, run.ID, "test", b.tick()), store.ErrLost)
		b.state(id, job.Done)
		b.counts("dev", 0, 0, 0)
	},

	"an unknown run is not found": func(t *testing.T, b *bench) {
		b.wantErr(b.Finish(b.ctx, store.Finish{Run: "nope", State: job.Done, At: b.tick()}), store.ErrNotFound)
		b.wantErr(b.Release(b.ctx, "nope", "test", b.tick()), store.ErrNotFound)
	},

	"release returns the job to the head of its queue": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		first, second := b.enqueue("dev"), b.enqueue("dev")
		run := b.claim(first)
		third := b.enqueue("dev")
		at := b.tick()
		b.must(b.Release(b.ctx, run.ID, "the host stops", at))
		b.counts("dev", 3, 0, 0)
		j := b.state(first, job.Waiting)
		b.equal("attempts and crashes", []int{j.Attempt, j.Crashes}, []int{1, 0})
		runs, err := b.Runs(b.ctx, store.Query{})
		b.must(err)
		b.equal("state, end and reason of the run", []any{runs[0].State, runs[0].EndedAt, runs[0].Reason}, []any{job.Waiting, at, "the host stops"})
		again := b.claim(first)
		b.equal("attempt", again.Attempt, 2)
		b.finish(again, job.Done)
		b.finish(b.claim(second), job.Done)
		b.claim(third)
	},

	"release never counts as a crash": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.enqueue("dev")
		for range 5 {
			b.must(b.Release(b.ctx, b.claim(id).ID, "test", b.tick()))
		}
		b.equal("crashes", b.state(id, job.Waiting).Crashes, 0)
	},

	"several released jobs keep their order": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 3, 10))
		first, second, third := b.enqueue("dev"), b.enqueue("dev"), b.enqueue("dev")
		run1, run2 := b.claim(first), b.claim(second)
		b.must(b.Release(b.ctx, run2.ID, "test", b.tick()))
		b.must(b.Release(b.ctx, run1.ID, "test", b.tick()))
		b.claim(first)
		b.claim(second)
		b.claim(third)
	},

	"a released job of one agent is the oldest of all": func(t *testing.T, b *bench) {
		b.limits(1, agent("a", 1, 10), agent("b", 1, 10))
		first, other := b.enqueue("a"), b.enqueue("b")
		b.must(b.Release(b.ctx, b.claim(first).ID, "test", b.tick()))
		b.finish(b.claim(first), job.Done)
		b.claim(other)
	},

	"renew keeps a run from being recovered": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 2, 10))
		kept, lost := b.claim(b.enqueue("dev")), b.claim(b.enqueue("dev"))
		b.now = b.now.Add(lease)
		gone, err := b.Renew(b.ctx, []string{kept.ID}, b.now.Add(lease))
		b.must(err)
		b.equal("lost on renewal", len(gone.Lost), 0)
		r, err := b.Recover(b.ctx, store.Recovery{At: b.tick(), LeaseEndedBefore: b.now, MaxAttempts: 2})
		b.must(err)
		if len(r.Lost) != 1 || r.Lost[0].ID != lost.ID {
			t.Fatalf("recovered %v, want %s alone", r.Lost, lost.ID)
		}
		b.finish(kept, job.Done)
	},

	"renew names the runs that are not the caller's any more": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 3, 10))
		ended, lost := b.claim(b.enqueue("dev")), b.claim(b.enqueue("dev"))
		b.finish(ended, job.Done)
		b.lose(2)
		again := b.tryClaim().Run
		gone, err := b.Renew(b.ctx, []string{ended.ID, again.ID, lost.ID, "nope"}, b.now.Add(lease))
		b.must(err)
		b.equal("lost", gone.Lost, []string{ended.ID, lost.ID, "nope"})
	},

	"a run id is used once": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 2, 10))
		b.enqueue("dev")
		second := b.enqueue("dev")
		claim := store.Claim{Host: "host-1", At: b.now, Until: b.now.Add(lease), Run: "same"}
		_, err := b.Claim(b.ctx, claim)
		b.must(err)
		if _, err := b.Claim(b.ctx, claim); err == nil {
			t.Fatal("claimed twice under one id")
		}
		b.counts("dev", 1, 1, 0)
		b.claim(second)
	},
}

var recoverTests = map[string]func(*testing.T, *bench){
	"a lost run's job returns to the head of its queue": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		first := b.enqueue("dev")
		b.enqueue("dev")
		run := b.claim(first)
		r := b.lose(2)
		b.equal("dead", len(r.Dead), 0)
		if len(r.Lost) != 1 {
			t.Fatalf("lost runs: %v", r.Lost)
		}
		lost := r.Lost[0]
		b.equal("lost run", []any{lost.ID, lost.Job, lost.State, lost.EndedAt}, []any{run.ID, first, job.Waiting, b.now})
		if lost.Reason == "" {
			t.Error("the lost run does not say why it ended")
		}
		j := b.state(first, job.Waiting)
		b.equal("attempts and crashes", []int{j.Attempt, j.Crashes}, []int{1, 1})
		b.counts("dev", 2, 0, 0)
		b.claim(first)
	},

	"dead after its attempts": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.enqueue("dev")
		b.claim(id)
		b.equal("dead after the first crash", len(b.lose(2).Dead), 0)
		b.claim(id)
		r := b.lose(2)
		b.equal("dead after the second", r.Dead, []int64{id})
		b.equal("state of the run", r.Lost[0].State, job.Failed)
		j := b.state(id, job.Dead)
		b.equal("end", j.EndedAt, b.now)
		b.equal("crashes", j.Crashes, 2)
		if j.Reason == "" {
			t.Error("the dead job does not say why")
		}
		b.counts("dev", 0, 0, 0)
		b.claimNothing()
	},

	"leaves runs with a lease alone": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		run := b.claim(b.enqueue("dev"))
		r, err := b.Recover(b.ctx, store.Recovery{At: b.tick(), LeaseEndedBefore: run.LeaseUntil, MaxAttempts: 2})
		b.must(err)
		b.equal("lost", len(r.Lost), 0)
		b.finish(run, job.Done)
	},

	"leaves runs of hosts that live alone": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 3, 10))
		runs := map[string]string{}
		for _, host := range []string{"old", "dead", "older"} {
			b.enqueue("dev")
			at := b.tick()
			c, err := b.Claim(b.ctx, store.Claim{Host: host, At: at, Until: at.Add(lease), Run: "run-of-" + host})
			b.must(err)
			runs[host] = c.Run.ID
		}
		far := b.now.AddDate(100, 0, 0)
		r, err := b.Recover(b.ctx, store.Recovery{At: b.tick(), LeaseEndedBefore: far, Living: []string{"old", "older", "new"}, MaxAttempts: 2})
		b.must(err)
		if len(r.Lost) != 1 || r.Lost[0].ID != runs["dead"] {
			t.Fatalf("recovered %v, want that of the dead host alone", r.Lost)
		}
		b.counts("dev", 1, 2, 0)
		b.must(b.Finish(b.ctx, store.Finish{Run: runs["old"], State: job.Done, At: b.tick()}))
		r, err = b.Recover(b.ctx, store.Recovery{At: b.tick(), LeaseEndedBefore: far, MaxAttempts: 2})
		b.must(err)
		if len(r.Lost) != 1 || r.Lost[0].ID != runs["older"] {
			t.Fatalf("recovered %v, want that of the host that is gone now", r.Lost)
		}
	},

	"a lost run can not finish, its successor can": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		id := b.enqueue("dev")
		old := b.claim(id)
		b.lose(2)
		b.wantErr(b.Finish(b.ctx, store.Finish{Run: old.ID, State: job.Done, At: b.tick()}), store.ErrLost)
		b.state(id, job.Waiting)
		run := b.claim(id)
		b.wantErr(b.Finish(b.ctx, store.Finish{Run: old.ID, State: job.Done, At: b.tick()}), store.ErrLost)
		b.wantErr(b.Release(b.ctx, old.ID, "test", b.tick()), store.ErrLost)
		b.state(id, job.Running)
		b.finish(run, job.Failed)
	},

	"may fill a queue over its bound, and the next job restores it": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 1))
		first := b.enqueue("dev")
		b.claim(first)
		second := b.enqueue("dev")
		b.lose(5)
		b.counts("dev", 2, 0, 0)
		b.equal("dropped", b.accept(newJob("dev", "")).Dropped, []store.Drop{{Agent: "dev", ID: first}, {Agent: "dev", ID: second}})
	},

	"takes any time for never": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		b.claim(b.enqueue("dev"))
		far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		r, err := b.Recover(b.ctx, store.Recovery{At: b.tick(), LeaseEndedBefore: far, MaxAttempts: 2})
		b.must(err)
		b.equal("lost", len(r.Lost), 1)
	},
}
