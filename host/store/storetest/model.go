package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// model is the queue in the plainest form that does what is promised: one list
// of jobs that every question goes through from the start. Nothing in it is
// counted, blocked or marked ahead of time.
type model struct {
	project store.Limits
	paused  bool
	agents  map[string]*modelAgent
	jobs    []*modelJob // by id
	starts  []start     // of all runs, in order
}

type modelAgent struct {
	store.AgentLimits
	paused       bool
	resumedAfter int64
	dropped      int64
	lastTick     time.Time
}

type modelJob struct {
	job.Job
	keys   []string // of its events
	group  string   // that further events join by; empty when none may
	end    time.Time
	loop   store.Loop
	chain  int
	run    string // that has it, while it runs
	cancel string
}

type start struct {
	agent string
	at    time.Time
}

func newModel() *model { return &model{agents: map[string]*modelAgent{}} }

func (j *modelJob) active() bool { return j.State == job.Waiting || j.State == job.Running }

// list returns the jobs for which a question is answered with yes, by id.
func (m *model) list(yes func(*modelJob) bool) (out []*modelJob) {
	for _, j := range m.jobs {
		if yes(j) {
			out = append(out, j)
		}
	}
	return out
}

func (m *model) of(agent string, s job.State) []*modelJob {
	return m.list(func(j *modelJob) bool { return (agent == "" || j.Agent == agent) && j.State == s })
}

// line returns the jobs of a concurrency key that wait or run.
func (m *model) line(agent, key string) []*modelJob {
	return m.list(func(j *modelJob) bool {
		return key != "" && j.Agent == agent && j.ConcurrencyKey == key && j.active()
	})
}

func (m *model) agent(name string) *modelAgent {
	if m.agents[name] == nil {
		m.agents[name] = &modelAgent{AgentLimits: store.AgentLimits{Agent: name, Capacity: 100}}
	}
	return m.agents[name]
}

// closedUntil returns until when a budget keeps runs from starting, counting
// those that some jobs will start before.
func (m *model) closedUntil(agent string, b store.Budget, before int, now time.Time) (until time.Time) {
	var starts []start
	for _, s := range m.starts {
		if agent == "" || s.agent == agent {
			starts = append(starts, s)
		}
	}
	for _, bound := range []struct {
		most   int
		window time.Duration
	}{{b.PerHour, time.Hour}, {b.PerDay, 24 * time.Hour}} {
		switch n := bound.most - before; {
		case bound.most == 0:
		case n <= 0:
			until = now.Add(bound.window) // some time, nobody looks at which
		case n <= len(starts):
			if opens := starts[len(starts)-n].at.Add(bound.window); opens.After(now) && opens.After(until) {
				until = opens
			}
		}
	}
	return until
}

func (m *model) accept(jobs []store.NewJob, now time.Time) (out store.Accepted) {
	out.Verdicts, out.IDs = make([]store.Verdict, len(jobs)), make([]int64, len(jobs))
	for i := range jobs {
		out.Verdicts[i], out.IDs[i] = m.enqueue(&jobs[i], now, &out)
	}
	return out
}

