package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/install"
)

type pluginUpgradeOptions struct {
	streams Streams
	project string
	source  string
	json    bool
}

func newPluginUpgrade(s Streams, run func(context.Context, pluginUpgradeOptions) error) *cobra.Command {
	o := pluginUpgradeOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "upgrade PATH",
		Short: "Replace a provider, without losing a delivery",
		Long: `Replace providers that are installed in the project by those in PATH, which is
what al plugin add takes. The new one is started once to see that it works, put
into place and recorded; the one before is kept, with up to three, for al plugin
rollback.

A gateway that runs starts the new one beside the old, tries it, and lets
deliveries go to it; the old one answers what it has begun. If the new one fails,
the old one never stops answering, its file is put back, and the exit code is 1.`,
		Example: `  al plugin upgrade acme-1.5.0.tar.gz
  al plugin upgrade ./al-provider-acme -p my-agents --json`,
		Args: words(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.source = args[0]
			return run(cmd.Context(), o)
		},
		ValidArgsFunction: completeOnePath,
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runPluginUpgrade(ctx context.Context, o pluginUpgradeOptions) error {
	p, err := openPlugins(o.streams, o.project)
	if err != nil {
		return err
	}
	return p.change(ctx, func(c *install.Change) error {
		offers, err := p.examine(ctx, c, o.source)
		if err != nil {
			return err
		}
		if err := c.Upgradable(offers); err != nil {
			return err
		}
		var all []pluginChanged
		for _, offer := range offers {
			done, err := c.Upgrade(offer)
			if err != nil {
				return err
			}
			all = append(all, p.settle(ctx, done))
		}
		return p.report(all, o.json)
	})
}
