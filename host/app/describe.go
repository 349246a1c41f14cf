package app

import (
	"context"
	"errors"
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// InstalledTypes lists the provider types that are installed for any project.
func InstalledTypes() ([]string, error) {
	dirs, err := InstalledProviderDirs()
	if err != nil {
		return nil, err
	}
	binaries, _ := pluginhost.Find(dirs) // one that can not be run is no type to offer
	types := make([]string, len(binaries))
	for i, b := range binaries {
		types[i] = b.Type
	}
	return types, nil
}

// DescribeProvider starts an installed provider for as long as it takes to say
// what it is.
func DescribeProvider(ctx context.Context, typ string, log hclog.Logger) (d sdk.Descriptor, err error) {
	dirs, err := InstalledProviderDirs()
	if err != nil {
		return d, err
	}
	runtime, err := os.MkdirTemp("", "al-describe-")
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(runtime)) }()
	host := processes{pluginhost.New(pluginhost.Options{Dirs: dirs, RuntimeDir: runtime, Log: log})}
	defer func() { err = errors.Join(err, host.Stop(ctx)) }()
	if err := host.Start(ctx, []string{typ}); err != nil {
		return d, err
	}
	p, err := host.Get(typ)
	if err != nil {
		return d, err
	}
	return sdk.Describe(p), nil
}
