package deliveries

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/flow"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// Proposal is a configuration that nobody works by yet, as far as it says which
// events start which agents.
type Proposal struct {
	Sources []Source        `json:"sources"`
	Agents  []ProposedAgent `json:"agents"`
}

// ProposedAgent is an agent of a proposal.
type ProposedAgent struct {
	Name     string            `json:"name"`
	Disabled bool              `json:"disabled,omitempty"`
	Triggers []ProposedTrigger `json:"triggers"`
}

// ProposedTrigger is a [[webhooks]] of an agent.
type ProposedTrigger struct {
	Source  string           `json:"source"`
	At      string           `json:"at"` // file:line:column
	Filters []ProposedFilter `json:"filters"`
	// IgnoreSenders are those whose events the trigger does not want.
	IgnoreSenders []string `json:"ignoreSenders,omitempty"`
}

// ProposedFilter is a key of a trigger beside its source.
type ProposedFilter struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
	List   bool     `json:"list"` // written as a list
	At     string   `json:"at"`
}

// PlanRequest asks what a proposal would have made of past deliveries, page by
// page: the newest first, each page as large as can be answered in a moment.
type PlanRequest struct {
	Proposal Proposal  `json:"proposal"`
	Since    time.Time `json:"since"`
	Before   string    `json:"before,omitempty"` // Next of the page before
}

// PlanPage is a part of the answer.
type PlanPage struct {
	// Problems of the proposal. When one of them is an error nothing else is
	// filled.
	Problems []Problem `json:"problems,omitempty"`
	// Against is what the proposal is compared with: the configuration that the
	// gateway runs by, or what was recorded.
	Against  string         `json:"against"`
	Receipts int            `json:"receipts"` // that were looked at
	Events   []PlannedEvent `json:"events"`
	Unread   []Unread       `json:"unread,omitempty"`
	Next     string         `json:"next,omitempty"` // empty at the end
}

// What a proposal is compared with.
const (
	AgainstRunning  = "running"
	AgainstRecorded = "recorded"
)

// Problem is something to mend in a proposal.
type Problem struct {
	Severity string `json:"severity"` // error or warning
	At       string `json:"at"`
	Message  string `json:"message"`
}

// PlannedEvent is a past event and the agents that it starts: now, and by the
// proposal.
type PlannedEvent struct {
	// Identity is the same for every delivery of one event.
	Identity   string    `json:"identity"`
	Receipt    string    `json:"receipt"`
	ReceivedAt time.Time `json:"receivedAt"`
	Provider   string    `json:"provider"`
	Sources    []string  `json:"sources"`
	Event      string    `json:"event"` // "issues.labeled"
	Subject    string    `json:"subject,omitempty"`
	Now        []string  `json:"now"`
	Then       []string  `json:"then"`
	// Lost are sources of the delivery that the proposal does not have.
	Lost []string `json:"lost,omitempty"`
}

// Unread is a delivery of which nobody can say what it means.
type Unread struct {
	Receipt string `json:"receipt"`
	Why     string `json:"why"`
}

const (
	planReceipts = 200
	// planTime is well within what a client waits for.
	planTime = 3 * time.Second
)

// Plan answers one page.
func (b *Book) Plan(ctx context.Context, q PlanRequest) (PlanPage, error) {
	view := b.View()
	p, problems := view.propose(q.Proposal)
	page := PlanPage{Problems: problems, Against: AgainstRecorded, Events: []PlannedEvent{}}
	if b.Live {
		page.Against = AgainstRunning
		p.old = view.Sources
	}
	if slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == match.Error.String() }) {
		return page, nil
	}
	list, err := b.Records.Receipts(ctx, store.Query{Since: q.Since, Before: q.Before, Limit: planReceipts})
	if err != nil {
		return page, err
	}
	began := time.Now()
	for i := range list {
		if i > 0 && time.Since(began) > planTime {
			page.Next = list[i-1].ID
			return page, nil
		}
		page.Receipts++
		if err := b.plan(ctx, view, p, list[i], &page); err != nil {
			return page, err
		}
	}
	if len(list) == planReceipts {
		page.Next = list[len(list)-1].ID
	}
	return page, nil
}

