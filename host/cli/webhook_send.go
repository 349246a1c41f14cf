package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/sdk"
)

type webhookSendOptions struct {
	streams Streams
	gateway gateway // that is asked what came of it
	project string
	typ     string
	event   string // empty to list the samples
	file    string
	source  string
	to      string
	json    bool
}

func newWebhookSend(s Streams, run func(context.Context, webhookSendOptions) error) *cobra.Command {
	o := webhookSendOptions{streams: s}
	w := where{}
	cmd := &cobra.Command{
		Use:   "send TYPE [EVENT]",
		Short: "Send a delivery as the vendor would, to try things out",
		Long: `Send a delivery as the vendor would send it: one of the provider's own samples,
signed with the credential of a source, to the gateway that runs on this project, to that
of AL_URL, or to the one that --to names. Without EVENT it lists the samples.

--file sends another body; then EVENT may be any event of the vendor. The file
is sent as it is, but for these, which are filled in: {{uuid}}, {{hex}}, {{digits}},
{{code}}, {{time}}, {{unix}} and {{millis}}.

Each delivery has an id of its own, so that none is taken for a repeat; with
--file that is so where the vendor sends the id in a header.`,
		Example: `  al webhook send acme                      what can be sent
  al webhook send acme ticket.opened
  al webhook send acme ticket.opened --file ticket.json --source work
  al webhook send acme ticket.opened --to https://gateway.example.com`,
		Args: words(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.typ = args[0]
			if len(args) > 1 {
				o.event = args[1]
			}
			if o.event == "" && (o.file != "" || o.to != "" || o.source != "") {
				return &usageError{err: errors.New("EVENT is missing: what is to be sent?"), usage: cmd.UsageString()}
			}
			if o.to != "" {
				if _, err := gatewayURL(o.to); err != nil {
					return &usageError{err: fmt.Errorf("--to: %w", err), usage: cmd.UsageString()}
				}
			}
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			if o.project, err = filepath.Abs(w.project); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	projectFlag(cmd, &w.project)
	cmd.ValidArgsFunction = sendCompletion(&w, s)
	cmd.Flags().StringVar(&o.file, "file", "", `another body than the sample's; "-" for standard input`)
	cmd.Flags().StringVar(&o.source, "source", "", "the source that it is for; needed when there are several of the type")
	_ = cmd.RegisterFlagCompletionFunc("source", completesAny(&w, s, sourceNames))
	cmd.Flags().StringVar(&o.to, "to", "", "a gateway elsewhere, by its address")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.NoFileCompletions)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// sent is the JSON of al webhook send. Fields are added, never renamed.
type sent struct {
	URL     string `json:"url"`
	Event   string `json:"event"`
	Source  string `json:"source"`
	Signed  bool   `json:"signed"`
	Status  int    `json:"status"`
	Answer  string `json:"answer"`            // the body
	Receipt string `json:"receipt,omitempty"` // when it is known
}

const (
	// sendPatience is for an answer: longer than any vendor waits.
	sendPatience = 60 * time.Second
	// receiptPatience is for a receipt that is written after the answer.
	receiptPatience = 3 * time.Second
	// maxSendAnswer bounds what is read of an answer.
	maxSendAnswer = 1 << 20
)

func runWebhookSend(ctx context.Context, o webhookSendOptions) error {
	p, credentials, _, err := load(o.streams, o.project, nil)
	if err != nil {
		return err
	}
	progress := startProgress(o.streams, "starting the provider "+o.typ)
	provider, stop, err := app.OpenProvider(ctx, p, o.typ, hclog.NewNullLogger())
	progress.stop()
	if err != nil {
		return fmt.Errorf("provider %s: %w", o.typ, err)
	}
	defer func() { _ = stop() }()
	d := sdk.Describe(provider)
	if o.event == "" {
		return showSamples(o, d)
	}

	source, err := o.sourceOf(p)
	if err != nil {
		return err
	}
	secret, err := app.SourceSecret(source, d, credentials)
	if err != nil {
		return err
	}
	settings, err := app.SourceSettings(source, provider, d)
	if err != nil {
		return err
	}
	req, err := o.request(ctx, provider, source.Name, secret, settings)
	if err != nil {
		return err
	}
	address, err := o.address(source)
	if err != nil {
		return err
	}
	result := sent{URL: address, Event: o.event, Source: source.Name, Signed: secret != nil}
	if err := o.post(ctx, req, &result); err != nil {
		return err
	}
	o.findReceipt(ctx, provider, req, &result)
	return o.show(result)
}

func showSamples(o webhookSendOptions, d sdk.Descriptor) error {
	if o.json {
		type sample struct {
			Name string `json:"name"`
			Help string `json:"help"`
		}
		list := []sample{}
		for _, s := range d.Samples {
			list = append(list, sample(s))
		}
		return writeJSON(o.streams, map[string]any{"samples": list})
	}
	if len(d.Samples) == 0 {
		fmt.Fprintf(o.streams.Err, "the provider %s %s has no samples\n", d.Type, d.Version)
		return nil
	}
	w := tabwriter.NewWriter(o.streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EVENT\tWHAT HAPPENS")
	for _, s := range d.Samples {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s.Help)
	}
	return w.Flush()
}

// sourceOf chooses the source that is sent to.
func (o webhookSendOptions) sourceOf(p *config.Project) (config.Source, error) {
	var names []string
	var found config.Source
	for _, s := range p.Sources {
		if s.Type != o.typ {
			continue
		}
		if names = append(names, s.Name); o.source == "" || o.source == s.Name {
			found = s
		}
	}
	switch {
	case len(names) == 0:
		return found, fmt.Errorf("config.toml has no source of the type %s; add [webhooks.<name>] with type = %q", o.typ, o.typ)
	case found.Name == "":
		return found, fmt.Errorf("there is no source %q of the type %s%s", o.source, o.typ, after("; ", spelling.DidYouMean(o.source, names)))
	case o.source == "" && len(names) > 1:
		return found, fmt.Errorf("there are several sources of the type %s: name one of %s with --source", o.typ, strings.Join(names, ", "))
	}
	return found, nil
}

// request has the provider make the delivery.
func (o webhookSendOptions) request(ctx context.Context, p sdk.Provider, source string, secret *sdk.Secret, settings sdk.Settings) (sdk.Request, error) {
	d := sdk.Describe(p)
	sampler, ok := p.(sdk.Sampler)
	if !ok || len(d.Samples) == 0 {
		return sdk.Request{}, fmt.Errorf("the provider %s %s can not make deliveries; a newer one may", d.Type, d.Version)
	}
	now := time.Now()
	ask := sdk.SampleAsk{Name: o.event, Secret: secret, Settings: settings, SentAt: now, Unique: job.NewID(now)}
	if o.file != "" {
		body, err := readBody(o.streams, o.file)
		if err != nil {
			return sdk.Request{}, err
		}
		ask.Body = []byte(ask.Fill(string(body)))
	}
	req, err := sampler.Sample(ctx, ask)
	if len(d.Settings) > 0 { // its events can not be read without
		req.Sources = []sdk.Source{{Name: source, Settings: settings, Unsigned: secret == nil}}
	}
	switch {
	case errors.Is(err, sdk.ErrNoSample):
		names := make([]string, len(d.Samples))
		for i, s := range d.Samples {
			names[i] = s.Name
		}
		return req, fmt.Errorf("%s has no sample %q%s (it has %s); --file sends a body of your own",
			d.Type, o.event, after("; ", spelling.DidYouMean(o.event, names)), strings.Join(names, ", "))
	case err != nil:
		return req, fmt.Errorf("make the delivery: %w", err)
	}
	return req, nil
}

// address is where the delivery goes.
func (o webhookSendOptions) address(source config.Source) (string, error) {
	base := o.to
	if base == "" && o.gateway.remote != nil { // of AL_URL
		base = o.gateway.remote.URL
	}
	if base == "" {
		in, err := app.Find(o.gateway.dir)
		if errors.Is(err, app.ErrNotRunning) {
			return "", fmt.Errorf("%w (%s); start it with al start, or name another one with --to", err, o.gateway.dir)
		}
		if err != nil {
			return "", err
		}
		base = in.URL
	}
	u, err := gatewayURL(base)
	if err != nil {
		return "", err
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/webhooks/" + source.Type + "/" + source.Name
	}
	return u.String(), nil
}

func (o webhookSendOptions) post(ctx context.Context, made sdk.Request, result *sent) error {
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	address := result.URL
	if made.Query != "" {
		address += "?" + made.Query
	}
	req, err := http.NewRequestWithContext(ctx, made.Method, address, bytes.NewReader(made.Body))
	if err != nil {
		return fmt.Errorf("send the delivery: %w", err)
	}
	req.Header = made.Header
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("send the delivery to %s: %w", result.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSendAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", result.URL, err)
	}
	result.Status, result.Answer = resp.StatusCode, string(body)
	return nil
}

// findReceipt looks the delivery up: most vendors expect an answer that does
// not say, and what started nothing is written a moment after the answer. One
// that --to names can not be asked.
func (o webhookSendOptions) findReceipt(ctx context.Context, p sdk.Provider, made sdk.Request, result *sent) {
	var said struct{ Receipt string }
	if json.Unmarshal([]byte(result.Answer), &said) == nil {
		result.Receipt = said.Receipt
	}
	events, err := sdk.Parse(ctx, p, made)
	if o.to != "" || result.Status/100 != 2 || err != nil || len(events) == 0 || result.Receipt == "" && events[0].DeliveryID == "" {
		return
	}
	client, err := o.gateway.client()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, receiptPatience)
	defer cancel()
	for {
		list, err := client.Receipts(ctx, deliveries.Filter{Provider: o.typ, Since: made.ReceivedAt.Add(-time.Second), Limit: 100})
		if err != nil {
			return
		}
		for _, r := range list {
			if r.ID == result.Receipt || result.Receipt == "" && r.DeliveryID == events[0].DeliveryID {
				result.Receipt = r.ID
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (o webhookSendOptions) show(r sent) error {
	s := o.streams
	if o.json {
		if err := writeJSON(s, r); err != nil {
			return err
		}
	} else {
		colour := green
		if r.Status/100 != 2 {
			colour = red
		}
		signed := "signed"
		if !r.Signed {
			signed = "unsigned"
		}
		fmt.Fprintf(s.Out, "sent %s, %s, to %s\n%s", r.Event, signed, r.URL, s.paint(colour, fmt.Sprintf("answered %d", r.Status)))
		fmt.Fprintf(s.Out, "%s\n", after(" ", printableLine(strings.TrimSpace(r.Answer))))
		if r.Receipt != "" {
			fmt.Fprintf(s.Out, "al webhook show %s says what came of it, al webhook explain why\n", r.Receipt)
		}
	}
	if r.Status/100 == 2 {
		return nil
	}
	if r.Status == http.StatusUnauthorized {
		fmt.Fprintf(s.Err, "the gateway does not take the signature: it has another credential for the source %s than this machine\n", r.Source)
	}
	return errShown
}

// sendCompletion offers types, and then the samples of one.
func sendCompletion(w *where, s Streams) completer {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch len(args) {
		case 0:
			return completes(w, s, providerTypes)(cmd, args, typed)
		case 1:
			return completesAny(w, s, func(ctx context.Context, g gateway) []cobra.Completion { return samplesOf(ctx, g, args[0]) })(cmd, args, typed)
		default:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
}

// samplesOf asks a provider for its samples.
func samplesOf(ctx context.Context, g gateway, typ string) []cobra.Completion {
	var p *config.Project
	if g.local() {
		p, _ = config.Load(g.dir, config.Options{CheckSchedule: app.CheckSchedule})
	}
	provider, stop, err := app.OpenProvider(ctx, p, typ, hclog.NewNullLogger())
	if err != nil {
		return nil
	}
	defer func() { _ = stop() }()
	var out []cobra.Completion
	for _, sample := range sdk.Describe(provider).Samples {
		out = append(out, cobra.CompletionWithDesc(sample.Name, sample.Help))
	}
	return out
}
