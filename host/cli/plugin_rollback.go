package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/install"
)

type pluginRollbackOptions struct {
	streams Streams
	project string
	typ     string // empty: the one that has something kept
	to      string
	json    bool
}

func newPluginRollback(s Streams, run func(context.Context, pluginRollbackOptions) error) *cobra.Command {
	o := pluginRollbackOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "rollback [TYPE]",
		Short: "Go back to the provider that was installed before",
		Long: `Put the file back that al plugin upgrade replaced, and record it again. The
present one is kept in turn, so that a second rollback undoes the first. Without
TYPE it is the one provider of which something is kept.

A gateway that runs swaps the processes as for an upgrade, and keeps the present
one if that fails.`,
		Example: `  al plugin rollback acme
  al plugin rollback acme --to 1.3.0`,
		Args: words(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.typ = strings.Join(args, "")
			return run(cmd.Context(), o)
		},
		ValidArgsFunction: completePlugins(&o.project, 1, func(p plugins) []string {
			types, _ := p.KeptTypes() // what can not be read is nothing to offer
			return types
		}),
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().StringVar(&o.to, "to", "", "the kept version to go back to (default: the one before)")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	_ = cmd.RegisterFlagCompletionFunc("to", func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		p, err := openPlugins(quiet(s), o.project)
		if err != nil || len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		kept, _ := p.Kept(args[0])
		var out []cobra.Completion
		for _, k := range kept {
			out = append(out, k.Entry.Version)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func runPluginRollback(ctx context.Context, o pluginRollbackOptions) error {
	p, err := openPlugins(o.streams, o.project)
	if err != nil {
		return err
	}
	if o.typ == "" {
		types, err := p.KeptTypes()
		switch {
		case err != nil:
			return err
		case len(types) == 0:
			return errors.New("no earlier provider is kept; al plugin upgrade keeps what it replaces")
		case len(types) > 1:
			return fmt.Errorf("earlier versions are kept of %s; say which TYPE to roll back", strings.Join(types, ", "))
		}
		o.typ = types[0]
	}
	return p.change(ctx, func(c *install.Change) error {
		done, err := c.Rollback(o.typ, o.to)
		if err != nil {
			return err
		}
		return p.report([]pluginChanged{p.settle(ctx, done)}, o.json)
	})
}