func (b *Book) plan(ctx context.Context, view *View, p proposed, listed job.Receipt, page *PlanPage) error {
	switch listed.Outcome {
	case job.Empty, job.Handshake, job.Unparseable:
		return nil // what no provider found an event in starts nothing, whatever the filters
	default:
	}
	r, err := b.Records.Receipt(ctx, listed.ID)
	switch {
	case errors.Is(err, store.ErrNotFound): // pruned since it was listed
		return nil
	case err != nil:
		return err
	}
	events, err := view.parse(ctx, r)
	switch {
	case errors.Is(err, ErrUnread):
		page.Unread = append(page.Unread, Unread{Receipt: r.ID, Why: err.Error()})
		return nil
	case err != nil:
		return err
	}
	var taken []store.Taken
	if !b.Live && r.Matched > 0 {
		if taken, err = b.Records.Taken(ctx, []string{r.ID}); err != nil {
			return fmt.Errorf("read the jobs of receipt %s: %w", r.ID, err)
		}
	}
	then, lost := p.sources(r)
	after, err := p.read(ctx, view, r, then, events)
	switch {
	case errors.Is(err, ErrUnread):
		page.Unread = append(page.Unread, Unread{Receipt: r.ID, Why: "by the changed settings: " + err.Error()})
		return nil
	case err != nil:
		return err
	}
	hide := hiderOf(slices.Concat(events, after))
	seen := map[string]int{}
	for i := range max(len(events), len(after)) {
		// Other settings may read more events out of a delivery, or fewer.
		shown := after
		if i < len(events) {
			shown = events
		}
		e := shown[i]
		one := PlannedEvent{
			Identity: identity(r, e, i, seen), Receipt: r.ID, ReceivedAt: r.ReceivedAt, Provider: r.Provider, Sources: r.Sources,
			Event: ingest.Kind(e), Subject: hide.text("", subjectOf(e)), Now: []string{}, Then: []string{}, Lost: lost,
		}
		switch {
		case i >= len(events):
		case b.Live:
			one.Now = agentsOf(one.Now, view.Routes, r.Sources, &e)
		default:
			one.Now, taken = recorded(one.Now, taken, e)
		}
		if i < len(after) {
			one.Then = agentsOf(one.Then, p.routes, then, &after[i])
		}
		page.Events = append(page.Events, one)
	}
	return nil
}

func agentsOf(names []string, by *ingest.Routes, sources []string, e *sdk.Event) []string {
	hits, _ := by.Match(sources, e)
	for _, h := range hits {
		names = append(names, h.Agent)
	}
	return names
}

// recorded takes the agents that an event started out of those of its receipt.
// Events of one receipt that nothing tells apart take one job each.
func recorded(agents []string, taken []store.Taken, e sdk.Event) (started []string, left []store.Taken) {
	for _, t := range taken {
		if t.Event == e.Name && t.DeliveryID == e.DeliveryID && !slices.Contains(agents, t.Job.Agent) {
			agents = append(agents, t.Job.Agent)
			continue
		}
		left = append(left, t)
	}
	return agents, left
}

// identity is the same for all deliveries of one event, as deduplication has
// it. A replay is a delivery of what it repeats.
func identity(r job.Receipt, e sdk.Event, i int, seen map[string]int) string {
	if e.DeliveryID == "" {
		id := r.ID
		if r.ReplayOf != "" {
			id = r.ReplayOf
		}
		return id + "#" + strconv.Itoa(i)
	}
	key := r.Provider + " " + strings.Join(ingest.EventSources(r.Sources, &e), ",") + " " + e.DeliveryID
	n := seen[key]
	seen[key]++
	return key + "#" + strconv.Itoa(n)
}

// subjectOf says in a few words what an event is about.
func subjectOf(e sdk.Event) string {
	const most = 80
	where := e.Repo
	if e.Number != 0 {
		where += "#" + strconv.FormatInt(e.Number, 10)
	}
	title := strings.Join(strings.Fields(e.Title), " ")
	if runes := []rune(title); len(runes) > most {
		title = string(runes[:most]) + "..."
	}
	return strings.TrimSpace(where + " " + title)
}

