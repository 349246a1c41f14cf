package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/deliveries"
)

type webhookShowOptions struct {
	streams Streams
	gateway gateway
	id      string
	raw     bool
	json    bool
}

func newWebhookShow(s Streams, run func(context.Context, webhookShowOptions) error) *cobra.Command {
	o := webhookShowOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "show RECEIPT",
		Short: "Show one delivery: body, events, who wanted it, what came of it",
		Long: `Show all about one delivery: its headers and body, the events in it as agents see
them, which triggers want them as the configuration is now, and the jobs and runs
that came of it.

What the provider marks sensitive is masked, and so is what is called a token,
a secret or a password. --raw prints the body exactly as it came, and nothing
else.`,
		Example: `  al webhook show 01k6r3z0m9t5c8q2w7x4y1v0nb
  al webhook show 01k6r3z0m9t5c8q2w7x4y1v0nb --raw > body.json`,
		Args: words(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.id = args[0]
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.ValidArgsFunction = completes(&w, s, receiptIDs)
	cmd.Flags().BoolVar(&o.raw, "raw", false, "print the body as it came, with all that is in it")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("raw", "json")
	return cmd
}

func runWebhookShow(ctx context.Context, o webhookShowOptions) error {
	r, done, err := o.gateway.deliveries(ctx, o.streams, !o.raw)
	if err != nil {
		return err
	}
	defer done()
	if o.raw {
		body, err := r.ReceiptBody(ctx, o.id)
		if err != nil {
			return noReceipt(err, o.id)
		}
		_, err = o.streams.Out.Write(body)
		return err
	}
	noteOffline(o.streams, r)
	d, err := r.Receipt(ctx, o.id)
	if err != nil {
		return noReceipt(err, o.id)
	}
	if o.json {
		return writeJSON(o.streams, d)
	}
	showDetail(o.streams, d, time.Now())
	return nil
}

func showDetail(s Streams, d deliveries.Detail, now time.Time) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(s.Out, "%s %s\n", s.paint(dim, fmt.Sprintf("%-10s", name)), printableLine(value))
		}
	}
	fmt.Fprintf(s.Out, "%s %s\n", s.paint(bold, d.ID), s.paint(outcomeColour(d.Outcome), d.Outcome))
	line("received", fmt.Sprintf("%s, %s ago", when(d.ReceivedAt), since(now, d.ReceivedAt)))
	line("from", from(d.Receipt))
	line("delivery", d.DeliveryID)
	request := d.Method + " " + d.Path
	if d.Query != "" {
		request += "?" + d.Query
	}
	line("request", request)
	line("replay of", d.ReplayOf)
	line("reason", d.Reason)

	section(s, "Headers")
	for _, name := range slices.Sorted(maps.Keys(d.Header)) {
		for _, value := range d.Header[name] {
			fmt.Fprintf(s.Out, "  %s: %s\n", printableLine(name), printableLine(value))
		}
	}
	section(s, "Body, "+bytesText(d.Size))
	showBody(s, d)
	if d.Explanation == nil {
		section(s, "Events")
		fmt.Fprintf(s.Out, "  nobody can say: %s\n", printableLine(d.Unread))
	} else {
		if len(d.Explanation.Events) == 0 {
			section(s, "Events")
			fmt.Fprintln(s.Out, "  none: it starts nothing")
		}
		for i, e := range d.Explanation.Events {
			section(s, eventTitle(i, len(d.Explanation.Events)))
			fmt.Fprintf(s.Out, "%s\n\n", indented(contextText(e.Context)))
			showTriggers(s, e)
		}
	}
	section(s, "Jobs")
	showJobs(s, d, now)
}

func section(s Streams, text string) { fmt.Fprintf(s.Out, "\n%s\n", s.paint(bold, text)) }

func eventTitle(i, of int) string {
	if of == 1 {
		return "Event"
	}
	return fmt.Sprintf("Event %d of %d", i+1, of)
}

func outcomeColour(outcome string) string {
	switch outcome {
	case "queued":
		return green
	case "unparseable", "dropped":
		return red
	default:
		return yellow
	}
}

func showBody(s Streams, d deliveries.Detail) {
	raw := "al webhook show " + d.ID + " --raw"
	switch d.Body.Format {
	case "withheld":
		fmt.Fprintf(s.Out, "  not shown, since nobody can say what in it is sensitive; %s prints it\n", raw)
	case "binary":
		fmt.Fprintf(s.Out, "  not text; %s prints it\n", raw)
	case "empty":
		fmt.Fprintln(s.Out, "  none")
	default:
		fmt.Fprintln(s.Out, indented(strings.TrimSuffix(d.Body.Text, "\n")))
		if d.Body.Truncated {
			fmt.Fprintf(s.Out, "  ... and more; %s prints all of it\n", raw)
		}
	}
}

// indented is a text for a terminal, below a heading.
func indented(text string) string {
	return "  " + strings.ReplaceAll(printable(text), "\n", "\n  ")
}

func contextText(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw)
	}
	return b.String()
}

func showJobs(s Streams, d deliveries.Detail, now time.Time) {
	if len(d.Jobs) == 0 {
		fmt.Fprintln(s.Out, "  none")
		return
	}
	for _, j := range d.Jobs {
		text := fmt.Sprintf("  %d  %s  %s", j.ID, j.Agent, j.State)
		if j.Joined {
			text += "  joined an earlier event's job"
		}
		if j.Reason != "" {
			text += "  " + printableLine(j.Reason)
		}
		fmt.Fprintln(s.Out, text)
		for _, r := range j.Runs {
			end := "running for " + since(now, r.StartedAt)
			if r.EndedAt != nil {
				end = fmt.Sprintf("%s after %s, exit %d", r.State, since(*r.EndedAt, r.StartedAt), r.ExitCode)
			}
			fmt.Fprintf(s.Out, "      run %s  %s%s\n", r.ID, end, after("  ", printableLine(r.Reason)))
		}
	}
}

func bytesText(n int) string {
	switch {
	case n < 1<<10:
		return count(n, "byte")
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
}
