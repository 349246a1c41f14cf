package deliveries_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/flow"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// bell is a provider in this process. A body is a list of rings.
type bell struct{ sdk.Provider }

func (bell) Describe() sdk.Descriptor {
	return sdk.Descriptor{Type: "bell", Name: "Door bell", Filters: []sdk.Filter{
		{Name: "doors", Attribute: "door"}, {Name: "visitor", Kind: sdk.String, Attribute: "visitor"},
	}}
}

type ring struct{ Door, Visitor, ID, Token, Sender string }

func (bell) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	var rings []ring
	if err := json.Unmarshal(req.Body, &rings); err != nil {
		return nil, sdk.Unparseable("not a list of rings")
	}
	var events []sdk.Event
	for i, r := range rings {
		e := sdk.Event{
			Name: "ring", Action: "long", DeliveryID: r.ID, Sender: r.Sender, Automated: r.Sender == "robot", Title: "at\nthe " + r.Door, Repo: "home", Number: int64(i + 1),
			Attributes: map[string][]string{"door": {r.Door}},
		}
		if r.Visitor != "" {
			e.Attributes["visitor"] = []string{r.Visitor}
		}
		if r.Token != "" {
			e.Extra, e.Sensitive = map[string]any{"opener": map[string]any{"token": r.Token, "id": "7"}}, []string{"opener.token"}
		}
		events = append(events, e)
	}
	return events, nil
}

// records are those of a store, in memory.
type records struct {
	receipts []job.Receipt // the oldest first
	taken    []store.Taken
	runs     map[int64][]job.Run
}

func (r *records) Receipts(_ context.Context, q store.Query) ([]job.Receipt, error) {
	var out []job.Receipt
	for _, one := range slices.Backward(r.receipts) {
		if (q.Before == "" || one.ID < q.Before) && !one.ReceivedAt.Before(q.Since) && len(out) < q.Limit {
			one.Body = nil
			out = append(out, one)
		}
	}
	return out, nil
}

func (r *records) Receipt(_ context.Context, id string) (job.Receipt, error) {
	for _, one := range r.receipts {
		if one.ID == id {
			return one, nil
		}
	}
	return job.Receipt{}, store.ErrNotFound
}

func (r *records) Taken(_ context.Context, ids []string) ([]store.Taken, error) {
	var out []store.Taken
	for _, t := range r.taken {
		if slices.Contains(ids, t.Receipt) {
			out = append(out, t)
		}
	}
	return out, nil
}

func (r *records) RunsOf(_ context.Context, id int64) ([]job.Run, error) { return r.runs[id], nil }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// deliver records a delivery for sources, and returns its id.
func (r *records) deliver(sources []string, rings ...ring) string {
	body, err := json.Marshal(rings)
	if err != nil {
		body = []byte(err.Error())
	}
	n := len(r.receipts)
	id := fmt.Sprintf("r%03d", n)
	r.receipts = append(r.receipts, job.Receipt{
		ID: id, Provider: "bell", Sources: sources, ReceivedAt: noon.Add(time.Duration(n) * time.Minute),
		Method: http.MethodPost, Path: "/webhooks/bell", Body: body, Outcome: job.Queued, Events: len(rings), Matched: 1,
	})
	return id
}

// take records that an agent took an event.
func (r *records) take(receipt, agent, delivery string) {
	r.taken = append(r.taken, store.Taken{
		Receipt: receipt, Event: "ring", DeliveryID: delivery,
		Job: job.Job{ID: int64(len(r.taken) + 1), Agent: agent, State: job.Done},
	})
}

func trigger(agent, source string, filters ...match.Filter) match.Trigger {
	return match.Trigger{Agent: agent, Source: source, Filters: filters}
}

func doors(values ...string) match.Filter {
	return match.Filter{Name: "doors", Values: values, List: true}
}

