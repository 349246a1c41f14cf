package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/install"
	"github.com/action-llama/gateway/host/pluginhost"
)

type pluginLsOptions struct {
	streams Streams
	project string
	json    bool
}

func newPluginLs(s Streams, run func(context.Context, pluginLsOptions) error) *cobra.Command {
	o := pluginLsOptions{streams: s}
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the providers that a project can use, and how they are",
		Long: `List the providers of a project: those that al-plugins.lock records, and those
that are found in other folders. Each has its version, its protocol, its file,
how that stands to the lock, and, when a gateway runs, how its process is.

What the lock does not name, and no gateway runs, is started once to ask what it
is.`,
		Example: "  al plugin ls\n  al plugin ls -p my-agents --json",
		Args:    words(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// pluginList is the JSON of al plugin ls. Fields are added, never renamed.
type pluginList struct {
	Project string         `json:"project"`
	Lock    string         `json:"lock"`
	Plugins []pluginListed `json:"plugins"`
}

type pluginListed struct {
	Type     string   `json:"type"`
	Version  string   `json:"version,omitempty"`
	Protocol int      `json:"protocol,omitempty"`
	Path     string   `json:"path,omitempty"`
	Locked   bool     `json:"locked"`
	State    string   `json:"state"` // ok, changed, missing, shadowed, not recorded, not locked
	SHA256   string   `json:"sha256,omitempty"`
	Problem  string   `json:"problem,omitempty"`
	Sources  []string `json:"sources"` // that use it
	Kept     []string `json:"kept"`    // versions that al plugin rollback can go back to
	// Gateway is how its process is, when a gateway runs that uses it.
	Gateway *api.ProviderStatus `json:"gateway,omitempty"`
}

func runPluginLs(ctx context.Context, o pluginLsOptions) error {
	p, err := openPlugins(o.streams, o.project)
	if err != nil {
		return err
	}
	list, err := p.list(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, list)
	}
	return p.showList(list)
}

// list puts together what the lock, the folders and the gateway know.
func (p plugins) list(ctx context.Context) (pluginList, error) {
	out := pluginList{Project: p.project.Dir, Lock: p.LockFile, Plugins: []pluginListed{}}
	checked, err := p.Check()
	if err != nil {
		return out, err
	}
	for _, c := range checked {
		one := pluginListed{
			Type: c.Type, Version: c.Entry.Version, Protocol: c.Entry.Protocol, Path: c.Path,
			Locked: true, State: string(c.State), Problem: c.Problem,
		}
		if c.Found != (install.Sum{}) {
			one.SHA256 = c.Found.String()
		}
		out.Plugins = append(out.Plugins, one)
	}
	if err := p.listFound(&out); err != nil {
		return out, err
	}
	if err := p.listGateway(ctx, &out); err != nil {
		return out, err
	}
	if err := p.listAsked(ctx, &out); err != nil {
		return out, err
	}
	for i := range out.Plugins {
		one := &out.Plugins[i]
		one.Sources, one.Kept = app.SourcesOf(p.project, one.Type), []string{}
		kept, err := p.Kept(one.Type)
		if err != nil {
			return out, err
		}
		for _, k := range kept {
			one.Kept = append(one.Kept, k.Entry.Version)
		}
	}
	slices.SortFunc(out.Plugins, func(a, b pluginListed) int { return strings.Compare(a.Type, b.Type) })
	return out, nil
}

// listFound adds what the lock does not name.
func (p plugins) listFound(out *pluginList) error {
	dirs, err := app.ProviderDirs(p.project)
	if err != nil {
		return err
	}
	for _, typ := range pluginhost.Types(dirs) {
		if slices.ContainsFunc(out.Plugins, func(l pluginListed) bool { return l.Type == typ }) {
			continue
		}
		one := pluginListed{Type: typ, State: string(install.NotLocked)}
		b, err := pluginhost.Lookup(dirs, typ)
		if one.Path = b.Path; err != nil {
			one.Problem = err.Error()
		}
		out.Plugins = append(out.Plugins, one)
	}
	return nil
}

// listGateway adds how the processes are.
func (p plugins) listGateway(ctx context.Context, out *pluginList) error {
	client, err := p.gateway.client()
	if errors.Is(err, app.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	status, err := client.Status(ctx)
	if err != nil {
		fmt.Fprintf(p.streams.Err, "%s how the processes are is not known: %v\n", p.streams.errPaint(yellow, "warning:"), err)
		return nil
	}
	for i := range out.Plugins {
		one := &out.Plugins[i]
		for _, s := range status.Providers {
			if s.Type != one.Type {
				continue
			}
			one.Gateway = &s
			if !one.Locked {
				one.Version, one.Protocol = s.Version, s.Protocol
			}
		}
	}
	return nil
}

// listAsked asks those what they are of which nobody knows.
func (p plugins) listAsked(ctx context.Context, out *pluginList) error {
	var types []string
	for _, one := range out.Plugins {
		if !one.Locked && one.Version == "" && one.Problem == "" {
			types = append(types, one.Type)
		}
	}
	busy := startProgress(p.streams, "asking the providers")
	asked, err := app.InspectProviders(ctx, p.project, types)
	busy.stop()
	if err != nil {
		return err
	}
	for i := range out.Plugins {
		one := &out.Plugins[i]
		if said, ok := asked[one.Type]; ok && said.Err != nil {
			one.Problem = said.Err.Error()
		} else if ok {
			one.Version, one.Protocol = said.Version, said.Protocol
		}
	}
	return nil
}

func (p plugins) showList(list pluginList) error {
	s := p.streams
	if len(list.Plugins) == 0 {
		fmt.Fprintln(s.Err, "no provider is installed; al plugin add PATH installs one")
		return nil
	}
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TYPE\tVERSION\tPROTOCOL\tLOCK\tGATEWAY\tFILE")
	for _, one := range list.Plugins {
		version, protocol, gateway := "-", "-", "-"
		if one.Version != "" {
			version = one.Version
		}
		if one.Protocol > 0 {
			protocol = fmt.Sprint(one.Protocol)
		}
		if g := one.Gateway; g != nil {
			gateway = g.State
			if g.Version != "" && g.Version != one.Version {
				gateway += " (" + g.Version + ")"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", one.Type, version, protocol, one.State, gateway, one.Path)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, one := range list.Plugins {
		if one.Problem != "" {
			fmt.Fprintf(s.Err, "%s %s: %s\n", s.errPaint(red, "error:"), one.Type, one.Problem)
		}
		if g := one.Gateway; g != nil && g.Error != "" {
			fmt.Fprintf(s.Err, "%s %s: its process is %s: %s\n", s.errPaint(red, "error:"), one.Type, g.State, g.Error)
		}
		if g := one.Gateway; g != nil && g.NotReplaced != "" {
			fmt.Fprintf(s.Err, "%s %s: the file that is there now does not run: %s\n", s.errPaint(yellow, "warning:"), one.Type, g.NotReplaced)
		}
	}
	return nil
}
