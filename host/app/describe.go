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
	return TypesIn(dirs), nil
}

// TypesIn lists the provider types that there are in folders.
func TypesIn(dirs []string) []string {
	binaries, _ := pluginhost.Find(dirs) // one that can not be run is no type to offer
	types := make([]string, len(binaries))
	for i, b := range binaries {
		types[i] = b.Type
	}
	return types
}

// DescribeProviders starts installed providers, all at once, for as long as they
// take to say what they are. Those that do not start are left out; the error
// says why.
func DescribeProviders(ctx context.Context, types []string, log hclog.Logger) ([]sdk.Descriptor, error) {
	folders, err := FoldersOf(nil)
	if err != nil {
		return nil, err
	}
	return DescribeIn(ctx, folders, types, log)
}

// DescribeIn is DescribeProviders for providers that are looked for in folders
// of one's choice.
func DescribeIn(ctx context.Context, folders ProviderFolders, types []string, log hclog.Logger) (ds []sdk.Descriptor, err error) {
	failed, err := briefly(ctx, folders, types, log, func(host processes) {
		for _, typ := range types {
			if p, missing := host.Get(typ); missing == nil {
				ds = append(ds, sdk.Describe(p))
			}
		}
	})
	return ds, errors.Join(failed, err)
}

// Installed starts all providers that there are in folders, to say of each what
// it is or why it does not start.
func Installed(ctx context.Context, folders ProviderFolders, log hclog.Logger) (list []pluginhost.Status, err error) {
	_, err = briefly(ctx, folders, TypesIn(folders.Dirs), log, func(host processes) { list = host.Status() })
	return list, err
}

// briefly starts providers, all at once, for as long as it takes to look at
// them. Why some did not start is an error of its own.
func briefly(ctx context.Context, folders ProviderFolders, types []string, log hclog.Logger, look func(processes)) (failed, err error) {
	runtime, err := os.MkdirTemp("", "al-describe-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(runtime)) }()
	host := processes{pluginhost.New(pluginhost.Options{Dirs: folders.Dirs, Approve: folders.approve, RuntimeDir: runtime, Log: log})}
	defer func() { err = errors.Join(err, host.Stop(ctx)) }()
	failed = host.Start(ctx, types)
	look(host)
	return failed, nil
}
