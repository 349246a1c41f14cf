package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// surface is what the API is given: the gateway, and what it remembers.
type surface struct {
	*App
	*History
}

// Run implements [api.Runs], not the Run of the gateway.
func (s surface) Run(ctx context.Context, id string) (api.RunStatus, error) {
	return s.History.Run(ctx, id)
}

// Start implements [api.Jobs].
func (a *App) Start(ctx context.Context, agent string, ask api.Ask) (api.JobStatus, error) {
	p := a.config.get().project
	configured, ok := p.Agent(agent)
	switch {
	case !ok:
		return api.JobStatus{}, noAgent(agent, agentNames(p))
	case configured.Scale == 0:
		return api.JobStatus{}, api.Conflict("agent %s is disabled; give it a scale in agents/%s/config.toml", agent, agent)
	}
	policy, err := policyOf(configured.Flow)
	if err != nil {
		return api.JobStatus{}, fmt.Errorf("agent %s: %w", agent, err)
	}
	asked := store.NewJob{Agent: agent, Trigger: job.Manual, Context: []byte(ask.Prompt)}
	policy.ApplyTick(&asked)
	accepted, err := a.accept(ctx, store.Acceptance{Jobs: []store.NewJob{asked}, At: time.Now()})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return api.JobStatus{}, &api.Error{
			Status: http.StatusServiceUnavailable,
			Detail: "the store was too slow to say whether the job is queued; look at al stat before you try again",
		}
	case err != nil:
		return api.JobStatus{}, fmt.Errorf("queue a job for %s: %w", agent, err)
	}
	for _, run := range accepted.Cancelled {
		a.dispatcher.CancelRun(run, "cancelled: a job by hand has the same concurrency key")
	}
	a.dispatcher.Wake()
	a.log.Info("job queued by hand", "agent", agent, "job", accepted.IDs[0])
	out, err := a.history.Job(ctx, accepted.IDs[0])
	for _, drop := range accepted.Dropped {
		if drop.By != 0 {
			a.log.Info("job dropped: a newer one has its concurrency key", "agent", drop.Agent, "job", drop.ID, "by", drop.By)
			continue
		}
		a.log.Warn("job dropped: the queue is full", "agent", drop.Agent, "job", drop.ID)
		out.Dropped = append(out.Dropped, drop.ID)
	}
	return out, err
}

// KillRun implements [api.Control].
func (a *App) KillRun(ctx context.Context, run string) (api.Killed, error) {
	r, err := a.history.Run(ctx, run)
	switch {
	case err != nil:
		return api.Killed{}, err
	case r.Ended():
		return api.Killed{}, api.Conflict("run %s has ended already (%s)", run, r.State)
	}
	return a.kill(ctx, run)
}

// KillAgent implements [api.Control].
func (a *App) KillAgent(ctx context.Context, agent string) (api.Killed, error) {
	killed, err := a.kill(ctx, agent)
	if err == nil && len(killed.Runs) == 0 {
		p := a.config.get().project
		if _, ok := p.Agent(agent); !ok {
			err = noAgent(agent, agentNames(p))
		}
	}
	return killed, err
}

func (a *App) kill(ctx context.Context, agentOrRun string) (api.Killed, error) {
	ids, err := a.dispatcher.Kill(ctx, agentOrRun, "killed by an operator")
	if err != nil {
		return api.Killed{}, fmt.Errorf("kill %s: %w", agentOrRun, err)
	}
	for _, id := range ids {
		a.log.Info("run is ended by an operator", "run", id)
	}
	if ids == nil {
		ids = []string{}
	}
	return api.Killed{Runs: ids}, nil
}
