package queue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// memory is the store in a few maps: what the dispatcher relies on, no more.
type memory struct {
	mu      sync.Mutex
	broken  map[string]error // by method; the method fails while it is set
	hang    map[string]bool  // the method waits for its context
	limits  map[string]int   // scale of an agent
	scale   int              // of all agents together
	nextID  int64
	waiting []job.Job
	running map[string]*store.Claimed
	// cancelled runs are to be ended, with the reason.
	cancelled map[string]string
	finished  []store.Finish
	released  []string
	renewals  int
	renewed   time.Time // the last
	claims    int

	most      int // runs at once, ever
	mostOfOne int // of one agent
}

func newMemory(scale int, limits map[string]int) *memory {
	return &memory{
		broken: make(map[string]error), hang: make(map[string]bool),
		scale: scale, limits: limits, running: make(map[string]*store.Claimed),
		cancelled: make(map[string]string),
	}
}

func (m *memory) put(agent string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.nextID++
		m.waiting = append(m.waiting, job.Job{ID: m.nextID, Agent: agent, Trigger: job.Webhook, QueuedAt: time.Now(), State: job.Waiting})
	}
}

// putRunning is a run that an earlier life of some host left behind.
func (m *memory) putRunning(run, agent string, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nextID++
	j := job.Job{ID: m.nextID, Agent: agent, Trigger: job.Webhook, Attempt: 1, State: job.Running}
	m.running[run] = &store.Claimed{Job: j, Run: job.Run{ID: run, Job: j.ID, Agent: agent, Host: "dead", LeaseUntil: until}}
}

func (m *memory) fail(method string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken[method] = err
}

func (m *memory) enter(ctx context.Context, method string) error {
	m.mu.Lock()
	hang, err := m.hang[method], m.broken[method]
	m.mu.Unlock()
	if hang {
		<-ctx.Done()
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return ctx.Err()
}

func (m *memory) Claim(ctx context.Context, c store.Claim) (*store.Claimed, error) {
	m.mu.Lock()
	m.claims++
	m.mu.Unlock()
	if err := m.enter(ctx, "claim"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.running) >= m.scale {
		return nil, nil
	}
	of := make(map[string]int)
	for _, r := range m.running {
		of[r.Job.Agent]++
	}
	for i, j := range m.waiting {
		if of[j.Agent] >= m.limits[j.Agent] || j.ReadyAt.After(c.At) {
			continue
		}
		j.ReadyAt = time.Time{}
		m.waiting = slices.Delete(m.waiting, i, i+1)
		j.State = job.Running
		j.Attempt++
		r := &store.Claimed{Job: j, Run: job.Run{
			ID: c.Run, Job: j.ID, Agent: j.Agent, Trigger: j.Trigger, Attempt: j.Attempt,
			Host: c.Host, StartedAt: c.At, State: job.Running, LeaseUntil: c.Until,
		}}
		m.running[c.Run] = r
		m.most = max(m.most, len(m.running))
		m.mostOfOne = max(m.mostOfOne, of[j.Agent]+1)
		return r, nil
	}
	return nil, nil
}

func (m *memory) Due(ctx context.Context) (time.Time, error) {
	if err := m.enter(ctx, "due"); err != nil {
		return time.Time{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var first time.Time
	for _, j := range m.waiting {
		if !j.ReadyAt.IsZero() && (first.IsZero() || j.ReadyAt.Before(first)) {
			first = j.ReadyAt
		}
	}
	return first, nil
}

func (m *memory) Cancel(ctx context.Context, agentOrRun, reason string) (asked []string, err error) {
	if err := m.enter(ctx, "cancel"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, c := range m.running {
		if id == agentOrRun || c.Run.Agent == agentOrRun {
			m.cancelled[id] = reason
			asked = append(asked, id)
		}
	}
	return asked, nil
}

func (m *memory) Renew(ctx context.Context, runs []string, until time.Time) (out store.Renewed, err error) {
	if err := m.enter(ctx, "renew"); err != nil {
		return out, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.renewals++
	m.renewed = time.Now()
	for _, id := range runs {
		if r := m.running[id]; r != nil {
			r.Run.LeaseUntil = until
		} else {
			out.Lost = append(out.Lost, id)
		}
	}
	out.Cancelled = maps.Clone(m.cancelled)
	return out, nil
}

func (m *memory) Finish(ctx context.Context, f store.Finish) error {
	if err := m.enter(ctx, "finish"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running[f.Run] == nil {
		return store.ErrLost
	}
	m.finished = append(m.finished, f)
	if !f.RetryAt.IsZero() {
		m.running[f.Run].Job.Failures++
		m.running[f.Run].Job.ReadyAt = f.RetryAt
		m.back(f.Run)
		return nil
	}
	delete(m.running, f.Run)
	return nil
}

func (m *memory) Release(ctx context.Context, run, _ string, _ time.Time) error {
	if err := m.enter(ctx, "release"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running[run] == nil {
		return store.ErrLost
	}
	m.released = append(m.released, run)
	m.back(run)
	return nil
}

func (m *memory) Recover(ctx context.Context, r store.Recovery) (out store.Recovered, err error) {
	if err := m.enter(ctx, "recover"); err != nil {
		return out, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, c := range m.running {
		if c.Run.LeaseUntil.Before(r.LeaseEndedBefore) && !slices.Contains(r.Living, c.Run.Host) {
			out.Lost = append(out.Lost, c.Run)
			m.back(id)
		}
	}
	return out, nil
}

func (m *memory) back(run string) {
	j := m.running[run].Job
	delete(m.running, run)
	j.State = job.Waiting
	m.waiting = slices.Insert(m.waiting, 0, j)
}

// state is a copy of what tests ask for.
type state struct {
	waiting, running, claims, renewals, most, mostOfOne int
	renewed                                             time.Time
	finished                                            []store.Finish
	released                                            []string
}

func (m *memory) state() state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return state{
		waiting: len(m.waiting), running: len(m.running), claims: m.claims, renewals: m.renewals, renewed: m.renewed,
		most: m.most, mostOfOne: m.mostOfOne,
		finished: slices.Clone(m.finished), released: slices.Clone(m.released),
	}
}

// lose does what another host does when our lease has ended.
func (m *memory) lose(run string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.back(run)
	m.waiting = nil // the other host has claimed it
}
