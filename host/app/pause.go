package app

import (
	"context"
	"fmt"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/store"
)

// Pause implements [api.Pauses].
func (a *App) Pause(ctx context.Context, agent string, ask api.PauseAsk) (api.Paused, error) {
	if ask.Reason == "" {
		ask.Reason = "by an operator"
	}
	return a.setPaused(ctx, store.Pause{Agent: agent, Paused: true, Reason: ask.Reason, At: time.Now()})
}

// Resume implements [api.Pauses].
func (a *App) Resume(ctx context.Context, agent string) (api.Paused, error) {
	return a.setPaused(ctx, store.Pause{Agent: agent, At: time.Now()})
}

func (a *App) setPaused(ctx context.Context, p store.Pause) (api.Paused, error) {
	was, err := a.isPaused(ctx, p.Agent)
	if err != nil {
		return api.Paused{}, err
	}
	if err := a.store.SetPaused(ctx, p); err != nil {
		return api.Paused{}, fmt.Errorf("pause: %w", err)
	}
	what := p.Agent
	if what == "" {
		what = "all"
	}
	if p.Paused {
		a.log.Info("paused by an operator", "agent", what, "reason", p.Reason)
	} else {
		a.log.Info("resumed by an operator", "agent", what)
		a.dispatcher.Wake()
	}
	return api.Paused{Paused: p.Paused, Changed: was != p.Paused}, nil
}

func (a *App) isPaused(ctx context.Context, agent string) (bool, error) {
	if agent == "" {
		p, err := a.store.Project(ctx)
		return p.Paused, err
	}
	queues, err := a.store.Queues(ctx)
	if err != nil {
		return false, err
	}
	for _, q := range queues {
		if q.Agent == agent { // also one that has left the configuration
			return q.Paused, nil
		}
	}
	return false, noAgent(agent, agentNames(a.config.get().project))
}
