package deliveries

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/host/sensitive"
	"github.com/action-llama/gateway/sdk"
)

// Explanation says which triggers want the events of a delivery, and why the
// others do not.
type Explanation struct {
	Provider string   `json:"provider"`
	Sources  []string `json:"sources"` // that the delivery came for
	Events   []Event  `json:"events"`
}

// Event is one event of a delivery and what the configuration makes of it.
type Event struct {
	Context    json.RawMessage     `json:"context"`    // as an agent sees it, less what is sensitive
	Attributes map[string][]string `json:"attributes"` // what filters look at
	Agents     []string            `json:"agents"`     // that it starts
	Triggers   []Verdict           `json:"triggers"`   // every trigger there is
}

// Verdict is what one trigger says to an event.
type Verdict struct {
	Agent   string `json:"agent"`
	Trigger string `json:"trigger"` // "webhooks[0]"
	At      string `json:"at"`      // where it is written
	Source  string `json:"source"`
	Matched bool   `json:"matched"`
	// Starts: this is the trigger by which the event starts the agent. It is
	// one for each agent, however many match.
	Starts bool `json:"starts"`
	// Why a trigger starts nothing, besides what its filters say.
	Why    string  `json:"why,omitempty"`
	Checks []Check `json:"checks"`
}

// Check is what a trigger asks of one attribute of an event.
type Check struct {
	Filters   []string `json:"filters"` // of the trigger, that look at the attribute
	Attribute string   `json:"attribute"`
	Wanted    []string `json:"wanted"`
	Got       []string `json:"got"`
	Holds     bool     `json:"holds"`
	Text      string   `json:"text"` // all of it as a sentence
}

// Candidate is a request that has not been received: what would become of it?
type Candidate struct {
	Type    string      `json:"type"`              // of the provider
	Sources []string    `json:"sources,omitempty"` // none stands for all of the type
	Header  http.Header `json:"header,omitempty"`
	Body    []byte      `json:"body"`
}

// Explain says of a recorded delivery which triggers want it now.
func (b *Book) Explain(ctx context.Context, id string) (Explanation, error) {
	r, err := b.Records.Receipt(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	return b.View().explainRequest(ctx, r, r.Sources)
}

// ExplainCandidate says which triggers would want a request if it came now,
// properly signed. It is a *CandidateError when there is no such source.
func (b *Book) ExplainCandidate(ctx context.Context, c Candidate, now time.Time) (Explanation, error) {
	view := b.View()
	known := view.sourcesOf(c.Type)
	if len(known) == 0 {
		return Explanation{}, &CandidateError{fmt.Sprintf("no source in config.toml has the type %q", c.Type)}
	}
	sources := c.Sources
	if len(sources) == 0 {
		sources = known
	}
	for _, s := range sources {
		if !slices.Contains(known, s) {
			return Explanation{}, &CandidateError{fmt.Sprintf("there is no source %q of the type %s; there is %q", s, c.Type, known)}
		}
	}
	return view.explainRequest(ctx, job.Receipt{
		Provider: c.Type, Sources: sources, ReceivedAt: now, Method: http.MethodPost, Path: "/webhooks/" + c.Type,
		Header: c.Header, Body: c.Body,
	}, sources)
}

// CandidateError is a fault in a [Candidate].
type CandidateError struct{ message string }

func (e *CandidateError) Error() string { return e.message }

func (v *View) explainRequest(ctx context.Context, r job.Receipt, sources []string) (Explanation, error) {
	events, err := v.parse(ctx, r)
	if err != nil {
		return Explanation{}, err
	}
	x, err := v.explain(r, sources, events)
	if err != nil {
		return Explanation{}, err
	}
	return *x, nil
}

func (v *View) explain(r job.Receipt, sources []string, events []sdk.Event) (*Explanation, error) {
	x := &Explanation{Provider: r.Provider, Sources: sources, Events: make([]Event, len(events))}
	if x.Sources == nil {
		x.Sources = []string{}
	}
	hide := hiderOf(events)
	for i, e := range events {
		one := Event{Attributes: hide.attributes(e.Attributes), Agents: []string{}, Triggers: []Verdict{}}
		hits, _ := v.Routes.Match(sources, &e)
		own, source := ingest.EventSources(sources, &e), ""
		if len(own) > 0 {
			source = own[0]
		}
		for n, h := range hits {
			one.Agents = append(one.Agents, h.Agent)
			if n == 0 {
				source = h.Source
			}
		}
		shown := e
		shown.Extra = sensitive.Hidden(e.Extra, e.Sensitive)
		var err error
		if one.Context, err = ingest.ContextJSON(shown, r.Provider, source, r.ID); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		one.Context = hide.context(one.Context)
		one.Triggers = v.verdicts(own, e, hits, hide)
		x.Events[i] = one
	}
	return x, nil
}

// verdicts goes through every trigger of the configuration.
func (v *View) verdicts(sources []string, e sdk.Event, hits []match.Hit, hide hider) []Verdict {
	enabled, disabled := map[int]match.Explanation{}, map[int]match.Explanation{}
	for _, s := range sources {
		for _, x := range v.Routes.Matcher.Explain(s, e.Attributes) {
			enabled[x.Trigger] = x
		}
		for _, x := range v.Disabled.Explain(s, e.Attributes) {
			disabled[x.Trigger] = x
		}
	}
	out := make([]Verdict, 0, len(v.Triggers))
	for _, t := range v.Triggers {
		verdict := Verdict{Agent: t.Agent, Trigger: t.Label, At: t.At, Source: t.Source, Checks: []Check{}}
		from := enabled
		if t.Disabled {
			from = disabled
			verdict.Why = "the agent is disabled (scale = 0)"
		}
		x, asked := from[t.Index]
		if !asked {
			verdict.Why = fmt.Sprintf("it is for the source %s, and the delivery came for %s", t.Source, listed(sources))
			out = append(out, verdict)
			continue
		}
		verdict.Matched = x.Matched
		for _, c := range x.Checks {
			c.Got = hide.texts(c.Got)
			verdict.Checks = append(verdict.Checks, Check{
				Filters: c.Filters, Attribute: c.Attribute, Wanted: some(c.Wanted), Got: some(c.Got), Holds: c.Holds, Text: c.String(),
			})
		}
		if x.Matched && !t.Disabled {
			held := false
			verdict.Starts = slices.ContainsFunc(hits, func(h match.Hit) bool { return h.Trigger == t.Index })
			if verdict.Why, held = v.Routes.HoldsBack(t.Index, &e); !held && !verdict.Starts {
				verdict.Why = "an earlier trigger starts the agent already"
			}
		}
		out = append(out, verdict)
	}
	return out
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	text := names[0]
	for _, n := range names[1:] {
		text += ", " + n
	}
	return text
}

// some is a list that JSON does not write as null.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
