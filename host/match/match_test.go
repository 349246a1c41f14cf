package match_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/sdk"
)

// forge is a made-up vendor with every kind of filter.
func forge() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "forge",
		Filters: []sdk.Filter{
			{Name: "events", Attribute: "event", Values: []string{"issues", "push", "pull_request"}},
			{Name: "actions", Attribute: "action"},
			{Name: "repos", Attribute: "repo"},
			{Name: "org", Kind: sdk.String, Attribute: "org"},
			{Name: "orgs", Attribute: "org"},
			{Name: "labels", Attribute: "label"},
			{Name: "author", Kind: sdk.String, Attribute: "author"},
			{Name: "branches", Attribute: "branch", PassAbsent: true, MatchCase: true},
			{Name: "conclusions", Attribute: "conclusion", PassAbsent: true},
			{Name: "from", Attribute: "from", Values: []string{"person", "bot", "Self"}, OptIn: []string{"bot", "Self"}},
			{Name: "include", Attribute: "include", PassAbsent: true, OptIn: []string{"edits", "deletions"}},
		},
	}
}

func sources() map[string]sdk.Descriptor {
	return map[string]sdk.Descriptor{"work": forge(), "home": forge(), "asleep": {}}
}

type event = map[string][]string

func list(name string, values ...string) match.Filter {
	return match.Filter{Name: name, Values: values, List: true}
}

func word(name, value string) match.Filter {
	return match.Filter{Name: name, Values: []string{value}}
}

func on(agent, source string, filters ...match.Filter) match.Trigger {
	return match.Trigger{Agent: agent, Source: source, Filters: filters}
}

func compiled(tb testing.TB, triggers ...match.Trigger) *match.Matcher {
	tb.Helper()
	m, problems := match.Compile(triggers, sources())
	if len(problems) > 0 {
		tb.Fatalf("compile: %+v", problems)
	}
	return m
}

