package app

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/install"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// checkPlugins holds what is installed against al-plugins.lock. Why a provider
// that is needed was refused is told where it is needed.
func (c *checker) checkPlugins() {
	place := PluginPlace(c.p)
	if _, err := os.Lstat(place.LockFile); errors.Is(err, fs.ErrNotExist) {
		return
	}
	at := config.Pos{File: install.LockName}
	dirs, err := ProviderDirs(c.p)
	if err != nil {
		return // the starting of the providers told it
	}
	needed := typesOf(c.p)
	checked, err := place.Check()
	if err != nil {
		var problem config.Problem
		if !errors.As(err, &problem) {
			problem = config.Errorf(at, "%v", err)
		}
		c.found(AboutProviders, problem)
		return
	}
	for _, k := range checked {
		problem := strings.TrimPrefix(k.Problem, install.LockName+" ")
		switch _, notFound := pluginhost.Lookup(dirs, k.Type); {
		case k.State == install.OK:
		case !slices.Contains(needed, k.Type):
			c.found(AboutProviders, config.Warnf(at, "%s (no source uses it)", problem))
		case k.State == install.Missing && notFound != nil: // where it is needed it is only not found
			c.found(AboutProviders, config.Errorf(at, "%s", problem))
		}
		if k.Entry.Protocol < sdk.ProtocolVersion && !slices.Contains(needed, k.Type) { // of the others, what is spoken counts
			c.found(AboutProviders, oldProtocol(at, k.Type, k.Entry.Protocol, sdk.ProtocolVersion))
		}
	}
	for _, typ := range needed {
		if slices.ContainsFunc(checked, func(k install.Checked) bool { return k.Type == typ }) {
			continue
		}
		if b, err := pluginhost.Lookup(dirs, typ); err == nil {
			c.found(AboutProviders, config.Notef(at, "does not name %s, so that whatever is in %s runs", typ, b.Path).
				WithFix("al plugin add %s, if it is to run from the project and as it is", b.Path))
		}
	}
}

func oldProtocol(at config.Pos, typ string, speaks, newest int) config.Problem {
	return config.Notef(at, "%s speaks version %d of the protocol, and this al has version %d: it works, and knows nothing of what came since", typ, speaks, newest).
		WithFix("al plugin upgrade PATH, once there is a newer %s", typ)
}
