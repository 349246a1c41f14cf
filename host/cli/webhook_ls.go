package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/job"
)

type webhookLsOptions struct {
	streams Streams
	gateway gateway
	filter  filter
	json    bool
}

func newWebhookLs(s Streams, run func(context.Context, webhookLsOptions) error) *cobra.Command {
	o := webhookLsOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List deliveries and what became of them",
		Long: `List deliveries with what became of them, the newest first. A refused request,
such as one with a wrong signature, is not a delivery: al stat and the log count
those. It works with the gateway down.

Outcomes:
  queued       it started at least one job
  duplicate    all it would have started was there already
  dropped      agents matched, and a busy concurrency key or a budget kept it out
  held_back    agents matched, and ignore who caused it
  unmatched    no agent's trigger matched
  empty        nothing happened in it, such as a ping
  handshake    the vendor asked whether somebody is there
  unparseable  signed, and not understood`,
		Example: `  al webhook ls
  al webhook ls --outcome unmatched --since 1h    what started nothing
  al webhook ls --dead                            what needs somebody's attention
  al webhook ls --source my-source -n 100 --json`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := o.filter.check(); err != nil {
				return &usageError{err: err, usage: cmd.UsageString()}
			}
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	filterFlags(cmd, &o.filter, &w, s)
	cmd.Flags().IntVarP(&o.filter.count, "count", "n", 20, "how many; 0 for all")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runWebhookLs(ctx context.Context, o webhookLsOptions) error {
	r, done, err := o.gateway.deliveries(ctx, o.streams, false)
	if err != nil {
		return err
	}
	defer done()
	list, err := o.filter.choose(ctx, r, nil)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, api.Receipts{Receipts: list})
	}
	if len(list) == 0 {
		fmt.Fprintln(o.streams.Err, o.filter.none(o.gateway))
		return nil
	}
	return showReceipts(o.streams, list)
}

func showReceipts(s Streams, list []deliveries.Receipt) error {
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RECEIVED\tRECEIPT\tFROM\tEVENT\tOUTCOME\tJOBS")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", when(r.ReceivedAt), r.ID, printableLine(from(r)), printableLine(events(r)),
			r.Outcome, printableLine(jobsOf(r)))
	}
	return w.Flush()
}

// when is a time for a table.
func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func from(r deliveries.Receipt) string {
	if len(r.Sources) == 0 {
		return r.Provider
	}
	return r.Provider + "/" + strings.Join(r.Sources, ",")
}

func events(r deliveries.Receipt) string {
	switch {
	case r.Events == 0:
		return "-"
	case r.Events > 1:
		return fmt.Sprintf("%s +%d", r.Event, r.Events-1)
	case r.Event == "": // of an al that did not note it
		return "?"
	default:
		return r.Event
	}
}

// jobsOf says what became of the jobs of a delivery, or why there are none.
func jobsOf(r deliveries.Receipt) string {
	var parts []string
	for _, j := range r.Jobs {
		text := j.Agent + " " + j.State
		if j.Joined {
			text += " (joined)"
		}
		parts = append(parts, text)
	}
	if r.Reason != "" && r.Outcome == string(job.Unparseable) {
		parts = append(parts, r.Reason)
	}
	if r.ReplayOf != "" {
		parts = append(parts, "replay of "+r.ReplayOf)
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}
