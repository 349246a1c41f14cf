package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"

	"github.com/action-llama/gateway/host/deliveries"
)

type webhookExplainOptions struct {
	streams Streams
	gateway gateway
	what    string // a receipt, or a file
	typ     string // of a file
	sources []string
	headers []string
	agent   string
	json    bool
}

func newWebhookExplain(s Streams, run func(context.Context, webhookExplainOptions) error) *cobra.Command {
	o := webhookExplainOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "explain RECEIPT|FILE",
		Short: "Say for every trigger why it wants a delivery, or why not",
		Long: `Say for every trigger whether it wants a delivery, filter by filter: what it asks
for and what the event has. It is judged by the configuration that the gateway
works by at this moment; nothing is started.

A FILE ("-" for standard input) holds the body of a delivery that has not come.
Name its provider with --type and, where the vendor says in a header what
happened, the header with --header. It is taken as if it came, signed, for all
sources of that type, or for those that --source names.`,
		Example: `  al webhook explain 01k6r3z0m9t5c8q2w7x4y1v0nb
  al webhook explain 01k6r3z0m9t5c8q2w7x4y1v0nb --agent dev
  al webhook explain body.json --type acme --header 'X-Acme-Event: ticket'`,
		Args: words(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.what = args[0]
			if _, err := headersOf(o.headers); err != nil {
				return &usageError{err: err, usage: cmd.UsageString()}
			}
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			file, err := o.file()
			switch {
			case err != nil:
				return err
			case file && o.typ == "":
				return &usageError{err: fmt.Errorf("%s is a file: --type has to say which provider its delivery is for", o.what), usage: cmd.UsageString()}
			case !file && (o.typ != "" || len(o.headers) > 0 || len(o.sources) > 0):
				return &usageError{err: errors.New("--type, --header and --source are for a file; a receipt has all of that"), usage: cmd.UsageString()}
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		list, _ := completes(&w, s, receiptIDs)(cmd, args, typed)
		return list, cobra.ShellCompDirectiveDefault // and files
	}
	cmd.Flags().StringVar(&o.typ, "type", "", "the provider that a file's delivery is for")
	cmd.Flags().StringArrayVar(&o.sources, "source", nil, "the source that a file's delivery is for")
	cmd.Flags().StringArrayVar(&o.headers, "header", nil, `a header of a file's delivery, "Name: value"`)
	cmd.Flags().StringVar(&o.agent, "agent", "", "only the triggers of this agent")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	_ = cmd.RegisterFlagCompletionFunc("type", completesAny(&w, s, providerTypes))
	_ = cmd.RegisterFlagCompletionFunc("source", completesAny(&w, s, sourceNames))
	_ = cmd.RegisterFlagCompletionFunc("agent", completesAny(&w, s, agentsOf))
	return cmd
}

// completesAny is completes for flags, which come before or after arguments.
func completesAny(w *where, s Streams, offer func(context.Context, gateway) []cobra.Completion) completer {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return completes(w, s, offer)(cmd, nil, typed)
	}
}

// receiptLength is that of the ids that receipts have.
const receiptLength = 26

// file says that a file is meant. A receipt's name could be one, too, but only
// for somebody who wants it to.
func (o webhookExplainOptions) file() (bool, error) {
	if o.what == "-" {
		return true, nil
	}
	_, err := os.Stat(o.what)
	switch {
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	case o.typ != "" || len(o.what) != receiptLength:
		return false, fmt.Errorf("%s is neither a file nor the id of a receipt; al webhook ls shows those", o.what)
	default:
		return false, nil
	}
}

// headersOf reads headers as they are written in a request.
func headersOf(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("--header %q is not \"Name: value\"", line)
		}
		h.Add(name, value)
	}
	return h, nil
}

func runWebhookExplain(ctx context.Context, o webhookExplainOptions) error {
	r, done, err := o.gateway.deliveries(ctx, o.streams, true)
	if err != nil {
		return err
	}
	defer done()
	noteOffline(o.streams, r)
	x, err := o.explain(ctx, r)
	if err != nil {
		return err
	}
	if o.agent != "" {
		if err := x.only(o.agent); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(o.streams, x.Explanation)
	}
	showExplanation(o.streams, x.Explanation)
	return nil
}

