package cli

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
)

type statsOptions struct {
	streams Streams
	gateway gateway
	agent   string
	since   span
	json    bool
}

func newStats(s Streams, run func(context.Context, statsOptions) error) *cobra.Command {
	o := statsOptions{streams: s, since: span(24 * time.Hour)}
	var w where
	cmd := &cobra.Command{
		Use:   "stats [AGENT]",
		Short: "Show how runs went",
		Long: `Show how the runs of the last day, or of any other time, went: how many succeeded,
how long they took and how long their jobs had waited, and how many jobs never
ran. It works with the gateway down.

Counted are runs that started in that time and have ended. A run is returned when
its gateway stopped before it ended: its job runs again, and it counts neither as
success nor as failure. WAIT is from the event to its first run.`,
		Example: `  al stats
  al stats dev --since 7d
  al stats --since 1h --json`,
		Args: words(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			if len(args) > 0 {
				o.agent = args[0]
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.ValidArgsFunction = completes(&w, s, agentsOf)
	cmd.Flags().Var(&o.since, "since", "how far to look back: 90m, 24h, 7d")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runStats(ctx context.Context, o statsOptions) error {
	h, done, err := o.gateway.history(ctx)
	if err != nil {
		return err
	}
	defer done()
	p := startProgress(o.streams, "counting runs")
	stats, err := h.Stats(ctx, o.agent, time.Duration(o.since))
	p.stop()
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, stats)
	}
	return showStats(o, stats)
}

func showStats(o statsOptions, stats api.Stats) error {
	if len(stats.Agents) == 0 {
		fmt.Fprintf(o.streams.Err, "nothing ran in the last %s\n", o.since.String())
		return nil
	}
	w := tabwriter.NewWriter(o.streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AGENT\tRUNS\tDONE\tFAILED\tRETURNED\tSUCCESS\tTOOK P50\tP90\tP99\tWAIT P50\tP99\tDROPPED\tDEAD")
	for _, a := range stats.Agents {
		took, wait := quantiles(a.DurationSeconds), quantiles(a.WaitSeconds)
		success := "-"
		if a.SuccessRate != nil {
			success = strconv.FormatFloat(*a.SuccessRate*100, 'f', 1, 64) + "%"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", a.Name, a.Runs, a.Done, a.Failed, a.Returned,
			success, took[0], took[1], took[2], wait[0], wait[2], a.Dropped, a.Dead)
	}
	return w.Flush()
}

func quantiles(p *api.Percentiles) [3]string {
	if p == nil {
		return [3]string{"-", "-", "-"}
	}
	return [3]string{short(p.P50), short(p.P90), short(p.P99)}
}

// short writes seconds in three digits or so: 12ms, 3.4s, 2m5s.
func short(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