func TestATriggerMatches(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		filters []match.Filter
		event   event
		want    bool
	}{
		"everything, when it has no filter":            {nil, event{"event": {"push"}}, true},
		"everything, also an event without attributes": {nil, nil, true},
		"one of several values": {
			[]match.Filter{list("labels", "bug", "p1")}, event{"label": {"docs", "p1"}}, true,
		},
		"not, when no value is among them": {
			[]match.Filter{list("labels", "bug", "p1")}, event{"label": {"docs", "p2"}}, false,
		},
		"not, when a value is only part of another": {
			[]match.Filter{list("labels", "bug")}, event{"label": {"bugfix", "ug"}}, false,
		},
		"when all filters hold": {
			[]match.Filter{list("events", "issues"), list("actions", "opened")},
			event{"event": {"issues"}, "action": {"opened"}}, true,
		},
		"not, when one filter fails": {
			[]match.Filter{list("events", "issues"), list("actions", "opened")},
			event{"event": {"issues"}, "action": {"closed"}}, false,
		},
		"by either of two filters on one attribute: the first": {
			[]match.Filter{word("org", "acme"), list("orgs", "globex")}, event{"org": {"acme"}}, true,
		},
		"by either of two filters on one attribute: the second": {
			[]match.Filter{word("org", "acme"), list("orgs", "globex")}, event{"org": {"globex"}}, true,
		},
		"not, when neither of two filters on one attribute holds": {
			[]match.Filter{word("org", "acme"), list("orgs", "globex")}, event{"org": {"initech"}}, false,
		},
		"an event without branch, though it has a branch filter": {
			[]match.Filter{list("branches", "main")}, event{"event": {"issues"}}, true,
		},
		"an event whose branch has no value": {
			[]match.Filter{list("branches", "main")}, event{"branch": {}}, true,
		},
		"an event whose branch is an empty string": {
			[]match.Filter{list("branches", "main")}, event{"branch": {""}}, true,
		},
		"not, when the event has another branch": {
			[]match.Filter{list("branches", "main")}, event{"branch": {"dev"}}, false,
		},
		"not, when the event has no label": {
			[]match.Filter{list("labels", "bug")}, event{"event": {"push"}}, false,
		},
		"not, when the event's only label is an empty string": {
			[]match.Filter{list("labels", "bug")}, event{"label": {""}}, false,
		},
		"whatever the letter case of a label": {
			[]match.Filter{list("labels", "Good First Issue")}, event{"label": {"good first ISSUE"}}, true,
		},
		"whatever the letter case beyond ASCII": {
			[]match.Filter{list("labels", "ÉTÉ")}, event{"label": {"été"}}, true,
		},
		"a k that is a Kelvin sign": {
			[]match.Filter{list("labels", "\u212aelvin")}, event{"label": {"KELVIN"}}, true,
		},
		"only the exact letter case of a branch": {
			[]match.Filter{list("branches", "Main")}, event{"branch": {"main"}}, false,
		},
		"one string given to a filter that takes a list": {
			[]match.Filter{word("labels", "bug")}, event{"label": {"bug"}}, true,
		},
		"when the event repeats a value": {
			[]match.Filter{list("labels", "bug", "bug", "BUG")}, event{"label": {"bug", "Bug"}}, true,
		},
		"not, when no filter asks for what has to be asked for": {
			[]match.Filter{list("labels", "bug")}, event{"label": {"bug"}, "from": {"bot"}}, false,
		},
		"not, when there is no filter at all, and the event has to be asked for": {nil, event{"from": {"SELF"}}, false},
		"not, when a filter asks for something else": {
			[]match.Filter{list("from", "person", "bot")}, event{"from": {"Self"}}, false,
		},
		"what has to be asked for, when it is": {
			[]match.Filter{list("from", "person", "BOT")}, event{"from": {"bot"}}, true,
		},
		"what has an ordinary value, too, without being asked": {nil, event{"from": {"bot", "workflow"}}, true},
		"what says nothing, without being asked":               {nil, event{"from": {"", ""}}, true},
		"what is asked for, together with other filters": {
			[]match.Filter{list("include", "edits"), list("labels", "bug")}, event{"label": {"bug"}, "include": {"edits"}}, true,
		},
		"what is usual beside what is asked for, where a lack passes": {
			[]match.Filter{list("include", "edits"), list("labels", "bug")}, event{"label": {"bug"}}, true,
		},
		"not, when one of two has not been asked for": {
			[]match.Filter{list("include", "edits")}, event{"include": {"edits"}, "from": {"bot"}}, false,
		},
		"when both have been asked for": {
			[]match.Filter{list("include", "edits"), word("from", "bot")}, event{"include": {"edits"}, "from": {"bot"}}, true,
		},
		"whatever else the event has": {
			[]match.Filter{list("events", "push")}, event{"event": {"push"}, "weather": {"rain"}, "label": {"x"}}, true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := compiled(t, on("dev", "work", tt.filters...))
			if got := len(m.Match([]string{"work"}, tt.event)) == 1; got != tt.want {
				t.Errorf("matched is %v, want %v", got, tt.want)
			}
			explained := m.Explain("work", tt.event)
			if len(explained) != 1 || explained[0].Matched != tt.want {
				t.Errorf("explanation is %+v, want matched %v", explained, tt.want)
			}
		})
	}
}