func (m *model) enqueue(n *store.NewJob, now time.Time, out *store.Accepted) (store.Verdict, int64) {
	repeats := m.list(func(j *modelJob) bool {
		return n.Key != "" && j.Agent == n.Agent && slices.Contains(j.keys, n.Key) && (j.active() || j.State == job.Done)
	})
	if len(repeats) > 0 {
		return store.Duplicate, repeats[0].ID
	}
	a := m.agent(n.Agent)
	if !n.Tick.IsZero() && n.Tick.Equal(a.lastTick) {
		return store.Duplicate, 0
	}
	if n.Tick.After(a.lastTick) {
		a.lastTick = n.Tick
	}
	waiting := len(m.of(n.Agent, job.Waiting))
	closed := !m.closedUntil(n.Agent, a.Budget, 0, now).IsZero() || !m.closedUntil("", m.project.Budget, 0, now).IsZero()
	line := m.line(n.Agent, n.Concurrency.Key)
	if n.OnlyIfFree {
		switch {
		case a.paused || m.paused:
			return store.Paused, 0
		case m.couldStart(n.Agent)+len(m.of(n.Agent, job.Running)) >= a.Scale || closed || len(line) > 0:
			return store.Busy, 0
		}
	}
	for _, j := range m.of(n.Agent, job.Waiting) {
		if n.Debounce.Group != "" && j.group == n.Debounce.Group {
			m.join(j, n, now)
			return store.Merged, j.ID
		}
	}
	j := &modelJob{
		Job: job.Job{
			ID: int64(len(m.jobs) + 1), Agent: n.Agent, State: job.Waiting, ConcurrencyKey: n.Concurrency.Key, QueuedAt: now,
		},
		keys: []string{n.Key}, loop: n.Loop,
	}
	m.jobs = append(m.jobs, j)
	if a.DropBeyond && (closed || !m.closedUntil(n.Agent, a.Budget, waiting, now).IsZero()) {
		m.drop(j)
		return store.Limited, j.ID
	}
	if len(line) > 0 {
		switch n.Concurrency.OnBusy {
		case store.BusySkip:
			m.drop(j)
			return store.Skipped, j.ID
		case store.BusyLatest, store.BusyCancel:
			m.supersede(line, n.Concurrency.OnBusy == store.BusyCancel, j, out)
		default:
		}
	}
	if n.Debounce.Group != "" {
		j.group, j.ReadyAt, j.end = n.Debounce.Group, now.Add(n.Debounce.Quiet), now.Add(max(n.Debounce.Max, n.Debounce.Quiet))
	}
	if m.loops(j, now) && !a.paused {
		a.paused = true
		out.Tripped = append(out.Tripped, store.Trip{Agent: n.Agent})
	}
	for waitingNow := m.of(n.Agent, job.Waiting); len(waitingNow) > a.Capacity; waitingNow = waitingNow[1:] {
		m.drop(waitingNow[0])
		out.Dropped = append(out.Dropped, store.Drop{Agent: n.Agent, ID: waitingNow[0].ID})
	}
	return store.Enqueued, j.ID
}

// couldStart counts the jobs of an agent that wait for nothing but a slot.
func (m *model) couldStart(agent string) (n int) {
	for _, j := range m.of(agent, job.Waiting) {
		if line := m.line(agent, j.ConcurrencyKey); j.ReadyAt.IsZero() && (len(line) == 0 || line[0] == j) {
			n++
		}
	}
	return n
}

func (m *model) join(j *modelJob, n *store.NewJob, now time.Time) {
	j.keys = append(j.keys, n.Key)
	j.Merged++
	j.ReadyAt = now.Add(n.Debounce.Quiet)
	if j.ReadyAt.After(j.end) {
		j.ReadyAt = j.end
	}
}

func (m *model) supersede(line []*modelJob, cancel bool, by *modelJob, out *store.Accepted) {
	for _, j := range line {
		switch {
		case j.State == job.Waiting:
			m.drop(j)
			out.Dropped = append(out.Dropped, store.Drop{Agent: j.Agent, ID: j.ID, By: by.ID})
		case cancel:
			j.cancel = "newer"
			out.Cancelled = append(out.Cancelled, j.run)
		}
	}
}

func (m *model) drop(j *modelJob) {
	j.State, j.group = job.Dropped, ""
	m.agent(j.Agent).dropped++
}

// loops counts the events in a row that came of the agent's own runs.
func (m *model) loops(j *modelJob, now time.Time) bool {
	if j.loop.Limit == 0 || j.loop.Entity == "" {
		return false
	}
	before := m.list(func(o *modelJob) bool {
		return o.ID < j.ID && o.ID > m.agent(j.Agent).resumedAfter && o.Agent == j.Agent &&
			o.loop.Entity == j.loop.Entity && o.loop.Sender == j.loop.Sender
	})
	if len(before) > 0 {
		switch last := before[len(before)-1]; last.State {
		case job.Waiting, job.Dropped:
			j.chain = last.chain
		case job.Running:
			j.chain = last.chain + 1
		default:
			if !now.After(last.EndedAt.Add(j.loop.Window)) {
				j.chain = last.chain + 1
			}
		}
	}
	return j.chain > j.loop.Limit
}

func (m *model) limits(l store.Limits) {
	m.project = l
	for _, a := range m.agents {
		a.Scale = 0
	}
	named := map[string]bool{}
	for _, a := range l.Agents {
		m.agent(a.Agent).AgentLimits = a
		named[a.Agent] = true
	}
	for name, a := range m.agents {
		if !named[name] && !a.paused && len(m.of(name, job.Waiting))+len(m.of(name, job.Running)) == 0 {
			delete(m.agents, name)
		}
	}
}