// proposed is a proposal that can be asked.
type proposed struct {
	old    []Source // of the configuration that the receipts were proved by, if it is known
	new    []Source
	routes *ingest.Routes // without providers: what they say is known
	// settings of the sources whose providers have some, by name.
	settings map[string]sdk.Settings
}

// read has the provider read a delivery by the settings of the proposal, where
// they are others than those by which the events were read.
func (p proposed) read(ctx context.Context, view *View, r job.Receipt, sources []string, events []sdk.Event) ([]sdk.Event, error) {
	var as []sdk.Source
	for _, name := range sources {
		if settings, ok := p.settings[name]; ok {
			as = append(as, sdk.Source{Name: name, Settings: settings})
		}
	}
	was := view.settledSources(r.Provider, r.Sources)
	if len(as) == 0 || slices.EqualFunc(as, was, func(a, b sdk.Source) bool { return a.Name == b.Name && a.Settings.Equal(b.Settings) }) {
		return events, nil
	}
	return view.parseAs(ctx, r, as)
}

// propose compiles a proposal with what the providers say of their filters.
func (v *View) propose(p Proposal) (proposed, []Problem) {
	descriptors, settings := map[string]sdk.Descriptor{}, map[string]sdk.Settings{}
	var problems []Problem
	for _, s := range p.Sources {
		d := sdk.Descriptor{} // of a type that nothing was received for yet
		if route := v.Routes.Types[s.Type]; route != nil && route.Unavailable == nil {
			d = route.Descriptor
			read, found := s.settings(d)
			problems = append(problems, found...)
			if d = d.With(read); len(d.Settings) > 0 {
				settings[s.Name] = read
			}
		}
		descriptors[s.Name] = d
	}
	var enabled, disabled []match.Trigger
	var policies []flow.Policy
	for _, a := range p.Agents {
		for _, t := range a.Triggers {
			m := match.Trigger{Agent: a.Name, Source: t.Source, Pos: t.At}
			for _, f := range t.Filters {
				m.Filters = append(m.Filters, match.Filter{Name: f.Name, Values: f.Values, List: f.List, Pos: f.At})
			}
			switch d, known := descriptors[t.Source]; {
			case known && d.Type == "":
			case a.Disabled:
				disabled = append(disabled, m)
			default:
				enabled = append(enabled, m)
				policies = append(policies, flow.Policy{Ignore: flow.NewSenders(t.IgnoreSenders)})
			}
		}
	}
	matcher, found := match.Compile(enabled, descriptors)
	_, more := match.Compile(disabled, descriptors) // only for what is wrong with them
	for _, f := range append(found, more...) {
		problems = append(problems, Problem{Severity: f.Severity.String(), At: f.Pos, Message: f.Message})
	}
	return proposed{new: p.Sources, routes: &ingest.Routes{Matcher: matcher, Policies: policies}, settings: settings}, problems
}

// sources are those that a past delivery would have been proved for by the
// proposal, and lost those that it was for and that are gone. Signatures are
// not kept, so it goes by credentials: sources that accept the same ones prove
// the same deliveries.
func (p proposed) sources(r job.Receipt) (proved, lost []string) {
	_, addressed, _ := strings.Cut(strings.TrimPrefix(r.Path, "/webhooks/"), "/")
	for _, s := range p.new {
		if s.Type != r.Provider || addressed != "" && s.Name != addressed {
			continue
		}
		if slices.Contains(r.Sources, s.Name) || slices.ContainsFunc(p.old, func(old Source) bool {
			return old.Type == s.Type && slices.Contains(r.Sources, old.Name) && sameSecret(old, s)
		}) {
			proved = append(proved, s.Name)
		}
	}
	for _, name := range r.Sources {
		if !slices.ContainsFunc(p.new, func(s Source) bool { return s.Name == name && s.Type == r.Provider }) {
			lost = append(lost, name)
		}
	}
	return proved, lost
}

func sameSecret(a, b Source) bool {
	if len(a.Credentials) == 0 || len(b.Credentials) == 0 {
		return len(a.Credentials) == len(b.Credentials)
	}
	return slices.ContainsFunc(a.Credentials, func(c string) bool { return slices.Contains(b.Credentials, c) })
}