func TestAnAgentIsStartedOncePerEvent(t *testing.T) {
	t.Parallel()
	bug, push := event{"event": {"issues"}, "label": {"bug", "p1"}}, event{"event": {"push"}}
	m := compiled(t,
		on("zoe", "work", list("labels", "p1", "bug")), // 0
		on("dev", "home"),                                    // 1
		on("dev", "work", list("events", "push")),            // 2
		on("dev", "work", list("labels", "bug")),             // 3
		on("dev", "work"),                                    // 4
		on("ann", "work", list("labels", "bug", "p1", "p2")), // 5
	)
	tests := map[string]struct {
		sources []string
		event   event
		want    []match.Hit
	}{
		"by its first trigger that matches, in the order of the configuration": {
			[]string{"work"}, bug, []match.Hit{{Agent: "zoe", Source: "work"}, {Agent: "dev", Source: "work", Trigger: 3}, {Agent: "ann", Source: "work", Trigger: 5}},
		},
		"although two sources were proved": {
			[]string{"work", "home"}, push, []match.Hit{{Agent: "dev", Source: "home", Trigger: 1}},
		},
		"whatever the order of the sources": {
			[]string{"home", "work"}, push, []match.Hit{{Agent: "dev", Source: "home", Trigger: 1}},
		},
		"although a source is named twice": {
			[]string{"work", "work"}, push, []match.Hit{{Agent: "dev", Source: "work", Trigger: 2}},
		},
		"and only by sources that were proved": {
			[]string{"home"}, bug, []match.Hit{{Agent: "dev", Source: "home", Trigger: 1}},
		},
		"and not at all without a source":   {nil, bug, nil},
		"and not by a source without agent": {[]string{"asleep", "unheard of"}, bug, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, m.Match(tt.sources, tt.event)); diff != "" {
				t.Errorf("hits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	m := compiled(t,
		on("ann", "home"),
		on("dev", "work",
			list("labels", "Bug", "p1"), word("org", "acme"), list("orgs", "Globex", "ACME"),
			list("branches", "main"), list("events", "issues")),
		on("zoe", "work"),
	)
	got := m.Explain("work", event{"event": {"issues"}, "org": {"Initech", ""}})
	want := []match.Explanation{
		{Agent: "dev", Trigger: 1, Checks: []match.Check{
			{Attribute: "label", Filters: []string{"labels"}, Wanted: []string{"Bug", "p1"}},
			{Attribute: "org", Filters: []string{"org", "orgs"}, Wanted: []string{"acme", "Globex"}, Got: []string{"Initech"}},
			{Attribute: "branch", Filters: []string{"branches"}, Wanted: []string{"main"}, PassAbsent: true, Holds: true},
			{Attribute: "event", Filters: []string{"events"}, Wanted: []string{"issues"}, Got: []string{"issues"}, Holds: true},
		}},
		{Agent: "zoe", Trigger: 2, Matched: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("explanations (-want +got):\n%s", diff)
	}
	sentences := []string{
		`labels: wants "Bug", "p1", the event has no label`,
		`org, orgs: wants "acme", "Globex", the event has "Initech"`,
		`branches: the event has no branch, which passes`,
		`events: wants "issues", the event has "issues": yes`,
	}
	for i, want := range sentences {
		if got := got[0].Checks[i].String(); got != want {
			t.Errorf("sentence %d is %q, want %q", i, got, want)
		}
	}
	for _, x := range m.Explain("work", event{"from": {"bot", ""}}) {
		if x.Matched {
			t.Errorf("agent %s is said to get what it does not ask for", x.Agent)
			continue
		}
		last := x.Checks[len(x.Checks)-1]
		want := match.Check{Attribute: "from", Filters: []string{"from"}, Got: []string{"bot"}, OptIn: true}
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("agent %s (-want +got):\n%s", x.Agent, diff)
		}
		if got, want := last.String(), `from: the event has only "bot", which a trigger gets only by naming it`; got != want {
			t.Errorf("sentence is %q, want %q", got, want)
		}
	}
	if got := m.Explain("unheard of", nil); got != nil {
		t.Errorf("a source without triggers is explained: %+v", got)
	}
}

func TestManyGoroutinesMayUseOneMatcher(t *testing.T) {
	t.Parallel()
	var triggers []match.Trigger
	for i := range 200 {
		triggers = append(triggers, on("agent-"+strconv.Itoa(i%20), "work", list("repos", "Acme/"+strconv.Itoa(i)), list("events", "push")))
	}
	m := compiled(t, triggers...)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := (i + g*25) % 200
				e := event{"repo": {"acme/" + strconv.Itoa(n)}, "event": {"Push"}}
				want := []match.Hit{{Agent: "agent-" + strconv.Itoa(n%20), Source: "work", Trigger: n}}
				if got := m.Match([]string{"work"}, e); !slices.Equal(got, want) {
					t.Errorf("event %d: hits %+v, want %+v", n, got, want)
				}
				m.Explain("work", e)
			}
		})
	}
	wg.Wait()
}

func TestNothingMatchesBeforeAConfigurationIsThere(t *testing.T) {
	t.Parallel()
	var none *match.Matcher
	for _, m := range []*match.Matcher{none, compiled(t)} {
		if m.Match([]string{"work"}, event{"event": {"push"}}) != nil || m.Explain("work", nil) != nil {
			t.Error("something matched")
		}
	}
}