func (m *model) pause(agent string, paused bool) {
	if agent == "" {
		m.paused = paused
		return
	}
	if m.agents[agent] == nil && !paused {
		return
	}
	a := m.agent(agent)
	if a.paused && !paused {
		a.resumedAfter = int64(len(m.jobs))
	}
	a.paused = paused
}

func (m *model) claim(run string, now time.Time) *modelJob {
	for _, j := range m.of("", job.Waiting) {
		if !j.ReadyAt.IsZero() && !j.ReadyAt.After(now) {
			j.ReadyAt, j.group = time.Time{}, ""
		}
	}
	if m.paused || !m.closedUntil("", m.project.Budget, 0, now).IsZero() ||
		m.project.Scale > 0 && len(m.of("", job.Running)) >= m.project.Scale {
		return nil
	}
	for _, j := range m.of("", job.Waiting) {
		a := m.agent(j.Agent)
		line := m.line(j.Agent, j.ConcurrencyKey)
		if !j.ReadyAt.IsZero() || a.paused || len(line) > 0 && line[0] != j ||
			len(m.of(j.Agent, job.Running)) >= a.Scale || !m.closedUntil(j.Agent, a.Budget, 0, now).IsZero() {
			continue
		}
		j.State, j.run, j.cancel = job.Running, run, ""
		j.Attempt++
		m.starts = append(m.starts, start{j.Agent, now})
		return j
	}
	return nil
}

func (m *model) holder(run string) *modelJob {
	for _, j := range m.of("", job.Running) {
		if j.run == run {
			return j
		}
	}
	return nil
}

func (m *model) recover(maxAttempts int, now time.Time) (dead []int64) {
	for _, j := range m.of("", job.Running) {
		j.State = job.Waiting
		if j.Crashes++; j.Crashes >= maxAttempts {
			j.State, j.EndedAt = job.Dead, now
			dead = append(dead, j.ID)
		}
	}
	return dead
}

func (m *model) cancel(agentOrRun string) (runs []string) {
	for _, j := range m.of("", job.Running) {
		if j.Agent == agentOrRun || j.run == agentOrRun {
			j.cancel = "killed"
			runs = append(runs, j.run)
		}
	}
	return runs
}

func (m *model) due() (first time.Time) {
	for _, j := range m.of("", job.Waiting) {
		if !j.ReadyAt.IsZero() && (first.IsZero() || j.ReadyAt.Before(first)) {
			first = j.ReadyAt
		}
	}
	return first
}

// view is what the model and the store have to agree on.
type view struct {
	Queues []store.Queue
	Jobs   []string // by id
	Paused bool
	Limits time.Time // of the project
}

func describe(j job.Job) string {
	ready := "at once"
	if !j.ReadyAt.IsZero() {
		ready = j.ReadyAt.Format(time.TimeOnly)
	}
	return fmt.Sprintf("%d %s %s attempt %d crashes %d failures %d merged %d key %q ready %s",
		j.ID, j.Agent, j.State, j.Attempt, j.Crashes, j.Failures, j.Merged, j.ConcurrencyKey, ready)
}

func (m *model) view(now time.Time) (v view) {
	for name, a := range m.agents {
		q := store.Queue{
			Agent: name, Scale: a.Scale, Capacity: a.Capacity, Dropped: a.dropped, Paused: a.paused, LastTick: a.lastTick,
			Waiting: len(m.of(name, job.Waiting)), Running: len(m.of(name, job.Running)),
			LimitedUntil: m.closedUntil(name, a.Budget, 0, now),
		}
		if waiting := m.of(name, job.Waiting); len(waiting) > 0 {
			q.Oldest = waiting[0].QueuedAt
		}
		v.Queues = append(v.Queues, q)
	}
	slices.SortFunc(v.Queues, func(a, b store.Queue) int { return strings.Compare(a.Agent, b.Agent) })
	for _, j := range m.jobs {
		v.Jobs = append(v.Jobs, describe(j.Job))
	}
	v.Paused, v.Limits = m.paused, m.closedUntil("", m.project.Budget, 0, now)
	return v
}
