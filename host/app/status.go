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
	out := api.Status{
		Version: version.Version, Project: p.Dir, Running: true,
		PID: os.Getpid(), Address: a.self.URL, StartedAt: &a.started, Previous: a.previous(ctx),
		Config: a.keeper.status(), Scale: p.Scale, Providers: []api.ProviderStatus{},
	}
	if err := out.ReadFrom(ctx, a.store, limitsOf(p).Agents, a.store.now()); err != nil {
		return api.Status{}, err
	}
	for i := range out.Agents {
		if next := a.cron.Next(out.Agents[i].Name); !next.IsZero() {
			out.Agents[i].NextTick = &next
		}
	}
	if until := a.stopping.deadline().UTC(); !until.IsZero() {
		out.StopsAt = &until
	}
	for _, s := range a.providers.Status() {
		provider := api.ProviderStatus{Type: s.Type, Version: s.Version, Protocol: s.Protocol, State: string(s.State), PID: s.PID, Restarts: s.Restarts}
		if s.State != pluginhost.Up {
			provider.Error = s.LastError
		}
		if s.NotReplaced != "" {
			at := s.NotReplacedAt.UTC()
			provider.NotReplaced, provider.NotReplacedAt = s.NotReplaced, &at
		}
		out.Providers = append(out.Providers, provider)
	}
	return out, nil
}

// OfflineStatus is the status of a project whose gateway is down, read from its
// store. Before the first start there is none, and the configuration says all.
func OfflineStatus(ctx context.Context, p *config.Project) (api.Status, error) {
	out := api.Status{Version: version.Version, Project: p.Dir, Scale: p.Scale, Providers: []api.ProviderStatus{}}
	records, done, err := openRecords(ctx, p)
	if err != nil {
		return out, err
	}
	err = out.ReadFrom(ctx, records, limitsOf(p).Agents, time.Now())
	return out, errors.Join(err, done())
}
