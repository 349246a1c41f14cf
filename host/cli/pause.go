package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
)

type pauseOptions struct {
	streams Streams
	gateway gateway
	agent   string // empty for all
	resume  bool
	reason  string
	json    bool
}

func newPause(s Streams, run func(context.Context, pauseOptions) error) *cobra.Command {
	o := pauseOptions{streams: s}
	cmd := pauseCommand(&o, run)
	cmd.Use = "pause [AGENT]"
	cmd.Short = "Keep an agent, or all, from starting runs"
	cmd.Long = `Keep an agent from starting runs, or all of them, until al resume. It outlives a
restart. Events are still taken and wait in the queue, which drops its oldest job
when it is full; ticks of the schedule are let go by. Runs under way go on: al kill
ends them.`
	cmd.Example = `  al pause dev
  al pause --reason "the vendor has an outage"`
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, for those who wonder")
	return cmd
}

func newResume(s Streams, run func(context.Context, pauseOptions) error) *cobra.Command {
	o := pauseOptions{streams: s, resume: true}
	cmd := pauseCommand(&o, run)
	cmd.Use = "resume [AGENT]"
	cmd.Short = "Let an agent, or all, start runs again"
	cmd.Long = `Let an agent start runs again that al pause, or the gateway itself, has paused.
Without an AGENT it ends a pause of the whole project; agents that were paused by
name stay so.`
	cmd.Example = `  al resume dev
  al resume`
	return cmd
}

func pauseCommand(o *pauseOptions, run func(context.Context, pauseOptions) error) *cobra.Command {
	var w where
	cmd := &cobra.Command{
		Args: words(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.gateway, err = w.find(cmd, o.streams); err != nil {
				return err
			}
			if len(args) > 0 {
				o.agent = args[0]
			}
			return run(cmd.Context(), *o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.ValidArgsFunction = completes(&w, o.streams, agentsOf)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runPause(ctx context.Context, o pauseOptions) error {
	client, err := o.gateway.running()
	if err != nil {
		return err
	}
	var p api.Paused
	if o.resume {
		p, err = client.Resume(ctx, o.agent)
	} else {
		p, err = client.Pause(ctx, o.agent, api.PauseAsk{Reason: o.reason})
	}
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, p)
	}
	who := o.agent
	if who == "" {
		who = "the project"
	}
	switch {
	case p.Paused && p.Changed:
		fmt.Fprintf(o.streams.Out, "%s is paused\n", who)
	case p.Paused:
		fmt.Fprintf(o.streams.Out, "%s was paused already\n", who)
	case p.Changed:
		fmt.Fprintf(o.streams.Out, "%s goes on\n", who)
	default:
		fmt.Fprintf(o.streams.Out, "%s was not paused\n", who)
	}
	return nil
}
