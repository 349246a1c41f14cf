package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/host/store"
)

func newWebhook(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Look at deliveries, explain and repeat them",
		Long: `Look at what vendors delivered: what was in it, which agents it started and why
not others; let it happen again; or send a delivery to try things out.`,
		Example: `  al webhook ls --outcome unmatched     what came and started nothing
  al webhook show ID                    all about one delivery
  al webhook explain ID                 why it did or did not start an agent
  al webhook replay ID                  let it happen again
  al webhook send acme ticket.opened    try out what the vendor would send`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newWebhookLs(s, runWebhookLs),
		newWebhookShow(s, runWebhookShow),
		newWebhookExplain(s, runWebhookExplain),
		newWebhookReplay(s, runWebhookReplay),
		newWebhookSend(s, runWebhookSend),
	)
	return cmd
}

// records is what can be told of past deliveries, by a gateway that runs or by
// what one has left.
type records interface {
	Receipts(ctx context.Context, f deliveries.Filter) ([]deliveries.Receipt, error)
	Receipt(ctx context.Context, id string) (deliveries.Detail, error)
	ReceiptBody(ctx context.Context, id string) ([]byte, error)
	Explain(ctx context.Context, id string) (deliveries.Explanation, error)
	ExplainCandidate(ctx context.Context, c deliveries.Candidate) (deliveries.Explanation, error)
	Plan(ctx context.Context, q deliveries.PlanRequest) (deliveries.PlanPage, error)
}

// deliveries asks the gateway that runs or, when none does, reads its store. For
// meanings the configuration in the files has to be sound then: it says which
// providers know them. The function ends the reading.
func (g gateway) deliveries(ctx context.Context, s Streams, meanings bool) (records, func(), error) {
	client, err := g.client()
	if !errors.Is(err, app.ErrNotRunning) {
		return client, func() {}, err
	}
	if err := g.checkProject(); err != nil {
		return nil, nil, err
	}
	p, problems := config.Load(g.dir, config.Options{CheckSchedule: app.CheckSchedule})
	if problems.Err() != nil && meanings {
		showProblems(s, problems)
		return nil, nil, errShown
	}
	book, done, err := app.OpenDeliveries(ctx, app.OfflineOptions{Project: p, Log: hclog.NewNullLogger()})
	if err != nil {
		return nil, nil, err
	}
	return offline{book}, func() { _ = done() }, nil // it only read
}

// noteOffline says that what a delivery means is by the files, and not by what a
// gateway works by.
func noteOffline(s Streams, r records) {
	if _, ok := r.(offline); ok {
		fmt.Fprintln(s.Err, s.errPaint(dim, "no gateway runs: this is by the configuration in the files"))
	}
}

// offline are the records of a gateway that is down.
type offline struct{ book *deliveries.Book }

func (o offline) Receipts(ctx context.Context, f deliveries.Filter) ([]deliveries.Receipt, error) {
	return o.book.List(ctx, f)
}

func (o offline) Receipt(ctx context.Context, id string) (deliveries.Detail, error) {
	d, err := o.book.Show(ctx, id)
	return d, noReceipt(err, id)
}

func (o offline) ReceiptBody(ctx context.Context, id string) ([]byte, error) {
	body, err := o.book.Body(ctx, id)
	return body, noReceipt(err, id)
}

func (o offline) Explain(ctx context.Context, id string) (deliveries.Explanation, error) {
	x, err := o.book.Explain(ctx, id)
	return x, noReceipt(err, id)
}

func (o offline) ExplainCandidate(ctx context.Context, c deliveries.Candidate) (deliveries.Explanation, error) {
	return o.book.ExplainCandidate(ctx, c, time.Now())
}

func (o offline) Plan(ctx context.Context, q deliveries.PlanRequest) (deliveries.PlanPage, error) {
	return o.book.Plan(ctx, q)
}

// noReceipt says what to do about an id that names nothing.
func noReceipt(err error, id string) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, api.ErrNotFound) {
		return fmt.Errorf("there is no receipt %q; al webhook ls shows which there are", id)
	}
	return err
}

// filter are the flags that choose among deliveries.
type filter struct {
	source, provider, outcome string
	since                     span
	dead                      bool
	count                     int
}

func filterFlags(cmd *cobra.Command, f *filter, w *where, s Streams) {
	flags := cmd.Flags()
	flags.StringVar(&f.source, "source", "", "only of this source")
	flags.StringVar(&f.provider, "provider", "", "only of this provider")
	flags.StringVar(&f.outcome, "outcome", "", "only with this outcome: "+strings.Join(deliveries.Outcomes(), ", "))
	flags.Var(&f.since, "since", "only of this time: 90m, 24h, 7d")
	flags.BoolVar(&f.dead, "dead", false, "only dead letters: not understood, or with a job that was given up")
	_ = cmd.RegisterFlagCompletionFunc("source", completes(w, s, sourceNames))
	_ = cmd.RegisterFlagCompletionFunc("provider", completes(w, s, providerTypes))
	_ = cmd.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions(deliveries.Outcomes(), cobra.ShellCompDirectiveNoFileComp))
}