// view has the agents dev and ops, and off, which is disabled, on the sources
// front and back.
func view(t *testing.T) *deliveries.View {
	t.Helper()
	d := bell{}.Describe()
	known := map[string]sdk.Descriptor{"work": d, "home": d}
	enabled := []match.Trigger{
		trigger("dev", "work", doors("front"), match.Filter{Name: "visitor", Values: []string{"ada"}}),
		trigger("dev", "work", doors("front", "back")),
		trigger("dev", "work", doors("front")),
		trigger("ops", "home"),
	}
	matcher, problems := match.Compile(enabled, known)
	disabled, more := match.Compile([]match.Trigger{trigger("off", "work", doors("front"))}, known)
	if len(problems)+len(more) > 0 {
		t.Fatal(problems, more)
	}
	v := &deliveries.View{
		Routes: &ingest.Routes{Matcher: matcher, Types: map[string]*ingest.Route{
			"bell": {Provider: bell{}, Descriptor: d},
			"down": {Descriptor: sdk.Descriptor{Type: "down"}, Unavailable: errors.New("it crashed")},
		}},
		Disabled: disabled,
		Sources: []deliveries.Source{
			{Name: "work", Type: "bell", Credentials: []string{"a", "old"}}, {Name: "home", Type: "bell", Credentials: []string{"b"}},
			{Name: "d", Type: "down"},
		},
	}
	for range enabled {
		v.Routes.Policies = append(v.Routes.Policies, flow.Policy{})
	}
	v.Routes.Policies[1].Ignore = flow.NewSenders([]string{"bots", "eve"})
	for i, e := range enabled {
		v.Triggers = append(v.Triggers, deliveries.Trigger{Agent: e.Agent, Source: e.Source, Label: "webhooks[" + strconv.Itoa(i) + "]", At: e.Agent + ".toml:1:1", Index: i})
	}
	v.Triggers = append(v.Triggers, deliveries.Trigger{Agent: "off", Source: "work", Label: "webhooks[0]", Disabled: true})
	return v
}

func book(t *testing.T, r *records, live bool) *deliveries.Book {
	t.Helper()
	v := view(t)
	return &deliveries.Book{Records: r, View: func() *deliveries.View { return v }, Live: live}
}

func TestShowTellsAllAndHidesWhatIsSensitive(t *testing.T) {
	t.Parallel()
	r := &records{runs: map[int64][]job.Run{1: {{ID: "run2", Attempt: 2, State: job.Done, StartedAt: noon, EndedAt: noon.Add(time.Second)}, {ID: "run1", Attempt: 1, State: job.Waiting, StartedAt: noon}}}}
	id := r.deliver([]string{"work"}, ring{Door: "by tok-4711", ID: "d-tok-4711", Token: "tok-4711"})
	r.receipts[0].DeliveryID = "d-tok-4711"
	r.receipts[0].Header = http.Header{"X-Ring": {"tok-4711"}}
	r.receipts[0].Query = "opener=tok-4711"
	r.take(id, "dev", "d-tok-4711")
	d, err := book(t, r, true).Show(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(d)
	if err != nil || strings.Contains(string(raw), "tok-4711") {
		t.Errorf("shows the token: %s, %v", raw, err)
	}
	if want := "[\n  {\n    \"Door\": \"by ***\",\n    \"Visitor\": \"\",\n    \"ID\": \"d-***\",\n    \"Token\": \"***\",\n    \"Sender\": \"\"\n  }\n]"; d.Body.Text != want || d.Body.Format != "json" {
		t.Errorf("body %+v, want %s", d.Body, want)
	}
	if e := d.Explanation.Events[0]; !strings.Contains(string(e.Context), `"opener":{"id":"7","token":"***"}`) || !strings.Contains(string(e.Context), `"source":"work"`) {
		t.Errorf("context %s", e.Context)
	}
	if len(d.Jobs) != 1 || len(d.Jobs[0].Runs) != 2 || d.Jobs[0].Runs[0].EndedAt == nil || d.Jobs[0].Runs[1].EndedAt != nil {
		t.Errorf("jobs %+v", d.Jobs)
	}
	body, err := book(t, r, true).Body(t.Context(), id)
	if err != nil || !strings.Contains(string(body), "tok-4711") {
		t.Errorf("the raw body is %s, %v; want it as it came", body, err)
	}
	if _, err := book(t, r, true).Show(t.Context(), "nothing"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no such receipt: %v", err)
	}
}

// What is sensitive in a body only its provider knows.
func TestABodyThatNobodyUnderstandsIsNotShown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*job.Receipt)
		want   string
	}{
		"the provider is down":     {func(r *job.Receipt) { r.Provider = "down" }, "it crashed"},
		"there is no such source":  {func(r *job.Receipt) { r.Provider = "gone" }, "has the type gone"},
		"it is not what it should": {func(r *job.Receipt) { r.Body = []byte("tok-4711") }, "not a list of rings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &records{}
			id := r.deliver([]string{"work"}, ring{Door: "front", Token: "tok-4711"})
			tt.change(&r.receipts[0])
			d, err := book(t, r, true).Show(t.Context(), id)
			if err != nil || d.Body.Format != "withheld" || d.Body.Text != "" || d.Explanation != nil || !strings.Contains(d.Unread, tt.want) {
				t.Errorf("got %+v, %v; want no body, and %q", d, err, tt.want)
			}
			if _, err := book(t, r, true).Explain(t.Context(), id); !errors.Is(err, deliveries.ErrUnread) {
				t.Errorf("explained: %v", err)
			}
		})
	}
}

