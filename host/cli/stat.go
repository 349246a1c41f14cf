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
	watch   bool
	json    bool
}

func newStat(s Streams, run func(context.Context, statOptions) error) *cobra.Command {
	o := statOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "stat",
		Short: "Show agents, queues and runs",
		Long: `Show agents, queues and runs of a project. It asks the running gateway; when
none runs it reads the store, and says so.

An agent is idle, running, full (its queue is, and drops the oldest job for each
that comes), limited (its budget of runs is used up), paused, disabled, or removed
(from the configuration, with work left).`,
		Example: `  al stat
  al stat -w                                    again every two seconds
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
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "show it again and again, until Ctrl-C")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON; with -w one line each time")
	return cmd
}

// statTimeout is for a gateway on this machine.
const statTimeout = 10 * time.Second

func runStat(ctx context.Context, o statOptions) error {
	if o.watch {
		return watchStat(ctx, o)
	}
	p := startProgress(o.streams, "asking the gateway")
	status, err := statusOf(ctx, o)
	p.stop()
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, status)
	}
	return showStatus(o.streams, status, time.Now())
}

func statusOf(ctx context.Context, o statOptions) (api.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, statTimeout, fmt.Errorf("no answer within %s", statTimeout))
	defer cancel()
	client, err := o.gateway.client()
	if err == nil {
		var status api.Status
		if status, err = client.Status(ctx); !o.gateway.local() || !errors.Is(err, api.ErrUnreachable) {
			return status, err
		}
		// It is about to leave: nobody listens there any more.
	} else if !errors.Is(err, app.ErrNotRunning) {
		return api.Status{}, err
	}
	p, _, _, err := load(o.streams, o.gateway.dir, nil)
	if err != nil {
		return api.Status{}, err
	}
	return app.OfflineStatus(ctx, p)
}

func showStatus(s Streams, status api.Status, now time.Time) error {
	switch {
	case !status.Running:
		fmt.Fprintf(s.Out, "gateway %s; this is what its store says\n", s.paint(yellow, "not running"))
	case status.StopsAt != nil:
		fmt.Fprintf(s.Out, "gateway %s on %s, process %d; runs have until %s\n", s.paint(yellow, "stopping"),
			status.Address, status.PID, status.StopsAt.Local().Format(time.TimeOnly))
	default:
		fmt.Fprintf(s.Out, "gateway %s on %s, process %d, for %s\n", s.paint(green, "running"),
			status.Address, status.PID, since(now, *status.StartedAt))
	}
	for _, p := range status.Previous {
		fmt.Fprintf(s.Out, "gateway before %s its runs: process %d, al %s, %s under way\n", s.paint(yellow, "finishes"),
			p.PID, p.Version, count(p.Runs, "run"))
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
		if p.NotReplaced != "" && p.NotReplacedAt != nil {
			fmt.Fprintf(s.Out, "%s by the file that is there now, %s ago: %s\n", s.paint(red, "not replaced:"),
				since(now, *p.NotReplacedAt), printableLine(p.NotReplaced))
		}
	}
	if status.Paused {
		fmt.Fprintf(s.Out, "project %s: %s; al resume lets it go on\n", s.paint(yellow, "paused"), printableLine(status.PausedReason))
	}
	if status.LimitedUntil != nil {
		fmt.Fprintf(s.Out, "project %s: its runs are used up until %s\n", s.paint(yellow, "limited"), clock(now, *status.LimitedUntil))
	}
	showConfig(s, status.Config, now)
	fmt.Fprintln(s.Out)

	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AGENT\tSTATE\tRUNNING\tWAITING\tOLDEST\tDROPPED\tLAST RUN\tNEXT TICK")
	running := 0
	for _, a := range status.Agents {
		running += a.Running
		oldest, next := "-", "-"
		if a.Waiting > 0 {
			oldest = time.Duration(a.OldestSeconds * float64(time.Second)).Round(time.Second).String()
		}
		if a.NextTick != nil {
			next = clock(now, *a.NextTick)
		}
		fmt.Fprintf(w, "%s\t%s\t%d/%d\t%d/%d\t%s\t%d\t%s\t%s\n", a.Name, a.State, a.Running, a.Scale,
			a.Waiting, a.Capacity, oldest, a.Dropped, lastRun(a.LastRun, now), next)
	}
	if status.Scale > 0 {
		fmt.Fprintf(w, "all\t\t%d/%d\n", running, status.Scale)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return showHeld(s, status, now)
}

// showHeld says of each agent that is kept from running why, and what to do.
func showHeld(s Streams, status api.Status, now time.Time) error {
	space := "\n"
	for _, a := range status.Agents {
		var text string
		switch {
		case a.Paused:
			text = fmt.Sprintf("%s is paused: %s; al resume %s lets it go on", a.Name, printableLine(a.PausedReason), a.Name)
		case a.LimitedUntil != nil:
			text = fmt.Sprintf("%s has used up its runs until %s", a.Name, clock(now, *a.LimitedUntil))
		default:
			continue
		}
		if _, err := fmt.Fprintf(s.Out, "%s%s\n", space, text); err != nil {
			return err
		}
		space = ""
	}
	return nil
}

// clock tells a time to come, by the weekday while that is clear.
func clock(now, t time.Time) string {
	if t.Sub(now) > 6*24*time.Hour {
		return t.Local().Format("2006-01-02 15:04")
	}
	return t.Local().Format("Mon 15:04:05")
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