// check returns what is wrong with the words of a filter.
func (f filter) check() error {
	if f.outcome != "" && !slices.Contains(deliveries.Outcomes(), f.outcome) {
		return fmt.Errorf("--outcome %q is none of %s%s", f.outcome, strings.Join(deliveries.Outcomes(), ", "),
			after("; ", spelling.DidYouMean(f.outcome, deliveries.Outcomes())))
	}
	if f.count < 0 {
		return fmt.Errorf("-n takes a number of deliveries, and %d is none", f.count)
	}
	return nil
}

func after(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}

// of is the filter in the words of the records. now is when it counts back
// from.
func (f filter) of(now time.Time) deliveries.Filter {
	out := deliveries.Filter{Source: f.source, Provider: f.provider, Outcome: f.outcome, Dead: f.dead}
	if f.since != 0 {
		out.Since = now.Add(-time.Duration(f.since))
	}
	return out
}

// String says what was asked for, to say that there is none.
func (f filter) String() string {
	text := "deliveries"
	if f.dead {
		text = "dead letters"
	}
	for _, part := range []struct{ value, words string }{
		{f.source, " of the source "}, {f.provider, " of the provider "}, {f.outcome, " with the outcome "}, {f.since.String(), " in the last "},
	} {
		if part.value != "" {
			text += part.words + part.value
		}
	}
	return text
}

func deliveriesText(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", n)
}

// pageSize is how many deliveries are asked for at a time.
const pageSize = 200

// choose lists what a filter asks for, the newest first, at most count, or all
// when that is 0.
func (f filter) choose(ctx context.Context, r records, keep func(deliveries.Receipt) bool) ([]deliveries.Receipt, error) {
	ask := f.of(time.Now())
	out := []deliveries.Receipt{}
	for {
		ask.Limit = pageSize
		if f.count > 0 && keep == nil {
			ask.Limit = min(pageSize, f.count-len(out))
		}
		page, err := r.Receipts(ctx, ask)
		if err != nil {
			return nil, err
		}
		for _, one := range page {
			if keep == nil || keep(one) {
				out = append(out, one)
			}
			if f.count > 0 && len(out) == f.count {
				return out, nil
			}
		}
		if len(page) < ask.Limit {
			return out, nil
		}
		ask.Before = page[len(page)-1].ID
	}
}

// none says that a filter finds nothing, and where a name in it may be wrong.
func (f filter) none(g gateway) string {
	text := "there are no " + f.String()
	if !g.local() {
		return text
	}
	p, _ := config.Load(g.dir, config.Options{CheckSchedule: app.CheckSchedule})
	var sources, types []string
	if p != nil {
		for _, src := range p.Sources {
			sources, types = append(sources, src.Name), append(types, src.Type)
		}
	}
	for name, known := range map[string][]string{f.source: sources, f.provider: types} {
		if name != "" && !slices.Contains(known, name) {
			text += fmt.Sprintf("; config.toml has no %q%s", name, after(", ", spelling.DidYouMean(name, known)))
		}
	}
	return text
}

// sourceNames offers the sources of a project.
func sourceNames(_ context.Context, g gateway) []cobra.Completion {
	return ofProject(g, func(p *config.Project) (out []cobra.Completion) {
		for _, s := range p.Sources {
			out = append(out, cobra.CompletionWithDesc(s.Name, s.Type))
		}
		return out
	})
}

// providerTypes offers the types that a project has sources of.
func providerTypes(_ context.Context, g gateway) []cobra.Completion {
	return ofProject(g, func(p *config.Project) (out []cobra.Completion) {
		for _, s := range p.Sources {
			if !slices.Contains(out, s.Type) {
				out = append(out, s.Type)
			}
		}
		return out
	})
}

func ofProject(g gateway, offer func(*config.Project) []cobra.Completion) []cobra.Completion {
	if !g.local() {
		return nil
	}
	p, _ := config.Load(g.dir, config.Options{CheckSchedule: app.CheckSchedule})
	if p == nil {
		return nil
	}
	return offer(p)
}

// receiptIDs offers the newest deliveries.
func receiptIDs(ctx context.Context, g gateway) []cobra.Completion {
	r, done, err := g.deliveries(ctx, quiet(Streams{}), false)
	if err != nil {
		return nil
	}
	defer done()
	list, err := r.Receipts(ctx, deliveries.Filter{Limit: 20})
	if err != nil {
		return nil
	}
	out := make([]cobra.Completion, len(list))
	for i, one := range list {
		out[i] = cobra.CompletionWithDesc(one.ID, strings.TrimSpace(fmt.Sprintf("%s %s, %s ago, %s",
			one.Provider, one.Event, since(time.Now(), one.ReceivedAt), one.Outcome)))
	}
	return out
}
