package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
)

// attempted is a configuration that was read, and what came of it.
type attempted struct {
	next     *snapshot // nil when it can not be put together
	problems config.Problems
	files    *config.Files
	final    bool     // nothing but other files would change what came of it
	started  []string // types of providers that were started for it
	err      error    // beside the problems
}

// attempt reads the configuration and puts it together. Nothing goes by it yet,
// but that providers it needs are started.
func (k *keeper) attempt(ctx context.Context) attempted {
	p, problems, err := k.read(ctx)
	t := attempted{problems: problems, files: p.Files, err: err}
	if err != nil || problems.Err() != nil {
		t.final = err == nil
		return t
	}
	t.started = k.startProviders(ctx, p)
	next, more := k.app.assemble(p)
	if t.err = k.secretsHold(ctx, next); t.err != nil {
		return t
	}
	t.problems = append(t.problems, more...)
	if t.problems.Err() == nil {
		t.next = next
	}
	return t
}

// secretsHold makes sure of secrets that are new, as read does of files.
func (k *keeper) secretsHold(ctx context.Context, next *snapshot) error {
	if maps.Equal(next.secrets, k.app.config.get().secrets) {
		return nil
	}
	if err := k.pause(ctx); err != nil {
		return err
	}
	if !maps.Equal(next.secrets, k.secretsOf(next.project)) {
		return errMoving
	}
	return nil
}

// secretsOf reads the secrets of a configuration as they are now.
func (k *keeper) secretsOf(p *config.Project) map[string]string {
	return digests(wire(p, k.app.credentials, k.app.providers.Get).routes)
}

// pause is for as long as files have to hold still.
func (k *keeper) pause(ctx context.Context) error {
	select {
	case <-time.After(k.settle):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stopped while reading: %w", context.Cause(ctx))
	}
}

// readTries bounds how often files are read that change meanwhile.
const readTries = 10

var errMoving = errors.New("the files keep changing while they are read")

// read reads the project until it holds still: a file may be half written, and a
// checkout halfway through its files.
func (k *keeper) read(ctx context.Context) (*config.Project, config.Problems, error) {
	files := k.app.config.get().project.Files
	for try := 1; ; try++ {
		p, problems := files.Load()
		if err := k.pause(ctx); err != nil {
			return p, problems, err
		}
		if !p.Files.Changed() {
			return p, problems, nil
		}
		if try == readTries {
			return p, nil, errMoving
		}
	}
}

// startProviders starts those that a configuration needs and that do not run,
// and returns their types. What does not start is told by assemble, and so is
// what is not there to be started.
func (k *keeper) startProviders(ctx context.Context, p *config.Project) []string {
	fresh := slices.DeleteFunc(typesOf(p), func(typ string) bool {
		_, err := k.app.providers.Get(typ)
		return slices.Contains(k.running(), typ) || errors.Is(err, pluginhost.ErrNotFound) || errors.Is(err, pluginhost.ErrUnusable)
	})
	if len(fresh) > 0 {
		_ = k.app.providers.Start(ctx, fresh)
	}
	return fresh
}

func (k *keeper) running() []string {
	var types []string
	for _, s := range k.app.providers.Status() {
		types = append(types, s.Type)
	}
	return types
}

// unneeded lists providers that run for no source.
func (k *keeper) unneeded() []string {
	needed := typesOf(k.app.config.get().project)
	return slices.DeleteFunc(k.running(), func(typ string) bool { return slices.Contains(needed, typ) })
}

// drop ends the providers that were started for what came to nothing.
func (k *keeper) drop(t attempted) {
	needed := typesOf(k.app.config.get().project)
	k.app.providers.Remove(slices.DeleteFunc(t.started, func(typ string) bool { return slices.Contains(needed, typ) }))
}
