package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/pluginhost"
)

// assemble puts a configuration together with the providers that run. It tells
// of everything that is wrong with it, and changes nothing. What may mend itself
// is tolerated: a provider that crashes is tried again, and a program that runs
// need may be installed before the next one.
func (a *App) assemble(p *config.Project) (*snapshot, config.Problems) {
	w := wire(p, a.credentials, a.providers.Get)
	problems := append(w.problems, w.settings...)
	for _, source := range p.Sources {
		switch err := w.down[source.Type]; {
		case errors.Is(err, pluginhost.ErrNotFound), errors.Is(err, pluginhost.ErrUnusable):
			problems = append(problems, config.Errorf(source.TypePos, "webhooks.%s: %v", source.Name, err))
		case err != nil:
			problems = append(problems, config.Warnf(source.TypePos, "webhooks.%s: its provider does not run, and deliveries are refused until it does: %v", source.Name, err))
		}
	}
	problems = append(problems, a.unrunnable(p)...)
	ticks, err := schedules(p)
	if err != nil {
		var problem config.Problem
		if !errors.As(err, &problem) {
			problem = config.Errorf(config.Pos{File: "agents"}, "%v", err)
		}
		problems = append(problems, problem)
	}
	return &snapshot{
		project: p, loadedAt: time.Now(), digest: p.Files.Digest(),
		routes: w.routes, view: w.view, ticks: ticks,
		secrets: digests(w.routes), credentialFiles: w.credentialFiles,
	}, problems
}

// unrunnable says of the agents what would make their runs fail. A harness that
// is not known is a mistake in the file; anything else may be there by the time
// that one runs.
func (a *App) unrunnable(p *config.Project) config.Problems {
	var problems config.Problems
	said := map[string]bool{} // agents share their project's runner
	found := map[string]error{}
	find := func(command string) error {
		err, asked := found[command]
		if !asked {
			_, err = findCommand(p.Dir, command)
			found[command] = err
		}
		return err
	}
	say := func(problem config.Problem) {
		if text := problem.Error(); !said[text] {
			said[text] = true
			problems = append(problems, problem)
		}
	}
	for _, agent := range p.Agents {
		if len(lacking(p, agent)) > 0 {
			continue // its runs are another host's
		}
		at := agent.Runner.Pos
		if at == (config.Pos{}) {
			at = agent.Pos
		}
		command, err := commandOf(agent.Runner)
		if err != nil {
			say(config.Errorf(at, "[runner]: %v", err))
		} else if err := find(command[0]); err != nil {
			say(config.Warnf(at, "[runner]: the harness can not be run: %v", err))
		}
		for _, ref := range agent.Credentials {
			if _, err := a.credentials.ReadAll(ref.Type, ref.Instance); err != nil {
				say(config.Warnf(ref.Pos, "%v", err))
			}
		}
	}
	return problems
}

// install makes a snapshot the one that counts, all of it or, with an error,
// nothing. Runs under way are not touched. The channel is closed when no
// delivery is judged by what was before.
func (a *App) install(ctx context.Context, next *snapshot) (left <-chan struct{}, err error) {
	err = a.config.replace(next, func() error {
		return a.store.SetLimits(ctx, limitsOf(next.project))
	})
	if err != nil {
		return nil, err
	}
	if a.setLogLevel != nil {
		a.setLogLevel(next.project.Gateway.LogLevel)
	}
	a.dispatcher.SetAgents(agentNames(next.project))
	if since := a.ticksSince; !since.IsZero() {
		a.ticksSince = time.Time{}
		a.cron.SetSchedulesSince(since, next.ticks)
	} else {
		a.cron.SetSchedules(next.ticks)
	}
	left = a.ingest.Update(next.routes)
	a.metrics.unavailable(next.routes)
	select {
	case a.sources <- struct{}{}:
	default: // they will be looked at
	}
	a.dispatcher.Wake() // there may be room that was not there
	return left, nil
}

// digests returns, for each credential of the sources, what tells it from
// another without being it, and of those that can not be used, why. It never
// leaves the process: a short secret could be guessed from it.
func digests(routes *ingest.Routes) map[string]string {
	out := map[string]string{}
	for _, route := range routes.Types {
		for _, source := range route.Sources {
			if source.Unusable != nil {
				out["webhooks."+source.Name] = source.Unusable.Error()
			}
			for _, secret := range source.Secrets {
				sum := sha256.New()
				for _, field := range slices.Sorted(maps.Keys(secret.Fields)) {
					fmt.Fprintf(sum, "%q %q\n", field, secret.Fields[field])
				}
				name := config.CredentialRef{Type: route.Descriptor.Credential.Type, Instance: secret.Instance}.String()
				out[name] = hex.EncodeToString(sum.Sum(nil))
			}
		}
	}
	return out
}

// warn logs what is not as it should be but does not keep the gateway from
// running.
func (a *App) warn(problems config.Problems) {
	for _, p := range problems.Of(config.Warning) {
		a.log.Warn("configuration", "at", p.Pos.String(), "problem", p.Message, "fix", p.Fix)
	}
}
