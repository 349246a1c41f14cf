package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
)

type killOptions struct {
	streams Streams
	gateway gateway
	target  string
	json    bool
}

func newKill(s Streams, run func(context.Context, killOptions) error) *cobra.Command {
	o := killOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "kill AGENT|RUN",
		Short: "End a run, or all runs of an agent",
		Long: `End a run, or all runs of an agent. The harness is told to end (SIGTERM), and made
to ten seconds later. The jobs count as failed and are not tried again; what waits
in the queue stays there.`,
		Example: `  al kill dev
  al kill 01k6r3z0m9t5c8q2w7x4y1v0nb`,
		Args: words(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			o.target = args[0]
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.ValidArgsFunction = completes(&w, s, either(agentsOf, runsOf(api.RunRunning)))
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runKill(ctx context.Context, o killOptions) error {
	client, err := o.gateway.running()
	if err != nil {
		return err
	}
	kill := client.KillAgent
	if api.IsRunID(o.target) {
		kill = client.KillRun
	}
	killed, err := kill(ctx, o.target)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, killed)
	}
	for _, id := range killed.Runs {
		fmt.Fprintf(o.streams.Out, "ending run %s\n", id)
	}
	if len(killed.Runs) == 0 {
		fmt.Fprintf(o.streams.Out, "no run of %s is under way\n", o.target)
	}
	return nil
}
