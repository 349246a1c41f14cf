package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// Providers runs the providers that a project names. They are processes, but in
// tests and benchmarks that want none.
type Providers interface {
	// Start starts those of the types that were not started before.
	Start(ctx context.Context, types []string) error
	// Remove ends those that are not needed any more, in the background.
	Remove(types []string)
	// Get returns a provider that has described itself, or why none has.
	Get(typ string) (sdk.Provider, error)
	Status() []pluginhost.Status
	Stop(ctx context.Context) error
}

// processes are providers as they run in earnest.
type processes struct{ *pluginhost.Host }

func (p processes) Get(typ string) (sdk.Provider, error) {
	provider, ok := p.Provider(typ)
	if !ok {
		if err := p.Installed(typ); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("provider %s was not started", typ)
	}
	if !provider.Described() { // it was never up
		if err := provider.StartError(); err != nil {
			return nil, err
		}
		return nil, errors.New(provider.Status().LastError)
	}
	return provider.Pin(), nil
}

// ProviderDirs lists where a project's providers are looked for, the most
// deliberate choice first: what the project names, what it brings, what the
// person installed, and what came with al.
func ProviderDirs(p *config.Project) ([]string, error) {
	var dirs []string
	if p.Plugins.Dir != "" {
		dirs = append(dirs, p.Plugins.Dir)
	}
	dirs = append(dirs, filepath.Join(StateDir(p.Dir), "plugins"))
	return appendInstalled(dirs)
}

// InstalledProviderDirs are those of any project.
func InstalledProviderDirs() ([]string, error) { return appendInstalled(nil) }

func appendInstalled(dirs []string) ([]string, error) {
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, ".action-llama", "plugins"))
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the folder of al: %w", err)
	}
	if resolved, err := filepath.EvalSymlinks(self); err == nil {
		self = resolved
	}
	return append(dirs, filepath.Join(filepath.Dir(self), "plugins")), nil
}

// maxMemory is the bound in the terms of the plugin host, where 0 is its default.
func maxMemory(p config.Plugins) int64 {
	if p.MaxMemoryBytes == 0 {
		return -1
	}
	return p.MaxMemoryBytes
}

// typesOf lists the provider types that a project names, each once.
func typesOf(p *config.Project) []string {
	var types []string
	for _, s := range p.Sources {
		if !slices.Contains(types, s.Type) {
			types = append(types, s.Type)
		}
	}
	return types
}
