package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/install"
)

type pluginAddOptions struct {
	streams Streams
	project string
	source  string
	json    bool
}

func newPluginAdd(s Streams, run func(context.Context, pluginAddOptions) error) *cobra.Command {
	o := pluginAddOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "add PATH",
		Short: "Install a provider in the project, and record it in al-plugins.lock",
		Long: `Install providers in the project's .al/plugins. PATH is a binary named
al-provider-TYPE, a folder, or a .tar.gz, .tar or .zip; what is named like a
provider in it is taken, for several platforms too: al-provider-TYPE_linux_amd64,
or each in a folder of its own.

Each provider is copied, started once to see that it works, and put into place.
Its version, its protocol and the SHA-256 of its file for each platform go to
al-plugins.lock, beside config.toml. Commit that file: what it names runs from
.al/plugins and as it was recorded, or not at all.

What is recorded already is installed again if it is the same, as on another
machine, and refused if it is not: al plugin upgrade replaces. Nothing is
downloaded.`,
		Example: `  al plugin add ./al-provider-acme
  al plugin add acme-1.4.0.tar.gz -p my-agents
  al plugin add dist/ --json`,
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

// completeOnePath leaves the first argument to the shell.
func completeOnePath(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}

func runPluginAdd(ctx context.Context, o pluginAddOptions) error {
	p, err := openPlugins(o.streams, o.project)
	if err != nil {
		return err
	}
	return p.change(ctx, func(c *install.Change) error {
		offers, err := p.examine(ctx, c, o.source)
		if err != nil {
			return err
		}
		done, err := c.Add(offers)
		if err != nil {
			return err
		}
		var all []pluginChanged
		for _, d := range done {
			all = append(all, p.settle(ctx, d))
		}
		return p.report(all, o.json)
	})
}
