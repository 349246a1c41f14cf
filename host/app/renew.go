package app

import (
	"context"
	"slices"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// renewing are providers that come from files, which may be others by now.
// Those in the same process as the gateway do not.
type renewing interface {
	Outdated(again bool) []pluginhost.Outdated
	Refresh(ctx context.Context, typ string) (pluginhost.Replacement, error)
	Files() []string
}

// renewal is one that somebody asked for.
type renewal struct {
	typ    string
	answer chan<- api.ProviderReloaded
}

// ReloadProvider implements [api.Replacing].
func (a *App) ReloadProvider(ctx context.Context, typ string) (api.ProviderReloaded, error) {
	types := typesOf(a.config.get().project)
	if !slices.Contains(types, typ) {
		return api.ProviderReloaded{}, api.NotFound("no source in config.toml has the type %s, so its provider does not run", typ)
	}
	answer := make(chan api.ProviderReloaded, 1)
	select {
	case a.keeper.renewals <- renewal{typ, answer}:
	case <-a.keeper.ended:
		return api.ProviderReloaded{}, api.Conflict("the gateway is stopping")
	case <-ctx.Done():
		return api.ProviderReloaded{}, api.Conflict("the gateway is busy with a reload; try again")
	}
	select {
	case out := <-answer:
		return out, nil
	case <-a.keeper.ended: // it was about to
		return api.ProviderReloaded{}, api.Conflict("the gateway is stopping")
	case <-ctx.Done():
		return api.ProviderReloaded{}, api.Conflict("the new process takes longer than one can wait for; al stat tells how it ended")
	}
}

// renewPatience is above what a provider may take to start and to be tried.
const renewPatience = 25 * time.Second

// renew puts the file of a provider that is there now in the place of what runs,
// and goes by what the new process says from then on.
func (k *keeper) renew(ctx context.Context, typ string) api.ProviderReloaded {
	providers, ok := k.app.providers.(renewing)
	if !ok {
		return api.ProviderReloaded{OK: true, Type: typ, Outcome: api.ProviderUnchanged}
	}
	ctx, cancel := context.WithTimeout(ctx, renewPatience)
	defer cancel()
	r, err := providers.Refresh(ctx, typ)
	out := api.ProviderReloaded{OK: err == nil, Type: typ, Outcome: api.ProviderUnchanged, Before: r.Before, Version: r.Version}
	switch {
	case err != nil:
		out.Outcome, out.Detail = api.ProviderFailed, err.Error()
	case r.Replaced:
		out.Outcome = api.ProviderReplaced
		k.rewire()
	}
	return out
}

// renewAll does so for all whose file is another one. What was tried before is
// tried again for whoever asks.
func (k *keeper) renewAll(ctx context.Context, again bool) []api.ProviderReloaded {
	out := []api.ProviderReloaded{}
	providers, ok := k.app.providers.(renewing)
	if !ok {
		return out
	}
	for _, o := range providers.Outdated(again) {
		if r := k.renew(ctx, o.Type); r.Outcome != api.ProviderUnchanged {
			out = append(out, r)
		}
	}
	return out
}

// renewSettled is renewAll for files that hold still: one may be half written.
// One that moves gives notice again.
func (k *keeper) renewSettled(ctx context.Context) {
	providers, ok := k.app.providers.(renewing)
	if !ok {
		return
	}
	found := providers.Outdated(false)
	if len(found) == 0 || k.pause(ctx) != nil || !slices.Equal(found, providers.Outdated(false)) {
		return
	}
	k.renewAll(ctx, false)
}

// reloadAll is a reload that somebody asked for, providers included. One that
// does not fit the configuration of before may fit that of now.
func (k *keeper) reloadAll(ctx context.Context) api.Reloaded {
	renewed := k.renewAll(ctx, true)
	out := k.reload(ctx)
	out.Providers = []api.ProviderReloaded{}
	for _, r := range renewed {
		if !r.OK && out.Outcome == api.ReloadDone {
			r = k.renew(ctx, r.Type)
		}
		out.OK = out.OK && r.OK
		out.Providers = append(out.Providers, r)
	}
	return out
}

// fits says whether the configuration that counts can go on by what another
// process of a provider describes: nothing may be wrong with it then that is
// not wrong with it now.
func (a *App) fits(typ string, next sdk.Provider) error {
	p := a.config.get().project
	known := map[string]bool{}
	for _, problem := range wire(p, a.credentials, a.providers.Get).problems {
		known[problem.Error()] = true
	}
	var problems config.Problems
	for _, problem := range wire(p, a.credentials, func(asked string) (sdk.Provider, error) {
		if asked == typ {
			return next, nil
		}
		return a.providers.Get(asked)
	}).problems {
		if !known[problem.Error()] {
			problems = append(problems, problem)
		}
	}
	return problems.Err()
}
