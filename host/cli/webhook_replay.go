package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/job"
)

type webhookReplayOptions struct {
	streams Streams
	gateway gateway
	ids     []string
	filter  filter
	yes     bool
	json    bool
}

func newWebhookReplay(s Streams, run func(context.Context, webhookReplayOptions) error) *cobra.Command {
	o := webhookReplayOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "replay RECEIPT... | --FILTER...",
		Short: "Let deliveries happen again",
		Long: `Let recorded deliveries happen again, as if they came now: read anew by their
provider, matched against the triggers of now, and queued. A job that is done is
done again; one that still waits or runs is left to it. The signature is not
checked: it was when the delivery came.

Each replay has a receipt of its own, which says what it repeats. Name receipts,
or choose them with the flags that al webhook ls has. Chosen ones are counted and
confirmed first, or --yes does it; what was a repeat or a replay itself, and what
had no event in it, is left out.`,
		Example: `  al webhook replay 01k6r3z0m9t5c8q2w7x4y1v0nb
  al webhook replay --dead --since 24h
  al webhook replay --outcome unmatched --source my-source --since 1h --yes`,
		Args: words(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			wrong := func(text string) error { return &usageError{err: errors.New(text), usage: cmd.UsageString()} }
			o.ids = args
			if err := o.filter.check(); err != nil {
				return wrong(err.Error())
			}
			chosen := o.filter != filter{}
			switch {
			case len(args) > 0 && chosen:
				return wrong("name receipts, or choose them with flags, but not both")
			case len(args) == 0 && !chosen:
				return wrong("name the receipts to replay, or choose them, for example with --dead or --since 1h")
			}
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return completesAny(&w, s, receiptIDs)(cmd, args, typed)
	}
	filterFlags(cmd, &o.filter, &w, s)
	cmd.Flags().IntVarP(&o.filter.count, "count", "n", 0, "at most so many, the newest of them")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do it without asking")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runWebhookReplay(ctx context.Context, o webhookReplayOptions) error {
	client, err := o.gateway.running()
	if err != nil {
		return err
	}
	if len(o.ids) == 0 {
		if o.ids, err = o.chosen(ctx, client); err != nil || len(o.ids) == 0 {
			return err
		}
	}
	p := startProgress(o.streams, "replaying")
	results, err := replay(ctx, client, o.ids, p)
	p.stop()
	if o.json {
		err = errors.Join(err, writeJSON(o.streams, api.ReplayResults{Replays: results}))
	} else {
		showReplays(o.streams, results, len(o.ids))
	}
	failed := slices.ContainsFunc(results, func(r deliveries.Replayed) bool { return r.Error != "" })
	if err == nil && failed {
		return errShown
	}
	return err
}

// chosen lists what the flags choose, the oldest first, once a person has seen
// how many those are.
func (o webhookReplayOptions) chosen(ctx context.Context, r records) ([]string, error) {
	list, err := o.filter.choose(ctx, r, func(one deliveries.Receipt) bool {
		switch job.Outcome(one.Outcome) {
		case job.Handshake, job.Empty:
			return false
		case job.Duplicate:
			return o.filter.outcome != ""
		default:
			// A dead letter that was replayed is none; its replay may be.
			return one.ReplayOf == "" || o.filter.dead
		}
	})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		if o.json {
			return nil, writeJSON(o.streams, api.ReplayResults{Replays: []deliveries.Replayed{}})
		}
		fmt.Fprintln(o.streams.Err, o.filter.none(o.gateway))
		return nil, nil
	}
	ids := make([]string, 0, len(list))
	for _, one := range slices.Backward(list) {
		ids = append(ids, one.ID)
	}
	if o.yes {
		return ids, nil
	}
	what := fmt.Sprintf("%s, from %s to %s", deliveriesText(len(list)), when(list[len(list)-1].ReceivedAt), when(list[0].ReceivedAt))
	d, ok := o.streams.dialog()
	if !ok {
		return nil, fmt.Errorf("this would replay %s; --yes does it", what)
	}
	if yes, err := d.confirm(ctx, "Replay "+what+"?", false); err != nil || !yes {
		return nil, err
	}
	return ids, nil
}

func replay(ctx context.Context, client *api.Client, ids []string, p *progress) ([]deliveries.Replayed, error) {
	results := []deliveries.Replayed{}
	for batch := range slices.Chunk(ids, api.MaxReplays) {
		some, err := client.Replay(ctx, batch)
		results = append(results, some...)
		if err != nil {
			return results, err
		}
		p.update(fmt.Sprintf("replaying: %d of %d", len(results), len(ids)))
	}
	return results, nil
}

func showReplays(s Streams, results []deliveries.Replayed, asked int) {
	queued := 0
	for _, r := range results {
		queued += r.Queued + r.Merged
		if r.Error != "" {
			fmt.Fprintf(s.Err, "%s %s %s\n", s.errPaint(red, "failed:"), printableLine(r.Of), printableLine(r.Error))
			continue
		}
		fmt.Fprintf(s.Out, "%s -> %s  %s\n", r.Of, r.Receipt, replayText(r))
	}
	if asked > 1 {
		fmt.Fprintf(s.Out, "%d of %s replayed, %s queued\n", succeeded(results), deliveriesText(asked), count(queued, "job"))
	}
}

func succeeded(results []deliveries.Replayed) (n int) {
	for _, r := range results {
		if r.Error == "" {
			n++
		}
	}
	return n
}

func replayText(r deliveries.Replayed) string {
	switch {
	case r.Events == 0:
		return "no event in it"
	case r.Matched == 0:
		return "no agent wants it now; al webhook explain " + r.Receipt + " says why"
	case r.Duplicate:
		return "left to what still waits or runs"
	}
	text := count(r.Queued, "job") + " queued"
	if r.Merged > 0 {
		text += ", " + count(r.Merged, "event") + " joined a waiting job"
	}
	if r.Dropped > 0 {
		text += fmt.Sprintf(", %d dropped", r.Dropped)
	}
	return text
}
