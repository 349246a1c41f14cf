package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/install"
)

// plugins are the providers of a project, as al plugin sees them.
type plugins struct {
	streams Streams
	gateway gateway
	project *config.Project
	install.Place
}

// openPlugins finds the project of a call. What is wrong with its configuration
// is no reason to leave its providers as they are.
func openPlugins(s Streams, dir string) (plugins, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return plugins{}, err
	}
	if !isProject(dir) {
		return plugins{}, fmt.Errorf("there is no project in %s; name its folder with -p DIR", dir)
	}
	p, _ := config.Load(dir, config.Options{CheckSchedule: app.CheckSchedule})
	return plugins{
		streams: s, gateway: gateway{dir: dir, getenv: s.Getenv}, project: p, Place: app.PluginPlace(p),
	}, nil
}

// change makes a change, and ends it.
func (p plugins) change(ctx context.Context, f func(*install.Change) error) error {
	c, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.End())
}

// examine tries what a source has to offer.
func (p plugins) examine(ctx context.Context, c *install.Change, source string) ([]install.Offer, error) {
	busy := startProgress(p.streams, "copying and trying "+filepath.Base(source))
	defer busy.stop()
	return c.Examine(ctx, source, app.TryPlugin(p.project))
}

// pluginReport is the JSON of al plugin add, upgrade and rollback. Fields are
// added, never renamed.
type pluginReport struct {
	OK      bool            `json:"ok"`
	Lock    string          `json:"lock"`
	Plugins []pluginChanged `json:"plugins"`
}

// pluginChanged is what became of one provider.
type pluginChanged struct {
	Type     string            `json:"type"`
	Outcome  string            `json:"outcome"` // installed, recorded, replaced, unchanged, or failed: what was there before is there again
	Path     string            `json:"path"`
	Version  string            `json:"version"` // of what is recorded now
	Protocol int               `json:"protocol"`
	SHA256   map[string]string `json:"sha256"` // by platform
	Before   string            `json:"before,omitempty"`
	Kept     bool              `json:"kept"`              // what was replaced is there for a rollback
	NotKept  string            `json:"notKept,omitempty"` // why it is not
	Gateway  string            `json:"gateway"`           // none, unused, replaced, unchanged, failed, or unknown
	Detail   string            `json:"detail,omitempty"`  // why it failed, or is unknown
}

// What became of the process in the gateway, besides the outcomes of the API.
const (
	gatewayNone    = "none"    // no gateway runs
	gatewayUnused  = "unused"  // no source of its configuration has the type
	gatewayUnknown = "unknown" // it did not answer
)

const outcomeFailed = "failed"

// settle has the running gateway take up what was put in place, and puts back
// what was there when the gateway does not.
func (p plugins) settle(ctx context.Context, done install.Done) pluginChanged {
	out := pluginChanged{
		Type: done.Type, Outcome: string(done.Outcome), Path: done.Path, Before: done.Before.Version,
		Kept: done.Kept, NotKept: done.NotKept, Gateway: gatewayNone,
	}
	after := done.After
	// Also where nothing changed: the gateway may not have been told the last time.
	out.Gateway, out.Detail = p.reload(ctx, done.Type)
	if out.Gateway == api.ProviderFailed && done.Outcome != install.Unchanged {
		out.Outcome, out.Kept, out.NotKept = outcomeFailed, false, ""
		after = done.Before
		if err := done.Undo(); err != nil {
			out.Detail += "; and what was there before could not be put back: " + err.Error()
		} else {
			_, _ = p.reload(ctx, done.Type) // it runs already; this is that nobody goes on telling of the other one
		}
	}
	out.Version, out.Protocol, out.SHA256 = after.Version, after.Protocol, map[string]string{}
	for platform, sum := range after.SHA256 {
		out.SHA256[platform] = sum.String()
	}
	return out
}

// reload asks the gateway that runs, if one does, to start the file that is
// there now.
func (p plugins) reload(ctx context.Context, typ string) (became, detail string) {
	client, err := p.gateway.client()
	if errors.Is(err, app.ErrNotRunning) {
		return gatewayNone, ""
	}
	if err != nil {
		return gatewayUnknown, err.Error()
	}
	busy := startProgress(p.streams, "the gateway tries "+typ)
	defer busy.stop()
	out, err := client.ReloadProvider(ctx, typ)
	switch {
	case errors.Is(err, api.ErrNotFound):
		return gatewayUnused, ""
	case err != nil:
		return gatewayUnknown, err.Error()
	}
	return out.Outcome, out.Detail
}

