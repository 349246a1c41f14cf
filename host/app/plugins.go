package app

import (
	"context"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/install"
	"github.com/action-llama/gateway/host/pluginhost"
)

// PluginPlace is where the providers of a project are installed, and what is
// recorded of them.
func PluginPlace(p *config.Project) install.Place {
	place := install.Place{
		Folder:   filepath.Join(StateDir(p.Dir), "plugins"),
		LockFile: filepath.Join(p.Dir, install.LockName),
	}
	if p.Plugins.Dir != "" {
		place.Before = []string{p.Plugins.Dir}
	}
	return place
}

// ProviderFolders are where providers are looked for, and who says whether the
// one that is found may run.
type ProviderFolders struct {
	Dirs    []string
	approve func(pluginhost.Binary) error
}

// FoldersOf are those of a project, by its lock, or of any project when it is
// nil.
func FoldersOf(p *config.Project) (ProviderFolders, error) {
	if p == nil {
		dirs, err := InstalledProviderDirs()
		return ProviderFolders{Dirs: dirs}, err
	}
	dirs, err := ProviderDirs(p)
	return ProviderFolders{Dirs: dirs, approve: PluginPlace(p).Approve}, err
}

// inspectOptions are those by which a provider of a project is started once.
func inspectOptions(p *config.Project, folders ProviderFolders) pluginhost.Options {
	return pluginhost.Options{
		Dirs: folders.Dirs, Approve: folders.approve, Log: hclog.NewNullLogger(),
		StartTimeout: p.Plugins.StartTimeout, CallTimeout: p.Plugins.CallTimeout, MaxMemory: maxMemory(p.Plugins), Env: p.Plugins.Env,
	}
}

// TryPlugin is how a provider is tried before it is installed in a project.
func TryPlugin(p *config.Project) install.Try {
	return func(ctx context.Context, folder, typ string) (pluginhost.Inspected, error) {
		return pluginhost.Inspect(ctx, inspectOptions(p, ProviderFolders{Dirs: []string{folder}}), typ)
	}
}

// InspectedProvider is what a provider says of itself, or why it says nothing.
type InspectedProvider struct {
	pluginhost.Inspected
	Err error
}

// inspectAtOnce bounds how many providers are started at the same time.
const inspectAtOnce = 4

// InspectProviders starts providers of a project, each once, and asks what they
// are.
func InspectProviders(ctx context.Context, p *config.Project, types []string) (map[string]InspectedProvider, error) {
	folders, err := FoldersOf(p)
	if err != nil {
		return nil, err
	}
	out := make([]InspectedProvider, len(types))
	slots := make(chan struct{}, inspectAtOnce)
	var all sync.WaitGroup
	for i, typ := range types {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out[i].Inspected, out[i].Err = pluginhost.Inspect(ctx, inspectOptions(p, folders), typ)
		})
	}
	all.Wait()
	byType := map[string]InspectedProvider{}
	for i, typ := range types {
		byType[typ] = out[i]
	}
	return byType, nil
}

// SourcesOf lists the sources of a project that have a type.
func SourcesOf(p *config.Project, typ string) []string {
	names := []string{}
	for _, s := range p.Sources {
		if s.Type == typ {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}
