package api

import (
	"context"
	"fmt"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Records is what a status is read from.
type Records interface {
	Queues(ctx context.Context) ([]store.Queue, error)
	Project(ctx context.Context) (store.Project, error)
	Runs(ctx context.Context, q store.Query) ([]job.Run, error)
}

// ReadFrom fills in what the store knows of agents as they are configured, and
// of all of them together. It is the same whether the gateway runs or not.
func (s *Status) ReadFrom(ctx context.Context, records Records, configured []store.AgentLimits, now time.Time) error {
	p, err := records.Project(ctx)
	if err != nil {
		return fmt.Errorf("read the project's state: %w", err)
	}
	s.Paused, s.PausedReason = p.Paused, p.PausedReason
	if now.Before(p.LimitedUntil) {
		s.LimitedUntil = &p.LimitedUntil
	}
	s.Agents, err = agents(ctx, records, configured, now)
	return err
}

func agents(ctx context.Context, records Records, configured []store.AgentLimits, now time.Time) ([]AgentStatus, error) {
	queues, err := records.Queues(ctx)
	if err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	byName := make(map[string]store.Queue, len(queues))
	for _, q := range queues {
		byName[q.Agent] = q
	}
	out := make([]AgentStatus, 0, len(configured))
	for _, c := range configured {
		q := byName[c.Agent]
		delete(byName, c.Agent)
		q.Agent, q.Scale, q.Capacity = c.Agent, c.Scale, c.Capacity
		out = append(out, agentStatus(q, state(q, now), now))
	}
	for _, q := range queues {
		if _, left := byName[q.Agent]; left && q.Waiting+q.Running > 0 {
			out = append(out, agentStatus(q, "removed", now))
		}
	}
	for i := range out {
		runs, err := records.Runs(ctx, store.Query{Agent: out[i].Name, Limit: 1})
		if err != nil {
			return nil, fmt.Errorf("read runs of %s: %w", out[i].Name, err)
		}
		if len(runs) > 0 {
			run := RunOf(runs[0])
			out[i].LastRun = &run
		}
	}
	return out, nil
}

func agentStatus(q store.Queue, state string, now time.Time) AgentStatus {
	a := AgentStatus{
		Name: q.Agent, State: state, Running: q.Running, Scale: q.Scale,
		Waiting: q.Waiting, Capacity: q.Capacity, Dropped: q.Dropped,
		Paused: q.Paused, PausedReason: q.PausedReason,
	}
	if now.Before(q.LimitedUntil) {
		a.LimitedUntil = &q.LimitedUntil
	}
	if !q.Oldest.IsZero() {
		a.OldestSeconds = max(0, now.Sub(q.Oldest).Seconds())
	}
	return a
}

// state is the one thing about an agent that is most worth knowing.
func state(q store.Queue, now time.Time) string {
	switch {
	case q.Scale == 0:
		return "disabled"
	case q.Paused:
		return "paused"
	case now.Before(q.LimitedUntil):
		return "limited"
	case q.Waiting >= q.Capacity && q.Capacity > 0:
		return "full"
	case q.Running > 0:
		return "running"
	default:
		return "idle"
	}
}
