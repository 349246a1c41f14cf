package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

var queueTests = map[string]func(*testing.T, *bench){
	"first in, first out": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 3, 10))
		want := []int64{b.enqueue("dev"), b.enqueue("dev"), b.enqueue("dev")}
		for _, id := range want {
			b.claim(id)
		}
		b.claimNothing()
	},

	"a full queue drops its oldest waiting job": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 2))
		first, second := b.enqueue("dev"), b.enqueue("dev")
		a := b.accept(newJob("dev", ""))
		b.equal("verdict", a.Verdicts, []store.Verdict{store.Enqueued})
		b.equal("dropped", a.Dropped, []store.Drop{{Agent: "dev", ID: first}})
		b.counts("dev", 2, 0, 1)
		j := b.state(first, job.Dropped)
		b.equal("end of the dropped job", j.EndedAt, b.now)
		if j.Reason == "" {
			t.Error("the dropped job does not say why")
		}
		b.claim(second)
	},

	"a running job neither counts as waiting nor is dropped": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 1))
		running := b.enqueue("dev")
		b.claim(running)
		second := b.enqueue("dev")
		b.counts("dev", 1, 1, 0)
		b.equal("dropped", b.accept(newJob("dev", "")).Dropped, []store.Drop{{Agent: "dev", ID: second}})
		b.state(running, job.Running)
	},

	"one acceptance can overflow a queue": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 2))
		a := b.accept(newJob("dev", "a"), newJob("dev", "b"), newJob("dev", "c"))
		b.equal("dropped", a.Dropped, []store.Drop{{Agent: "dev", ID: a.IDs[0]}})
		b.counts("dev", 2, 0, 1)
	},

	"agents do not push each other out": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 1), agent("ops", 1, 1))
		b.enqueue("dev")
		b.enqueue("ops")
		b.counts("dev", 1, 0, 0)
		b.counts("ops", 1, 0, 0)
	},

	"the longest waiting job of all agents is next": func(t *testing.T, b *bench) {
		b.limits(0, agent("a", 1, 10), agent("b", 1, 10), agent("c", 1, 10))
		c1, a1, b1 := b.enqueue("c"), b.enqueue("a"), b.enqueue("b")
		c2, b2 := b.enqueue("c"), b.enqueue("b")
		runC := b.claim(c1)
		b.claim(a1)
		runB := b.claim(b1)
		b.claimNothing()
		b.finish(runB, job.Done)
		b.claim(b2) // b has the free slot, though c2 waits longer
		b.finish(runC, job.Done)
		b.claim(c2)
	},

	"a busy agent does not starve a quiet one under the project's scale": func(t *testing.T, b *bench) {
		b.limits(1, agent("busy", 5, 100), agent("quiet", 5, 100))
		first := b.enqueue("busy")
		quiet := b.enqueue("quiet")
		later := b.enqueue("busy")
		b.finish(b.claim(first), job.Done)
		b.finish(b.claim(quiet), job.Done)
		b.claim(later)
	},

	"only if free": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 2, 10))
		tick := store.NewJob{Agent: "dev", Trigger: job.Schedule, OnlyIfFree: true}
		try := func(when string, want store.Verdict) {
			t.Helper()
			b.equal("verdict "+when, b.accept(tick).Verdicts, []store.Verdict{want})
		}
		try("with both slots free", store.Enqueued)
		try("with one slot free", store.Enqueued)
		try("with two waiting", store.Busy)
		first, second := b.tryClaim(), b.tryClaim()
		try("with two running", store.Busy)
		b.finish(first.Run, job.Done)
		b.finish(second.Run, job.Done)
		try("when they are done", store.Enqueued)
		b.counts("dev", 1, 0, 0)
	},

	"only if free leaves nothing behind when busy": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 0, 10))
		rec := b.receipt("01a")
		a, err := b.Accept(b.ctx, store.Acceptance{
			Receipt: &rec, Jobs: []store.NewJob{{Agent: "dev", Key: "key", OnlyIfFree: true}}, At: b.now,
		})
		b.must(err)
		b.equal("accepted", a, store.Accepted{Verdicts: []store.Verdict{store.Busy}, IDs: []int64{0}})
		got, err := b.Receipt(b.ctx, "01a")
		b.must(err)
		b.equal("outcome, which is not duplicate", got.Outcome, rec.Outcome)
		b.counts("dev", 0, 0, 0)
	},

	"a tick that another host has fired is a duplicate, not busy": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		tick := store.NewJob{Agent: "dev", Trigger: job.Schedule, Key: "12:00", OnlyIfFree: true}
		first := b.accept(tick)
		second := b.accept(tick)
		b.equal("verdict", second.Verdicts, []store.Verdict{store.Duplicate})
		b.equal("id", second.IDs, first.IDs)
	},

	"tells how long its oldest job has waited": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		b.equal("oldest of none", b.queue("dev").Oldest, time.Time{})
		first := b.enqueue("dev")
		queued := b.now
		b.enqueue("dev")
		second := b.now
		b.equal("oldest", b.queue("dev").Oldest, queued)
		b.claim(first)
		b.equal("oldest when the first runs", b.queue("dev").Oldest, second)
	},
}

