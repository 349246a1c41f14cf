package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
)

type statOptions struct {
	streams Streams
	gateway gateway
	json    bool
}

func newStat(s Streams, run func(context.Context, statOptions) error) *cobra.Command {
	o := statOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "stat",
		Short: "Show agents, queues and runs",
		Long: `Show agents, queues and runs of a project. It asks the running gateway; when
none runs it reads the store, and says so.`,
		Example: `  al stat
  al stat -p my-agents --json
  al stat --url https://gateway.example.com     with its key in AL_API_KEY`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// statTimeout is for a gateway on this machine.
const statTimeout = 10 * time.Second

func runStat(ctx context.Context, o statOptions) error {
	ctx, cancel := context.WithTimeout(ctx, statTimeout)
	defer cancel()
	status, err := statusOf(ctx, o)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, status)
	}
	return showStatus(o.streams, status, time.Now())
}

func statusOf(ctx context.Context, o statOptions) (api.Status, error) {
	client, err := o.gateway.client()
	switch {
	case errors.Is(err, app.ErrNotRunning):
		p, _, _, err := load(o.streams, o.gateway.dir, nil)
		if err != nil {
			return api.Status{}, err
		}
		return app.OfflineStatus(ctx, p)
	case err != nil:
		return api.Status{}, err
	default:
		return client.Status(ctx)
	}
}

func showStatus(s Streams, status api.Status, now time.Time) error {
	if status.Running {
		fmt.Fprintf(s.Out, "gateway %s on %s, process %d, for %s\n", s.paint(green, "running"),
			status.Address, status.PID, since(now, *status.StartedAt))
	} else {
		fmt.Fprintf(s.Out, "gateway %s; this is what its store says\n", s.paint(yellow, "not running"))
	}
	for _, p := range status.Providers {
		line := fmt.Sprintf("provider %s %s %s", p.Type, p.Version, p.State)
		if p.Restarts > 0 {
			line += ", " + count(p.Restarts, "restart")
		}
		if p.Error != "" {
			line += ": " + p.Error
		}
		fmt.Fprintln(s.Out, line)
	}
	fmt.Fprintln(s.Out)

	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AGENT\tSTATE\tRUNNING\tWAITING\tOLDEST\tDROPPED\tLAST RUN\tNEXT TICK")
	for _, a := range status.Agents {
		oldest, next := "-", "-"
		if a.Waiting > 0 {
			oldest = time.Duration(a.OldestSeconds * float64(time.Second)).Round(time.Second).String()
		}
		if a.NextTick != nil {
			next = a.NextTick.Local().Format("Mon 15:04:05")
		}
		fmt.Fprintf(w, "%s\t%s\t%d/%d\t%d/%d\t%s\t%d\t%s\t%s\n", a.Name, a.State, a.Running, a.Scale,
			a.Waiting, a.Capacity, oldest, a.Dropped, lastRun(a.LastRun, now), next)
	}
	return w.Flush()
}

func lastRun(r *api.RunStatus, now time.Time) string {
	switch {
	case r == nil:
		return "-"
	case r.EndedAt == nil:
		return "running for " + since(now, r.StartedAt)
	case r.ExitCode != 0:
		return fmt.Sprintf("%s (exit %d) %s ago", r.State, r.ExitCode, since(now, *r.EndedAt))
	default:
		return fmt.Sprintf("%s %s ago", r.State, since(now, *r.EndedAt))
	}
}

func since(now, then time.Time) string {
	d := max(0, now.Sub(then))
	if d < time.Second {
		return "under a second"
	}
	return d.Round(time.Second).String()
}
