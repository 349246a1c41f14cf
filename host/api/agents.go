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
	Runs(ctx context.Context, q store.Query) ([]job.Run, error)
}

// Agents reads the state of the named agents. It is the same whether the
// gateway runs or not: all of it is in the store.
func Agents(ctx context.Context, records Records, names []string, now time.Time) ([]AgentStatus, error) {
	queues, err := records.Queues(ctx)
	if err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	byName := make(map[string]store.Queue, len(queues))
	for _, q := range queues {
		byName[q.Agent] = q
	}
	out := make([]AgentStatus, 0, len(names))
	for _, name := range names {
		q := byName[name]
		a := AgentStatus{
			Name: name, State: state(q),
			Running: q.Running, Scale: q.Scale,
			Waiting: q.Waiting, Capacity: q.Capacity, Dropped: q.Dropped,
		}
		if !q.Oldest.IsZero() {
			a.OldestSeconds = max(0, now.Sub(q.Oldest).Seconds())
		}
		runs, err := records.Runs(ctx, store.Query{Agent: name, Limit: 1})
		if err != nil {
			return nil, fmt.Errorf("read runs of %s: %w", name, err)
		}
		if len(runs) > 0 {
			run := RunOf(runs[0])
			a.LastRun = &run
		}
		out = append(out, a)
	}
	return out, nil
}

func state(q store.Queue) string {
	switch {
	case q.Scale == 0:
		return "disabled"
	case q.Waiting >= q.Capacity && q.Capacity > 0:
		return "full"
	case q.Running > 0:
		return "running"
	default:
		return "idle"
	}
}