var limitTests = map[string]func(*testing.T, *bench){
	"scale of the agent": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 2, 10))
		first := b.enqueue("dev")
		b.enqueue("dev")
		b.enqueue("dev")
		run := b.claim(first)
		b.tryClaim()
		b.claimNothing()
		b.finish(run, job.Failed)
		if b.tryClaim() == nil {
			t.Fatal("the slot of a run that ended is not free")
		}
	},

	"scale of the project": func(t *testing.T, b *bench) {
		b.limits(2, agent("a", 5, 10), agent("b", 5, 10))
		a1, b1 := b.enqueue("a"), b.enqueue("b")
		a2 := b.enqueue("a")
		b.claim(a1)
		run := b.claim(b1)
		b.claimNothing()
		b.must(b.Release(b.ctx, run.ID, "test", b.tick()))
		b.claim(b1)
		b.claimNothing()
		b.limits(3, agent("a", 5, 10), agent("b", 5, 10))
		b.claim(a2)
	},

	"scale 0 starts nothing and keeps what waits": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 0, 10))
		id := b.enqueue("dev")
		b.claimNothing()
		b.limits(0, agent("dev", 1, 10))
		b.claim(id)
	},

	"an agent that no configuration names keeps its jobs": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10), agent("ops", 1, 10))
		id := b.enqueue("dev")
		unknown := b.enqueue("unknown")
		b.limits(0, agent("ops", 1, 10))
		b.claimNothing()
		b.counts("dev", 1, 0, 0)
		b.equal("scale", b.queue("dev").Scale, 0)
		b.limits(0, agent("dev", 1, 10), agent("unknown", 1, 10))
		b.claim(id)
		b.claim(unknown)
	},

	"the queue of an agent that is gone ends when it is empty": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10), agent("ops", 1, 10))
		b.claim(b.enqueue("dev"))
		b.limits(0, agent("ops", 1, 10))
		b.equal("its running job keeps it", b.queue("dev").Running, 1)
		b.lose(1)
		b.limits(0, agent("ops", 1, 10))
		b.equal("queue", b.queue("dev"), store.Queue{})
		b.equal("the other", b.queue("ops"), store.Queue{Agent: "ops", Scale: 1, Capacity: 10})
	},

	"a lower scale ends no run": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 2, 10))
		first, second := b.enqueue("dev"), b.enqueue("dev")
		run1, run2 := b.claim(first), b.claim(second)
		third := b.enqueue("dev")
		b.limits(0, agent("dev", 1, 10))
		b.finish(run1, job.Done)
		b.claimNothing()
		b.finish(run2, job.Done)
		b.claim(third)
	},

	"a lower capacity drops only when the next job comes": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 5))
		old := []int64{b.enqueue("dev"), b.enqueue("dev"), b.enqueue("dev"), b.enqueue("dev")}
		b.limits(0, agent("dev", 1, 2))
		b.counts("dev", 4, 0, 0)
		a := b.accept(newJob("dev", ""))
		b.equal("dropped", a.Dropped, []store.Drop{{Agent: "dev", ID: old[0]}, {Agent: "dev", ID: old[1]}, {Agent: "dev", ID: old[2]}})
		b.counts("dev", 2, 0, 3)
	},

	"an agent runs on hosts that have its labels": func(t *testing.T, b *bench) {
		gpu, both := agent("gpu", 5, 10), agent("both", 5, 10)
		gpu.RunsOn, both.RunsOn = []string{"gpu"}, []string{"vpn", "gpu"}
		b.limits(0, gpu, both, agent("any", 5, 10))
		claim := func(want int64, labels ...string) {
			t.Helper()
			b.runs++
			at := b.tick()
			c, err := b.Claim(b.ctx, store.Claim{Host: "host", At: at, Until: at.Add(lease), Run: fmt.Sprintf("run-%04d", b.runs), Labels: labels})
			b.must(err)
			got := int64(0)
			if c != nil {
				got = c.Job.ID
			}
			b.equal(fmt.Sprintf("claimed with labels %q", labels), got, want)
		}
		first, second, third, fourth := b.enqueue("both"), b.enqueue("gpu"), b.enqueue("any"), b.enqueue("gpu")
		claim(third)
		claim(0)
		claim(0, "vpn")
		claim(0, "GPU", "other")
		claim(second, "gpu")
		claim(first, "gpu", "other", "vpn")
		b.reopen()
		claim(0)
		gpu.RunsOn = nil
		b.limits(0, gpu, both)
		claim(fourth)
	},

	"refuses limits that can not hold": func(t *testing.T, b *bench) {
		b.limits(3, agent("dev", 2, 10))
		for name, l := range map[string]store.Limits{
			"negative project scale": {Scale: -1},
			"negative scale":         {Agents: []store.AgentLimits{agent("dev", -1, 10)}},
			"no capacity":            {Agents: []store.AgentLimits{agent("dev", 1, 0)}},
			"no name":                {Agents: []store.AgentLimits{agent("", 1, 10)}},
			"the same agent twice":   {Agents: []store.AgentLimits{agent("dev", 1, 10), agent("dev", 2, 10)}},
		} {
			if err := b.SetLimits(b.ctx, l); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		b.equal("queue", b.queue("dev"), store.Queue{Agent: "dev", Scale: 2, Capacity: 10})
	},
}
