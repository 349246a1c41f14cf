package match_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/sdk"
)

func TestAMistakeInATriggerIsNamedWithTheWayOut(t *testing.T) {
	t.Parallel()
	const (
		all   = "(filters of forge: actions, author, branches, conclusions, events, from, include, labels, org, orgs, repos)"
		pages = "(sources: asleep, home, work)"
	)
	tests := map[string]struct {
		trigger match.Trigger
		want    []string // severity and message
	}{
		"fine":                      {on("dev", "work", list("events", "Issues"), word("org", "acme")), nil},
		"provider has not come up":  {on("dev", "asleep", list("whatever", "x")), nil},
		"misspelled filter":         {on("dev", "work", list("label", "x")), []string{`error: forge has no filter "label"; did you mean "labels"? ` + all}},
		"filter nobody has":         {on("dev", "work", list("weather", "x")), []string{`error: forge has no filter "weather"; remove it or use one that it has ` + all}},
		"filter in capitals":        {on("dev", "work", list("Labels", "x")), []string{`error: forge has no filter "Labels"; did you mean "labels"? ` + all}},
		"misspelled source":         {on("dev", "wark"), []string{`error: there is no source "wark"; did you mean "work"? ` + pages}},
		"source nobody has":         {on("dev", "factory"), []string{`error: there is no source "factory"; add [webhooks.factory] to the project's config.toml, or use one that is there ` + pages}},
		"no source":                 {on("dev", ""), []string{`error: no source; name one of asleep, home, work`}},
		"list where one is taken":   {on("dev", "work", list("author", "ann", "bob")), []string{`error: forge filter "author" takes one string, not a list; for several write a trigger for each`}},
		"list of one":               {on("dev", "work", list("author", "ann")), []string{`error: forge filter "author" takes one string, not a list; write author = "ann"`}},
		"list, and a twin for it":   {on("dev", "work", list("org", "a", "b")), []string{`error: forge filter "org" takes one string, not a list; for several use "orgs"`}},
		"several that are no list":  {on("dev", "work", match.Filter{Name: "author", Values: []string{"a", "b"}}), []string{`error: forge filter "author" takes one string, not 2; for several write a trigger for each`}},
		"empty list":                {on("dev", "work", list("labels")), []string{`error: forge filter "labels" is empty, so the trigger matches nothing; remove it or give a value`}},
		"empty list for a string":   {on("dev", "work", list("author")), []string{`error: forge filter "author" takes one string, not a list; remove it or give a value`}},
		"empty string":              {on("dev", "work", word("author", "")), []string{`error: forge filter "author" has an empty value, which no event has; remove it or give a value`}},
		"empty string in a list":    {on("dev", "work", list("labels", "a", "")), []string{`error: forge filter "labels" has an empty value, which no event has; remove it or give a value`}},
		"misspelled value":          {on("dev", "work", list("events", "issues", "isues")), []string{`warning: forge filter "events" does not know "isues"; did you mean "issues"?`}},
		"swapped letters":           {on("dev", "work", list("events", "psuh")), []string{`warning: forge filter "events" does not know "psuh"; did you mean "push"?`}},
		"value nobody knows":        {on("dev", "work", list("events", "release")), []string{`warning: forge filter "events" does not know "release"; it knows issues, pull_request, push`}},
		"several mistakes at once":  {on("dev", "work", list("events", "psuh"), list("labels"), list("repo", "x")), []string{`warning: forge filter "events" does not know "psuh"; did you mean "push"?`, `error: forge filter "labels" is empty, so the trigger matches nothing; remove it or give a value`, `error: forge has no filter "repo"; did you mean "repos"? ` + all}},
		"values of free text":       {on("dev", "work", list("labels", "anything")), nil},
		"filter written twice":      {on("dev", "work", list("labels", "a"), list("labels", "b")), nil},
		"known value in other case": {on("dev", "work", word("events", "PUSH")), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := match.Compile([]match.Trigger{tt.trigger}, sources())
			var got []string
			for _, p := range problems {
				got = append(got, fmt.Sprintf("%s: %s", p.Severity, p.Message))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAProblemSaysWhereItIs(t *testing.T) {
	t.Parallel()
	triggers := []match.Trigger{
		on("dev", "work"),
		{Agent: "dev", Source: "nowhere", Pos: "agents/dev/config.toml:4:1"},
		{Agent: "dev", Source: "work", Pos: "agents/dev/config.toml:8:1", Filters: []match.Filter{
			{Name: "labels", List: true, Pos: "agents/dev/config.toml:10:1"},
			{Name: "events", Values: []string{"x"}},
		}},
	}
	_, problems := match.Compile(triggers, sources())
	type place struct {
		Pos, Filter string
		Trigger     int
	}
	var got []place
	for _, p := range problems {
		got = append(got, place{p.Pos, p.Filter, p.Trigger})
	}
	want := []place{
		{"agents/dev/config.toml:4:1", "", 1},
		{"agents/dev/config.toml:10:1", "labels", 2},
		{"agents/dev/config.toml:8:1", "events", 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

func TestAFaultyTriggerStartsNobodyAndLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	m, _ := match.Compile([]match.Trigger{
		on("typo", "work", list("events", "push"), list("label", "bug")),
		on("lost", "nowhere"),
		on("waits", "asleep"),
		on("warned", "work", list("events", "release")),
		on("fine", "work", list("events", "release", "push")),
	}, sources())
	all := []string{"work", "nowhere", "asleep"}
	want := []match.Hit{{Agent: "fine", Source: "work", Trigger: 4}}
	if diff := cmp.Diff(want, m.Match(all, event{"event": {"push"}, "label": {"bug"}})); diff != "" {
		t.Errorf("push (-want +got):\n%s", diff)
	}
	want = []match.Hit{{Agent: "warned", Source: "work", Trigger: 3}, {Agent: "fine", Source: "work", Trigger: 4}}
	if diff := cmp.Diff(want, m.Match(all, event{"event": {"release"}})); diff != "" {
		t.Errorf("release (-want +got):\n%s", diff)
	}
}

func TestMistakesAreNamedWhenThereIsNothingToChooseFrom(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trigger match.Trigger
		sources map[string]sdk.Descriptor
		want    string
	}{
		"no sources":        {on("dev", "work"), nil, `there is no source "work"; add [webhooks.work] to the project's config.toml`},
		"no source at all":  {on("dev", ""), nil, `no source; add one as [webhooks.<name>] to the project's config.toml, and name it here`},
		"no filters at all": {on("dev", "work", list("events", "x")), map[string]sdk.Descriptor{"work": {Type: "bare"}}, `bare has no filter "events", nor any other; remove it`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := match.Compile([]match.Trigger{tt.trigger}, tt.sources)
			if len(problems) != 1 || problems[0].Message != tt.want {
				t.Errorf("problems are %+v, want %q", problems, tt.want)
			}
		})
	}
}
