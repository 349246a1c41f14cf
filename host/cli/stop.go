package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
)

type stopOptions struct {
	streams Streams
	gateway gateway
	now     bool
	json    bool
}

func newStop(s Streams, run func(context.Context, stopOptions) error) *cobra.Command {
	o := stopOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the gateway",
		Long: `Stop the gateway, and wait until it has. Runs under way have [gateway] shutdownGrace
to finish; their jobs go back to the queue if they do not. --now gives them no
time, also when the gateway is stopping already. Ctrl-C ends the waiting only.
Gateways that have handed over (al start --takeover) and finish their runs are
stopped with it.

When none runs, al says so, and that is fine.`,
		Example: `  al stop
  al stop --now`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.Flags().BoolVar(&o.now, "now", false, "end the runs under way at once")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// stopReport is the JSON of al stop. Fields are added, never renamed.
type stopReport struct {
	Stopped bool `json:"stopped"` // false: none was running
}

// afterGrace is for what follows the grace: harnesses that do not want to end,
// deliveries that are being answered, the store, the providers.
const afterGrace = time.Minute

func runStop(ctx context.Context, o stopOptions) error {
	client, err := o.gateway.client()
	switch {
	case errors.Is(err, app.ErrStarting):
		return fmt.Errorf("%w; try again in a moment", err)
	case errors.Is(err, app.ErrNotRunning):
		if err := o.gateway.checkProject(); err != nil {
			return err
		}
		return o.stopPrevious(ctx)
	case err != nil:
		return err
	}
	stopping, err := client.Stop(ctx, api.StopAsk{Now: o.now})
	switch {
	case errors.Is(err, api.ErrUnreachable) && o.gateway.local(): // it is about to leave, or hangs
		stopping.Until = time.Now()
	case err != nil:
		return err
	}
	if err := o.await(ctx, client, stopping.Until); err != nil {
		return err
	}
	return o.say(true, "the gateway has stopped")
}

// stopPrevious stops gateways that have handed over to one that is gone.
func (o stopOptions) stopPrevious(ctx context.Context) error {
	n, err := app.StopPrevious(ctx, o.gateway.dir, o.now)
	if err != nil {
		return err
	}
	if n == 0 {
		return o.say(false, "no gateway runs on this project")
	}
	// How long their runs have is in their own configuration.
	if err := o.await(ctx, nil, time.Time{}); err != nil {
		return err
	}
	return o.say(true, "the gateway has stopped")
}

func (o stopOptions) say(stopped bool, text string) error {
	if o.json {
		return writeJSON(o.streams, stopReport{Stopped: stopped})
	}
	fmt.Fprintln(o.streams.Out, text)
	return nil
}

// await returns when the gateway is gone. Without a client it is a local one that
// can not be asked what it waits for, nor for how long.
func (o stopOptions) await(ctx context.Context, client *api.Client, until time.Time) error {
	line := startProgress(o.streams, "the gateway is stopping")
	defer line.stop()
	deadline := time.Now().Add(max(0, time.Until(until)) + afterGrace)
	var pause poll
	for o.gateway.alive(ctx, client) {
		switch {
		case !pause.wait(ctx):
			return errors.New("not waited for: the gateway goes on stopping")
		case client != nil && time.Now().After(deadline):
			return errors.New("the gateway does not end; try al stop --now, or kill its process: what waits and what runs is kept")
		}
		if client == nil {
			continue
		}
		if text := o.draining(ctx, client, until); text != "" {
			line.update(text)
		}
	}
	return nil
}

// alive tells whether the gateway is still there: one of this machine by the
// lock that it holds, another by its answers.
func (g gateway) alive(ctx context.Context, client *api.Client) bool {
	if g.local() {
		return app.Taken(g.dir)
	}
	_, err := client.Status(ctx)
	return !errors.Is(err, api.ErrUnreachable)
}

// draining says what the gateway waits for.
func (o stopOptions) draining(ctx context.Context, client *api.Client, until time.Time) string {
	status, err := client.Status(ctx)
	if err != nil {
		return "" // just leaving
	}
	running := 0
	for _, a := range status.Agents {
		running += a.Running
	}
	if running == 0 {
		return "the gateway is stopping"
	}
	return fmt.Sprintf("waiting for %s, until %s at most", count(running, "run"), until.Local().Format(time.TimeOnly))
}
