package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/install"
	"github.com/action-llama/gateway/host/spelling"
)

type pluginRmOptions struct {
	streams Streams
	project string
	types   []string
	force   bool
}

func newPluginRm(s Streams, run func(context.Context, pluginRmOptions) error) *cobra.Command {
	o := pluginRmOptions{streams: s}
	cmd := &cobra.Command{
		Use:     "rm TYPE...",
		Aliases: []string{"remove"},
		Short:   "Remove providers from the project and from al-plugins.lock",
		Long: `Remove providers from the project's .al/plugins and from al-plugins.lock, with
the earlier versions that are kept of them. A provider that a source uses stays,
unless --force is given. Providers of other folders, such as those that came with
al, are not touched: one of the same type is what runs then.`,
		Example: `  al plugin rm acme
  al plugin rm acme --force     although a source uses it`,
		Args: words(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.types = args
			return run(cmd.Context(), o)
		},
		ValidArgsFunction: completePlugins(&o.project, 100, plugins.types),
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVar(&o.force, "force", false, "also when a source uses it")
	return cmd
}

func runPluginRm(ctx context.Context, o pluginRmOptions) error {
	p, err := openPlugins(o.streams, o.project)
	if err != nil {
		return err
	}
	return p.change(ctx, func(c *install.Change) error {
		var errs []error
		for _, typ := range o.types {
			errs = append(errs, p.removable(c, typ, o.force))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for _, typ := range o.types {
			if _, err := c.Remove(typ); err != nil {
				return err
			}
			fmt.Fprintf(o.streams.Out, "%s %s from %s and %s\n", o.streams.paint(green, "removed"), typ, p.Folder, install.LockName)
			p.afterRm(ctx, typ)
		}
		return nil
	})
}

// removable says why a provider is not removed.
func (p plugins) removable(c *install.Change, typ string, force bool) error {
	_, locked := c.Lock[typ]
	_, err := os.Lstat(p.File(typ))
	if !locked && err != nil {
		hint := "al plugin ls lists what is"
		if near := spelling.DidYouMean(typ, p.types()); near != "" {
			hint = near
		}
		return fmt.Errorf("no %s is installed in %s; %s", typ, p.Folder, hint)
	}
	if sources := app.SourcesOf(p.project, typ); len(sources) > 0 && !force {
		return fmt.Errorf("%s is used by webhooks.%s in config.toml; take that out first, or use --force", typ, strings.Join(sources, ", webhooks."))
	}
	return nil
}

// afterRm says what sources are left with.
func (p plugins) afterRm(ctx context.Context, typ string) {
	if len(app.SourcesOf(p.project, typ)) == 0 {
		return
	}
	s := p.streams
	switch became, detail := p.reload(ctx, typ); became {
	case api.ProviderFailed:
		fmt.Fprintf(s.Err, "%s the process that runs goes on until the gateway is stopped: %s\n", s.errPaint(yellow, "warning:"), detail)
	case api.ProviderReplaced:
		fmt.Fprintln(s.Out, "  the gateway runs the one of another folder now; al plugin ls shows it")
	}
}
