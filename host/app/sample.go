package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// OpenProvider starts one provider for what no delivery asks of it. The project
// may be nil: then it is one that is installed for any.
func OpenProvider(ctx context.Context, p *config.Project, typ string, log hclog.Logger) (sdk.Provider, func() error, error) {
	folders, err := FoldersOf(p)
	opts := pluginhost.Options{Log: log}
	if p != nil {
		opts.StartTimeout, opts.CallTimeout, opts.Env = p.Plugins.StartTimeout, p.Plugins.CallTimeout, p.Plugins.Env
		opts.MaxMemory = maxMemory(p.Plugins)
	}
	if err != nil {
		return nil, nil, err
	}
	runtime, err := os.MkdirTemp("", "al-sample-") // not a name that a sweep of sockets looks for
	if err != nil {
		return nil, nil, err
	}
	opts.Dirs, opts.Approve, opts.RuntimeDir = folders.Dirs, folders.approve, runtime
	host := processes{pluginhost.New(opts)}
	stop := func() error { return errors.Join(host.Stop(context.WithoutCancel(ctx)), os.RemoveAll(runtime)) }
	starting, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	_ = host.Start(starting, []string{typ}) // Get says why it failed
	provider, err := host.Get(typ)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return provider, stop, nil
}

// SourceSettings returns those of a source, for whoever makes a delivery for it.
func SourceSettings(source config.Source, p sdk.Provider, d sdk.Descriptor) (sdk.Settings, error) {
	settings, problems := settle(source, p, d)
	return settings, problems.Err()
}

// SourceSecret returns a secret that proves a source, or nil for one that takes
// unsigned requests.
func SourceSecret(source config.Source, d sdk.Descriptor, credentials config.Credentials) (*sdk.Secret, error) {
	if len(source.Credentials) == 0 {
		return nil, nil
	}
	s, _ := readSource(source, d, credentials)
	if len(s.Secrets) == 0 {
		return nil, fmt.Errorf("webhooks.%s: %w", source.Name, s.Unusable)
	}
	return &s.Secrets[0], nil
}