// report prints what became of providers, and fails when one of them did.
func (p plugins) report(all []pluginChanged, asJSON bool) error {
	r := pluginReport{OK: true, Lock: p.LockFile, Plugins: append([]pluginChanged{}, all...)}
	for _, c := range all {
		r.OK = r.OK && c.Gateway != api.ProviderFailed
	}
	if asJSON {
		if err := writeJSON(p.streams, r); err != nil {
			return err
		}
	} else {
		for _, c := range all {
			p.show(c)
		}
	}
	if !r.OK {
		return errShown
	}
	return nil
}

func (p plugins) show(c pluginChanged) {
	s := p.streams
	what := strings.TrimSpace(c.Type + " " + c.Version)
	switch c.Outcome {
	case outcomeFailed:
		fmt.Fprintf(s.Err, "%s the gateway does not take the new %s: %s\n", s.errPaint(red, "error:"), c.Type, c.Detail)
		fmt.Fprintf(s.Err, "what was there before is there again, with its record: %s\n", what)
		return
	case string(install.Unchanged):
		fmt.Fprintf(s.Out, "%s is installed and recorded already\n", what)
	case string(install.Recorded):
		fmt.Fprintf(s.Out, "%s %s, which was there already, in %s\n", s.paint(green, "recorded"), what, install.LockName)
	case string(install.Replaced):
		fmt.Fprintf(s.Out, "%s %s by %s in %s\n", s.paint(green, "replaced"), strings.TrimSpace(c.Type+" "+c.Before), what, c.Path)
	default:
		fmt.Fprintf(s.Out, "%s %s in %s\n", s.paint(green, "installed"), what, c.Path)
	}
	for _, platform := range slices.Sorted(maps.Keys(c.SHA256)) {
		fmt.Fprintf(s.Out, "  %s SHA-256 %s\n", platform, c.SHA256[platform])
	}
	if c.Kept {
		fmt.Fprintf(s.Out, "  what was replaced is kept: al plugin rollback %s\n", c.Type)
	} else if c.NotKept != "" {
		fmt.Fprintf(s.Err, "%s what was replaced is not kept: %s\n", s.errPaint(yellow, "warning:"), c.NotKept)
	}
	p.showGateway(c)
}

func (p plugins) showGateway(c pluginChanged) {
	s := p.streams
	switch c.Gateway {
	case api.ProviderReplaced, api.ProviderUnchanged: // unchanged: it had noticed the file by itself
		fmt.Fprintf(s.Out, "  the gateway runs %s now\n", strings.TrimSpace(c.Type+" "+c.Version))
	case api.ProviderFailed:
		fmt.Fprintf(s.Err, "%s the gateway does not take it: %s\n", s.errPaint(red, "error:"), c.Detail)
	case gatewayUnknown:
		fmt.Fprintf(s.Err, "%s whether the gateway took it up is not known: %s; al plugin ls tells\n", s.errPaint(yellow, "warning:"), c.Detail)
	case gatewayUnused, gatewayNone:
		if len(app.SourcesOf(p.project, c.Type)) == 0 {
			fmt.Fprintf(s.Out, "  no source uses it yet; config.toml wants a [webhooks.NAME] with type = %q\n", c.Type)
		}
	}
}

// types offers the types that are recorded or installed in a project.
func (p plugins) types() []string {
	var types []string
	if checked, err := p.Check(); err == nil {
		for _, c := range checked {
			types = append(types, c.Type)
		}
	}
	present, err := p.Present()
	if err != nil {
		return types
	}
	for _, typ := range present {
		if !slices.Contains(types, typ) {
			types = append(types, typ)
		}
	}
	return types
}

// completePlugins offers types of a project's providers that were not named yet,
// at most that many.
func completePlugins(dir *string, most int, offer func(plugins) []string) completer {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		p, err := openPlugins(quiet(Streams{}), *dir)
		if err != nil || len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []cobra.Completion
		for _, typ := range offer(p) {
			if !slices.Contains(args, typ) {
				out = append(out, typ)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