// explained is an explanation that can be cut down to one agent.
type explained struct{ deliveries.Explanation }

func (x explained) only(agent string) error {
	found := false
	for i := range x.Events {
		e := &x.Events[i]
		e.Triggers = slices.DeleteFunc(e.Triggers, func(v deliveries.Verdict) bool { return v.Agent != agent })
		e.Agents = slices.DeleteFunc(e.Agents, func(a string) bool { return a != agent })
		found = found || len(e.Triggers) > 0
	}
	if !found && len(x.Events) > 0 {
		return fmt.Errorf("the agent %q has no [[webhooks]]", agent)
	}
	return nil
}

func (o webhookExplainOptions) explain(ctx context.Context, r records) (explained, error) {
	if isFile, _ := o.file(); !isFile {
		x, err := r.Explain(ctx, o.what)
		return explained{x}, noReceipt(err, o.what)
	}
	body, err := readBody(o.streams, o.what)
	if err != nil {
		return explained{}, err
	}
	headers, err := headersOf(o.headers)
	if err != nil {
		return explained{}, err
	}
	if headers.Get("Content-Type") == "" {
		headers.Set("Content-Type", contentTypeOf(body))
	}
	x, err := r.ExplainCandidate(ctx, deliveries.Candidate{Type: o.typ, Sources: o.sources, Header: headers, Body: body})
	return explained{x}, err
}

// contentTypeOf is what a vendor would say of a body.
func contentTypeOf(body []byte) string {
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] != '{' && trimmed[0] != '[' && bytes.ContainsRune(trimmed, '=') {
		return "application/x-www-form-urlencoded"
	}
	return "application/json"
}

// maxBody bounds a body that is read from a file: more than any vendor sends.
const maxBody = 32 << 20

func readBody(s Streams, file string) ([]byte, error) {
	in := s.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("%s is larger than %s, which is more than a gateway takes", file, bytesText(maxBody))
	}
	return body, nil
}

func showExplanation(s Streams, x deliveries.Explanation) {
	fmt.Fprintf(s.Out, "%s, for %s\n", x.Provider, sourcesText(x.Sources))
	if len(x.Events) == 0 {
		fmt.Fprintln(s.Out, "there is no event in it, so it starts nothing")
		return
	}
	for i, e := range x.Events {
		section(s, eventTitle(i, len(x.Events)))
		fmt.Fprintf(s.Out, "%s\n\n", indented(contextText(e.Context)))
		showTriggers(s, e)
		starts := "starts nothing"
		if len(e.Agents) > 0 {
			starts = "starts " + strings.Join(e.Agents, ", ")
		}
		fmt.Fprintf(s.Out, "\n  %s\n", s.paint(bold, starts))
	}
}

func sourcesText(names []string) string {
	switch len(names) {
	case 0:
		return "no source"
	case 1:
		return "the source " + names[0]
	default:
		return "the sources " + strings.Join(names, ", ")
	}
}

// showTriggers prints what each trigger says to an event.
func showTriggers(s Streams, e deliveries.Event) {
	if len(e.Triggers) == 0 {
		fmt.Fprintln(s.Out, "  no agent has a trigger")
	}
	for _, v := range e.Triggers {
		verdict := s.paint(red, "no ")
		if v.Starts {
			verdict = s.paint(green, "yes")
		}
		fmt.Fprintf(s.Out, "  %s  %s  %s  %s\n", verdict, v.Agent, v.Trigger, s.paint(dim, v.At))
		if v.Why != "" {
			fmt.Fprintf(s.Out, "         %s\n", printableLine(v.Why))
		}
		for _, c := range v.Checks {
			mark := s.paint(green, "+")
			if !c.Holds {
				mark = s.paint(red, "-")
			}
			fmt.Fprintf(s.Out, "       %s %s\n", mark, printableLine(c.Text))
		}
		if v.Starts && len(v.Checks) == 0 {
			fmt.Fprintf(s.Out, "       %s it has no filters, and wants every event of %s\n", s.paint(green, "+"), v.Source)
		}
	}
}
