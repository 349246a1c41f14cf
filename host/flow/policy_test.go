package flow_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/flow"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

func template(t *testing.T, text string) flow.Template {
	t.Helper()
	tmpl, err := flow.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func TestApply(t *testing.T) {
	t.Parallel()
	perIssue, perBranch := template(t, "{repo}#{number}"), template(t, "{branch}")
	push := &sdk.Event{Name: "push", Repo: "acme/repo", Sender: "ann"}
	for name, tt := range map[string]struct {
		policy flow.Policy
		event  *sdk.Event
		want   store.NewJob
	}{
		"nothing": {flow.Policy{}, comment(), store.NewJob{}},
		"a key": {
			flow.Policy{Key: perIssue, OnBusy: store.BusyLatest}, comment(),
			store.NewJob{Concurrency: store.Concurrency{Key: "acme/repo#42", OnBusy: store.BusyLatest}},
		},
		"a key that the event has not": {flow.Policy{Key: perBranch, Debounce: time.Minute}, push, store.NewJob{}},
		"a burst of the whole agent": {
			flow.Policy{Debounce: time.Minute}, push,
			store.NewJob{Debounce: store.Debounce{Group: "*", Quiet: time.Minute, Max: 10 * time.Minute}},
		},
		"a burst for each key": {
			flow.Policy{Key: perIssue, Debounce: time.Minute, MaxWait: 2 * time.Minute}, comment(),
			store.NewJob{
				Concurrency: store.Concurrency{Key: "acme/repo#42"},
				Debounce:    store.Debounce{Group: "acme/repo#42", Quiet: time.Minute, Max: 2 * time.Minute},
			},
		},
		"a loop, by the key": {
			flow.Policy{Key: template(t, "{repo}"), MaxSelfTriggers: 3}, comment(),
			store.NewJob{
				Concurrency: store.Concurrency{Key: "acme/repo"},
				Loop:        store.Loop{Entity: "acme/repo", Sender: "ben", Limit: 3, Window: time.Minute},
			},
		},
		"a loop, by what the event is about": {
			flow.Policy{MaxSelfTriggers: 3}, comment(),
			store.NewJob{Loop: store.Loop{Entity: "acme/repo#42", Sender: "ben", Limit: 3, Window: time.Minute}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got store.NewJob
			tt.policy.Apply(&got, tt.event)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestATickHasOnlyAFixedKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"deploy": "deploy", "{repo}": "", "": ""} {
		p := flow.Policy{Key: template(t, text), OnBusy: store.BusySkip, Debounce: time.Minute, MaxSelfTriggers: 1}
		var got store.NewJob
		p.ApplyTick(&got)
		if got.Concurrency.Key != want || got.Debounce.Group != "" || got.Loop.Limit != 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestHoldsBack(t *testing.T) {
	t.Parallel()
	person, robot := &sdk.Event{Sender: "Ann"}, &sdk.Event{Sender: "helper[bot]", Automated: true}
	for name, tt := range map[string]struct {
		ignore []string
		event  *sdk.Event
		want   string // of the reason; empty for an event that passes
	}{
		"a person":                   {[]string{"bots"}, person, ""},
		"a bot":                      {[]string{"bots"}, robot, `"helper[bot]"`},
		"a bot without a name":       {[]string{"bots"}, &sdk.Event{Automated: true}, "its sender"},
		"a bot that may":             {nil, robot, ""},
		"a person by name":           {[]string{"bots", "ann"}, person, `"Ann"`},
		"a bot by name":              {[]string{"Helper[bot]"}, robot, `"helper[bot]"`},
		"nobody is not an empty one": {[]string{""}, &sdk.Event{}, ""},
	} {
		p := flow.Policy{Ignore: flow.NewSenders(tt.ignore)}
		reason, held := p.HoldsBack(tt.event)
		if held != (tt.want != "") || !strings.Contains(reason, tt.want) {
			t.Errorf("%s: %q, %v; want %q", name, reason, held, tt.want)
		}
	}
}
