package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/host/store/sqlite"
	"github.com/action-llama/gateway/host/version"
)

// Ready returns nil when every configured provider takes deliveries, and the
// gateway is not about to leave.
func (a *App) Ready() error {
	if a.StopRequested() {
		return errors.New("the gateway is stopping")
	}
	var down []string
	for _, s := range a.providers.Status() {
		if s.State != pluginhost.Up {
			down = append(down, fmt.Sprintf("provider %s is %s", s.Type, s.State))
		}
	}
	if len(down) > 0 {
		return errors.New(strings.Join(down, "; "))
	}
	return nil
}

// Status returns what `al stat` shows.
func (a *App) Status(ctx context.Context) (api.Status, error) {
	p := a.config.get().project
	agents, err := api.Agents(ctx, a.store, agentNames(p), time.Now())
	if err != nil {
		return api.Status{}, err
	}
	for i := range agents {
		if next := a.cron.Next(agents[i].Name); !next.IsZero() {
			agents[i].NextTick = &next
		}
	}
	out := api.Status{
		Version: version.Version, Project: p.Dir, Running: true,
		PID: os.Getpid(), Address: a.url, StartedAt: &a.started,
		Scale: p.Scale, Agents: agents, Providers: []api.ProviderStatus{},
	}
	if until := a.stopping.deadline().UTC(); !until.IsZero() {
		out.StopsAt = &until
	}
	for _, s := range a.providers.Status() {
		provider := api.ProviderStatus{Type: s.Type, Version: s.Version, State: string(s.State), PID: s.PID, Restarts: s.Restarts}
		if s.State != pluginhost.Up {
			provider.Error = s.LastError
		}
		out.Providers = append(out.Providers, provider)
	}
	return out, nil
}

// OfflineStatus is the status of a project whose gateway is down, read from its
// store.
func OfflineStatus(ctx context.Context, p *config.Project) (api.Status, error) {
	out := api.Status{Version: version.Version, Project: p.Dir, Scale: p.Scale, Agents: []api.AgentStatus{}, Providers: []api.ProviderStatus{}}
	if _, err := os.Stat(DatabaseFile(p.Dir)); errors.Is(err, os.ErrNotExist) {
		for _, a := range p.Agents { // never started: what the configuration says
			out.Agents = append(out.Agents, api.AgentStatus{Name: a.Name, State: "idle", Scale: a.Scale, Capacity: a.MaxWorkQueueSize})
		}
		return out, nil
	}
	s, err := sqlite.OpenReadOnly(DatabaseFile(p.Dir))
	if err != nil {
		return out, err
	}
	agents, err := api.Agents(ctx, s, agentNames(p), time.Now())
	out.Agents = agents
	return out, errors.Join(err, s.Close())
}
