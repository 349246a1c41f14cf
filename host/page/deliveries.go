package page

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/deliveries"
)

// pageSize is how many records a list shows.
const pageSize = 50

// deliveryListView is a list of deliveries.
type deliveryListView struct {
	frame
	Filter   deliveries.Filter
	Outcomes []string
	Receipts []deliveries.Receipt
	Older    string // the address of the rest
	Problem  string
}

func (p *Page) deliveryList(r *http.Request) (string, any, error) {
	f := deliveries.Filter{Outcome: r.FormValue("outcome"), Before: r.FormValue("before"), Dead: r.FormValue("dead") != "", Limit: pageSize + 1}
	if f.Outcome != "" && !slices.Contains(deliveries.Outcomes(), f.Outcome) {
		return "", nil, api.Invalid("There is no outcome %q.", cut(40, f.Outcome))
	}
	live := topicDeliveries + " " + topicRuns
	if f.Before != "" {
		live = ""
	}
	v := deliveryListView{Filter: f, Outcomes: deliveries.Outcomes()}
	title, nav := "Deliveries", "deliveries"
	if f.Dead {
		title, nav = "Dead letters", "dead"
	}
	var err error
	if v.frame, err = p.frameOf(r.Context(), title, nav, live); err != nil {
		return "", nil, err
	}
	if v.Receipts, err = p.gateway.Deliveries().List(r.Context(), f); err != nil {
		return "", nil, err
	}
	if len(v.Receipts) > pageSize {
		v.Receipts = v.Receipts[:pageSize]
		q := url.Values{"before": {v.Receipts[pageSize-1].ID}}
		if f.Outcome != "" {
			q.Set("outcome", f.Outcome)
		}
		if f.Dead {
			q.Set("dead", "1")
		}
		v.Older = "/deliveries?" + q.Encode()
	}
	return "deliveries", v, nil
}

// Bounds of what is shown of one delivery at first. All that the API tells of it
// is an address away.
const (
	firstBody   = 16 << 10 // bytes
	maxVerdicts = 100
	maxEvents   = 20
)

// deliveryView is one delivery.
type deliveryView struct {
	frame
	deliveries.Detail
	Happened []eventView
	More     int // events beyond those
	Header   []headerLine
	Text     string // of the body
	Cut      bool   // by this page; all of it is an address away
	Full     bool
}

// Bytes is the size of the body.
func (v deliveryView) Bytes() int64 { return int64(v.Size) }

// eventView is an event and what triggers say of it: first those that want it,
// then those that looked at it, then those that are for other sources.
type eventView struct {
	deliveries.Event
	Number   int
	Context  string
	Facts    []fact
	Verdicts []deliveries.Verdict
	Others   []deliveries.Verdict
	Unshown  int // verdicts beyond those
}

// fact is something that an event says.
type fact struct{ Name, Value string }

type headerLine struct {
	Name   string
	Values []string
}

func (p *Page) delivery(r *http.Request) (string, any, error) {
	d, err := p.gateway.Deliveries().Show(r.Context(), r.PathValue("id"))
	if err != nil {
		return "", nil, err
	}
	title := d.Event
	if title == "" {
		title = words(d.Outcome)
	}
	v := deliveryView{Detail: d, Full: r.FormValue("full") != ""}
	if v.frame, err = p.frameOf(r.Context(), cut(80, title), "deliveries", topicDeliveries+" "+topicRuns); err != nil {
		return "", nil, err
	}
	v.Every = 5000 // it is read from the store, and by its provider, each time
	if d.Explanation != nil {
		for i, e := range d.Explanation.Events {
			if i == maxEvents && !v.Full {
				v.More = len(d.Explanation.Events) - maxEvents
				break
			}
			v.Happened = append(v.Happened, eventOf(i+1, e, v.Full))
		}
	}
	for name, values := range d.Header {
		v.Header = append(v.Header, headerLine{name, values})
	}
	slices.SortFunc(v.Header, func(a, b headerLine) int { return strings.Compare(a.Name, b.Name) })
	v.Text = d.Body.Text
	if len(v.Text) > firstBody && !v.Full {
		v.Text, v.Cut = strings.ToValidUTF8(v.Text[:firstBody], ""), true
	}
	return "delivery", v, nil
}

func eventOf(number int, e deliveries.Event, full bool) eventView {
	v := eventView{Event: e, Number: number, Facts: factsOf(e.Context)}
	var indented bytes.Buffer
	if json.Indent(&indented, e.Context, "", "  ") == nil {
		v.Context = unescaped(indented.String())
	}
	for _, t := range e.Triggers {
		if len(t.Checks) > 0 || t.Matched {
			v.Verdicts = append(v.Verdicts, t)
		} else {
			v.Others = append(v.Others, t)
		}
	}
	slices.SortStableFunc(v.Verdicts, func(a, b deliveries.Verdict) int { return rank(b) - rank(a) })
	if !full {
		v.Unshown = max(0, len(v.Verdicts)-maxVerdicts) + max(0, len(v.Others)-maxVerdicts)
		v.Verdicts = v.Verdicts[:min(len(v.Verdicts), maxVerdicts)]
		v.Others = v.Others[:min(len(v.Others), maxVerdicts)]
	}
	return v
}

func rank(v deliveries.Verdict) int {
	switch {
	case v.Starts:
		return 3
	case v.Matched:
		return 2
	default:
		return held(v)
	}
}

// held is 1 when some of what a trigger asks for is there.
func held(v deliveries.Verdict) int {
	if slices.ContainsFunc(v.Checks, func(c deliveries.Check) bool { return c.Holds }) {
		return 1
	}
	return 0
}

// unescaped shows as itself what JSON escapes for HTML's sake.
func unescaped(text string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(text)
}

// factsOf picks out of a context what tells a person most.
func factsOf(raw json.RawMessage) []fact {
	var c map[string]any
	if json.Unmarshal(raw, &c) != nil {
		return nil
	}
	var out []fact
	for _, name := range []string{"title", "repo", "number", "url", "sender", "author", "assignee", "branch", "conclusion", "comment", "body"} {
		var text string
		switch v := c[name].(type) {
		case string:
			text = v
		case float64:
			raw, _ := json.Marshal(v) // a number always encodes
			text = string(raw)
		default:
			continue
		}
		if text != "" {
			out = append(out, fact{name, text})
		}
	}
	return out
}