func TestExplainGoesThroughEveryTrigger(t *testing.T) {
	t.Parallel()
	r := &records{}
	id := r.deliver([]string{"work"}, ring{Door: "front", Visitor: "bob"}, ring{Door: "attic"}, ring{Door: "back", Sender: "Eve"}, ring{Door: "front", Sender: "robot"})
	x, err := book(t, r, true).Explain(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Agent, Trigger  string
		Matched, Starts bool
		Why             string
		Texts           []string
	}
	lines := func(e deliveries.Event) (out []line) {
		for _, v := range e.Triggers {
			l := line{v.Agent, v.Trigger, v.Matched, v.Starts, v.Why, nil}
			for _, c := range v.Checks {
				l.Texts = append(l.Texts, c.Text)
			}
			out = append(out, l)
		}
		return out
	}
	want := []line{
		{"dev", "webhooks[0]", false, false, "", []string{`doors: wants "front", the event has "front": yes`, `visitor: wants "ada", the event has "bob"`}},
		{"dev", "webhooks[1]", true, true, "", []string{`doors: wants "front", "back", the event has "front": yes`}},
		{"dev", "webhooks[2]", true, false, "an earlier trigger starts the agent already", []string{`doors: wants "front", the event has "front": yes`}},
		{"ops", "webhooks[3]", false, false, "it is for the source home, and the delivery came for work", nil},
		{"off", "webhooks[0]", true, false, "the agent is disabled (scale = 0)", []string{`doors: wants "front", the event has "front": yes`}},
	}
	if diff := cmp.Diff(want, lines(x.Events[0])); diff != "" {
		t.Errorf("first event (-want +got):\n%s", diff)
	}
	if got := x.Events[0].Agents; !slices.Equal(got, []string{"dev"}) {
		t.Errorf("starts %q", got)
	}
	if got := x.Events[1].Agents; len(got) != 0 {
		t.Errorf("the attic starts %q", got)
	}
	// Who caused it may be who is not wanted.
	if v := x.Events[2].Triggers[1]; !v.Matched || v.Starts || v.Why != `ignoreSenders has "Eve"` || len(x.Events[2].Agents) != 0 {
		t.Errorf("by Eve: %+v", v)
	}
	if e := x.Events[3]; e.Triggers[1].Why != `ignoreSenders has "bots", and "robot" is one` || !e.Triggers[2].Starts || !slices.Equal(e.Agents, []string{"dev"}) {
		t.Errorf("by a robot another trigger starts the agent: %+v", e)
	}
}

func TestACandidateIsExplainedAsIfItCame(t *testing.T) {
	t.Parallel()
	b := book(t, &records{}, false)
	body := []byte(`[{"Door":"front"}]`)
	x, err := b.ExplainCandidate(t.Context(), deliveries.Candidate{Type: "bell", Body: body}, noon)
	if err != nil || !slices.Equal(x.Sources, []string{"home", "work"}) || !slices.Equal(x.Events[0].Agents, []string{"dev", "ops"}) {
		t.Errorf("from all sources: %+v, %v", x, err)
	}
	x, err = b.ExplainCandidate(t.Context(), deliveries.Candidate{Type: "bell", Sources: []string{"home"}, Body: body}, noon)
	if err != nil || !slices.Equal(x.Events[0].Agents, []string{"ops"}) {
		t.Errorf("from one: %+v, %v", x, err)
	}
	for want, c := range map[string]deliveries.Candidate{
		`has the type "bel"`: {Type: "bel", Body: body},
		`no source "d" of`:   {Type: "bell", Sources: []string{"d"}, Body: body},
	} {
		var wrong *deliveries.CandidateError
		if _, err := b.ExplainCandidate(t.Context(), c, noon); !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %q", err, want)
		}
	}
	if _, err := b.ExplainCandidate(t.Context(), deliveries.Candidate{Type: "bell", Body: []byte("x")}, noon); !errors.Is(err, deliveries.ErrUnread) {
		t.Errorf("what is no ring: %v", err)
	}
}
