package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// exerciseModel sends the store and the model through the same random
// sequences of operations and compares them after each: what is accepted in
// every way there is, claims, ends, crashes, pauses, other limits, restarts, and
// a clock that goes on by a moment or by hours.
func exerciseModel(t *testing.T, fresh func(t *testing.T) Place) {
	rapid.Check(t, func(r *rapid.T) {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		p := &pair{T: r, t: t, ctx: ctx, place: fresh(t), model: newModel(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
		p.store = p.place(t)
		defer func() { _ = p.store.Close() }()
		p.setLimits(r)
		r.Repeat(map[string]func(*rapid.T){
			"accept": p.accept, "accept again": p.accept, "accept and again": p.accept,
			"claim": p.claim, "claim again": p.claim, "claim and again": p.claim,
			"finish": p.finish, "finish again": p.finish, "release": p.release,
			"recover": p.recover, "cancel": p.cancelRuns, "pause": p.pause,
			"set limits": p.setLimits, "reopen": p.reopen, "time passes": p.wait,
			"": p.compare,
		})
	})
}

// pair is a store and its model.
type pair struct {
	*rapid.T
	t     *testing.T
	ctx   context.Context
	place Place
	store store.Store
	model *model
	now   time.Time
	runs  []string
}

func (p *pair) must(err error) {
	if err != nil {
		p.Fatal(err)
	}
}

func (p *pair) equal(what string, got, want any) {
	if diff := cmp.Diff(want, got); diff != "" {
		p.Fatalf("%s (-model +store):\n%s", what, diff)
	}
}

var agentNames = rapid.SampledFrom([]string{"a", "b", "c"})

func (p *pair) setLimits(r *rapid.T) {
	budget := func(name string) store.Budget {
		return store.Budget{
			PerHour: rapid.SampledFrom([]int{0, 0, 0, 2, 5}).Draw(r, name+" per hour"),
			PerDay:  rapid.SampledFrom([]int{0, 0, 0, 3, 8}).Draw(r, name+" per day"),
		}
	}
	l := store.Limits{Scale: rapid.IntRange(0, 3).Draw(r, "project"), Budget: budget("project"), At: p.now}
	for _, a := range []string{"a", "b", "c"} {
		if rapid.IntRange(0, 4).Draw(r, "named") > 0 {
			of := agent(a, rapid.IntRange(0, 3).Draw(r, "scale"), rapid.IntRange(1, 4).Draw(r, "capacity"))
			of.Budget, of.DropBeyond = budget(a), rapid.Bool().Draw(r, "drop beyond")
			l.Agents = append(l.Agents, of)
		}
	}
	p.must(p.store.SetLimits(p.ctx, l))
	p.model.limits(l)
}

func (p *pair) newJob(r *rapid.T) store.NewJob {
	j := store.NewJob{
		Agent: agentNames.Draw(r, "agent"), Key: rapid.SampledFrom([]string{"", "k", "l", "m"}).Draw(r, "key"),
		OnlyIfFree: rapid.IntRange(0, 4).Draw(r, "only if free") == 0,
	}
	if j.OnlyIfFree {
		j.Tick = p.now
	}
	if key := rapid.SampledFrom([]string{"", "", "x", "y"}).Draw(r, "concurrency key"); key != "" {
		j.Concurrency = store.Concurrency{Key: key, OnBusy: rapid.SampledFrom([]store.OnBusy{
			"", store.BusyQueue, store.BusySkip, store.BusyLatest, store.BusyCancel,
		}).Draw(r, "on busy")}
	}
	if group := rapid.SampledFrom([]string{"", "", "g", "h"}).Draw(r, "burst"); group != "" {
		j.Debounce = store.Debounce{Group: group, Quiet: 4 * time.Second, Max: 10 * time.Second}
	}
	if entity := rapid.SampledFrom([]string{"", "e"}).Draw(r, "entity"); entity != "" {
		j.Loop = store.Loop{
			Entity: entity, Sender: rapid.SampledFrom([]string{"s", "t"}).Draw(r, "sender"),
			Limit: rapid.IntRange(0, 2).Draw(r, "loops"), Window: 5 * time.Second,
		}
	}
	return j
}

func (p *pair) accept(r *rapid.T) {
	jobs := rapid.SliceOfN(rapid.Custom(p.newJob), 1, 4).Draw(r, "jobs")
	got, err := p.store.Accept(p.ctx, store.Acceptance{Jobs: jobs, At: p.now})
	p.must(err)
	for i := range got.Tripped {
		if got.Tripped[i].Reason == "" {
			p.Fatal("an agent is paused without a reason")
		}
		got.Tripped[i].Reason = ""
	}
	p.equal("accepted", got, p.model.accept(jobs, p.now))
}

func (p *pair) claim(*rapid.T) {
	id := fmt.Sprintf("run-%04d", len(p.runs))
	p.runs = append(p.runs, id)
	got, err := p.store.Claim(p.ctx, store.Claim{Host: "host", At: p.now, Until: p.now.Add(lease), Run: id})
	p.must(err)
	want := p.model.claim(id, p.now)
	if (got == nil) != (want == nil) {
		p.Fatalf("claimed %v, want %v", got, want)
	}
	if got != nil {
		p.equal("claimed", describe(got.Job), describe(want.Job))
		p.equal("merged events", len(got.Merged), want.Merged)
	}
}

// end ends a run that may be over already.
func (p *pair) end(r *rapid.T, call func(run string) error, then func(*modelJob)) {
	if len(p.runs) == 0 {
		r.Skip("no runs yet")
	}
	run := rapid.SampledFrom(p.runs).Draw(r, "run")
	if running := p.model.of("", job.Running); len(running) > 0 && rapid.IntRange(0, 3).Draw(r, "one under way") > 0 {
		run = rapid.SampledFrom(running).Draw(r, "of the jobs").run
	}
	err := call(run)
	if j := p.model.holder(run); j != nil {
		p.must(err)
		then(j)
	} else if err == nil {
		r.Fatalf("run %s ended, though it was not under way", run)
	}
}

func (p *pair) finish(r *rapid.T) {
	f := store.Finish{State: rapid.SampledFrom([]job.State{job.Done, job.Failed}).Draw(r, "state"), At: p.now}
	if f.State == job.Failed && rapid.Bool().Draw(r, "retry") {
		f.RetryAt = p.now.Add(5 * time.Second)
	}
	p.end(r, func(run string) error {
		f.Run = run
		return p.store.Finish(p.ctx, f)
	}, func(j *modelJob) {
		j.State, j.EndedAt = f.State, p.now
		if !f.RetryAt.IsZero() {
			j.State, j.EndedAt, j.ReadyAt = job.Waiting, time.Time{}, f.RetryAt
			j.Failures++
		}
	})
}

func (p *pair) release(r *rapid.T) {
	p.end(r, func(run string) error { return p.store.Release(p.ctx, run, "test", p.now) },
		func(j *modelJob) { j.State = job.Waiting })
}

func (p *pair) recover(r *rapid.T) {
	most := rapid.IntRange(1, 3).Draw(r, "max attempts")
	got, err := p.store.Recover(p.ctx, store.Recovery{At: p.now, LeaseEndedBefore: p.now.AddDate(1, 0, 0), MaxAttempts: most})
	p.must(err)
	p.equal("lost", len(got.Lost), len(p.model.of("", job.Running)))
	dead := p.model.recover(most, p.now)
	slices.Sort(got.Dead) // their order is not promised
	p.equal("dead", got.Dead, dead)
}

func (p *pair) cancelRuns(r *rapid.T) {
	whom := agentNames.Draw(r, "whom")
	got, err := p.store.Cancel(p.ctx, whom, "killed")
	p.must(err)
	want := p.model.cancel(whom)
	slices.Sort(got)
	slices.Sort(want)
	p.equal("cancelled", got, want)

	renewed, err := p.store.Renew(p.ctx, p.runs, p.now.Add(lease))
	p.must(err)
	var lost, cancelled []string
	for _, run := range p.runs {
		switch j := p.model.holder(run); {
		case j == nil:
			lost = append(lost, run)
		case j.cancel != "":
			cancelled = append(cancelled, run)
		}
	}
	p.equal("lost on renewal", renewed.Lost, lost)
	for _, run := range cancelled {
		if renewed.Cancelled[run] == "" {
			p.Fatalf("run %s is not told that it is to end: %v", run, renewed.Cancelled)
		}
	}
	p.equal("how many are to end", len(renewed.Cancelled), len(cancelled))
}

func (p *pair) pause(r *rapid.T) {
	whom := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(r, "whom")
	// Going on is likelier, or all would stand still soon.
	paused := rapid.IntRange(0, 3).Draw(r, "pause") == 0
	p.must(p.store.SetPaused(p.ctx, store.Pause{Agent: whom, Paused: paused, Reason: "test", At: p.now}))
	p.model.pause(whom, paused)
}

func (p *pair) reopen(*rapid.T) {
	p.must(p.store.Close())
	p.store = p.place(p.t)
}

func (p *pair) wait(r *rapid.T) {
	p.now = p.now.Add(rapid.SampledFrom([]time.Duration{
		time.Second, 3 * time.Second, 10 * time.Second, 20 * time.Minute, time.Hour, 24 * time.Hour,
	}).Draw(r, "how long"))
}

func (p *pair) compare(*rapid.T) {
	p.now = p.now.Add(time.Second)
	due, err := p.store.Due(p.ctx)
	p.must(err)
	if want := p.model.due(); !want.IsZero() && (due.IsZero() || due.After(want)) {
		p.Fatalf("due at %s, want no later than %s", due, want)
	}
	got, err := viewOf(p.ctx, p.store, p.now)
	p.must(err)
	p.equal("state", got, p.model.view(p.now))
}

func viewOf(ctx context.Context, s store.Store, now time.Time) (v view, err error) {
	if v.Queues, err = s.Queues(ctx); err != nil {
		return v, err
	}
	for i := range v.Queues {
		q := &v.Queues[i]
		if q.Paused && q.PausedReason == "" {
			return v, fmt.Errorf("%s is paused without a reason", q.Agent)
		}
		q.PausedReason = ""
		q.LimitedUntil = future(q.LimitedUntil, now)
	}
	project, err := s.Project(ctx)
	if err != nil {
		return v, err
	}
	v.Paused, v.Limits = project.Paused, future(project.LimitedUntil, now)
	jobs, err := s.Jobs(ctx, store.Query{Limit: 1000})
	for _, j := range slices.Backward(jobs) {
		v.Jobs = append(v.Jobs, describe(j))
	}
	return v, err
}

// future drops a time that has passed: a store notices with the next claim.
func future(t, now time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return time.Time{}
}
