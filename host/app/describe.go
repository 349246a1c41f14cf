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

// DescribeProviders starts installed providers, all at once, for as long as they
// take to say what they are. Those that do not start are left out; the error
// says why.
func DescribeProviders(ctx context.Context, types []string, log hclog.Logger) (ds []sdk.Descriptor, err error) {
	dirs, err := InstalledProviderDirs()
	if err != nil {
		return nil, err
	}
	runtime, err := os.MkdirTemp("", "al-describe-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(runtime)) }()
	host := processes{pluginhost.New(pluginhost.Options{Dirs: dirs, RuntimeDir: runtime, Log: log})}
	defer func() { err = errors.Join(err, host.Stop(ctx)) }()
	err = host.Start(ctx, types)
	for _, typ := range types {
		if p, missing := host.Get(typ); missing == nil {
			ds = append(ds, sdk.Describe(p))
		}
	}
	return ds, err
}
