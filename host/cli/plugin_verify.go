package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/install"
)

type pluginVerifyOptions struct {
	streams Streams
	project string
	types   []string
	from    string
	accept  bool
	json    bool
}

func newPluginVerify(s Streams, run func(context.Context, pluginVerifyOptions) error) *cobra.Command {
	o := pluginVerifyOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "verify [TYPE...]",
		Short: "Compare the installed providers with al-plugins.lock",
		Long: `Compare the providers in the project's .al/plugins with what al-plugins.lock
records. The exit code is 1 when one is missing or another file. Nothing is
started.

With --from it is the providers in a file, folder or archive that are compared,
each for the platforms that it is built for, and nothing needs to be installed:
for a pipeline that is about to ship them.

--accept records the files that are there instead, after having tried them: for
changes that are your own.`,
		Example: `  al plugin verify
  al plugin verify acme --json
  al plugin verify --from acme-1.4.0.tar.gz
  al plugin verify --accept acme`,
		Args: words(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.types = args
			return run(cmd.Context(), o)
		},
		ValidArgsFunction: completePlugins(&o.project, 100, plugins.types),
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().StringVar(&o.from, "from", "", "compare the providers in a file, folder or archive")
	cmd.Flags().BoolVar(&o.accept, "accept", false, "record the files that are there")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("from", "accept")
	return cmd
}

// pluginVerifyReport is the JSON of al plugin verify. Fields are added, never
// renamed.
type pluginVerifyReport struct {
	OK      bool             `json:"ok"`
	Lock    string           `json:"lock"`
	Plugins []pluginVerified `json:"plugins"`
}

type pluginVerified struct {
	Type     string `json:"type"`
	Version  string `json:"version,omitempty"`  // as recorded
	Platform string `json:"platform,omitempty"` // with --from
	Path     string `json:"path"`
	State    string `json:"state"`            // ok, changed, missing, shadowed, not recorded, not locked
	SHA256   string `json:"sha256,omitempty"` // of the file
	Problem  string `json:"problem,omitempty"`
}

func runPluginVerify(ctx context.Context, o pluginVerifyOptions) error {
	p, err := openPlugins(o.streams, o.project)
	if err != nil {
		return err
	}
	if o.accept {
		return p.accept(ctx, o)
	}
	if _, err := os.Stat(p.LockFile); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s, so nothing is recorded; al plugin add PATH makes it", p.LockFile)
	}
	r := pluginVerifyReport{OK: true, Lock: p.LockFile, Plugins: []pluginVerified{}}
	busy := startProgress(o.streams, "reading providers")
	if o.from != "" {
		r.Plugins, err = p.verifySource(ctx, o)
	} else {
		r.Plugins, err = p.verifyInstalled(o.types)
	}
	busy.stop()
	if err != nil {
		return err
	}
	for _, v := range r.Plugins {
		r.OK = r.OK && v.State == string(install.OK)
	}
	if o.json {
		err = writeJSON(o.streams, r)
	} else {
		p.showVerified(r)
	}
	if err == nil && !r.OK {
		return errShown
	}
	return err
}

func (p plugins) verifyInstalled(types []string) ([]pluginVerified, error) {
	checked, err := p.Check(types...)
	if err != nil {
		return nil, err
	}
	out := []pluginVerified{}
	for _, c := range checked {
		v := pluginVerified{Type: c.Type, Version: c.Entry.Version, Path: c.Path, State: string(c.State), Problem: c.Problem}
		if c.Found != (install.Sum{}) {
			v.SHA256 = c.Found.String()
		}
		out = append(out, v)
	}
	return out, nil
}

func (p plugins) verifySource(ctx context.Context, o pluginVerifyOptions) (out []pluginVerified, err error) {
	dir, err := os.MkdirTemp("", "al-verify-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	programs, err := install.Read(ctx, o.from, dir)
	if err != nil {
		return nil, err
	}
	if len(o.types) > 0 {
		programs = slices.DeleteFunc(programs, func(one install.Program) bool { return !slices.Contains(o.types, one.Type) })
	}
	compared, err := p.Compare(programs)
	if err != nil {
		return nil, err
	}
	for _, c := range compared {
		path := o.from
		if filepath.Base(path) != c.Name {
			path = filepath.Join(o.from, c.Name)
		}
		out = append(out, pluginVerified{
			Type: c.Type, Version: c.Entry.Version, Platform: c.Platform, Path: path,
			State: string(c.State), SHA256: c.Found.String(), Problem: c.Problem,
		})
	}
	for _, typ := range o.types {
		if !slices.ContainsFunc(out, func(v pluginVerified) bool { return v.Type == typ }) {
			return nil, fmt.Errorf("%s holds no %s", o.from, typ)
		}
	}
	return out, nil
}

func (p plugins) showVerified(r pluginVerifyReport) {
	s := p.streams
	for _, v := range r.Plugins {
		what := v.Type
		for _, more := range []string{v.Version, v.Platform} {
			if more != "" {
				what += " " + more
			}
		}
		if v.State == string(install.OK) {
			fmt.Fprintf(s.Out, "%s %s (%s), SHA-256 %.12s\n", s.paint(green, "ok:"), what, v.Path, v.SHA256)
			continue
		}
		fmt.Fprintf(s.Err, "%s %s: %s: %s\n", s.errPaint(red, "error:"), what, v.State, v.Problem)
	}
	if len(r.Plugins) == 0 {
		fmt.Fprintf(s.Out, "%s records no provider\n", r.Lock)
	}
}

// accept records files that are not as the lock has them.
func (p plugins) accept(ctx context.Context, o pluginVerifyOptions) error {
	return p.change(ctx, func(c *install.Change) error {
		types := o.types
		if len(types) == 0 {
			checked, err := p.Check()
			if err != nil {
				return err
			}
			for _, k := range checked {
				if k.State == install.Changed || k.State == install.NoSum {
					types = append(types, k.Type)
				}
			}
		}
		var all []pluginChanged
		for _, typ := range types {
			busy := startProgress(p.streams, "trying "+typ)
			done, err := c.Accept(ctx, typ, app.TryPlugin(p.project))
			busy.stop()
			if err != nil {
				return err
			}
			all = append(all, p.settle(ctx, done))
		}
		if len(all) == 0 && !o.json {
			fmt.Fprintf(o.streams.Out, "every file is as %s has it\n", install.LockName)
		}
		if !o.json {
			return p.report(all, false)
		}
		r := pluginVerifyReport{OK: true, Lock: p.LockFile}
		var err error
		if r.Plugins, err = p.verifyInstalled(types); err != nil {
			return err
		}
		return writeJSON(o.streams, r)
	})
}
