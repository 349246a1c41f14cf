package flow_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/action-llama/gateway/host/flow"
	"github.com/action-llama/gateway/sdk"
)

func comment() *sdk.Event {
	return &sdk.Event{
		Name: "issue_comment", Action: "created", Repo: "acme/repo", Number: 42, Title: "It broke", Author: "ann",
		Branch: "main", Sender: "ben", DeliveryID: "d-1",
		Extra: map[string]any{"thread": map[string]any{"ts": "1.2", "n": json.Number("9007199254740993")}, "open": true},
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{repo}#{number}":                "acme/repo#42",
		"{source}: {event}.{action}":     "work: issue_comment.created",
		"{extra.thread.ts}":              "1.2",
		"{extra.thread.n}":               "9007199254740993",
		"{extra.open}":                   "true",
		"{extra.thread}":                 "", // an object names nothing
		"{extra.nothing}":                "",
		"{assignee}":                     "",
		"only {assignee}{url}":           "", // nothing of what it asks for
		"{assignee}{repo}":               "acme/repo",
		"deploy":                         "deploy",
		"":                               "",
		"{sender} {author} {deliveryId}": "ben ann d-1",
	} {
		tmpl, err := flow.ParseTemplate(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := tmpl.Key("work", comment()); got != want {
			t.Errorf("%q makes %q, want %q", text, got, want)
		}
	}
}

func TestATemplateThatCanNotMeanAnything(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{rpo}#{number}":          `did you mean "repo"?`,
		"{}":                      "there is no {}; there are action,",
		"{extra.}":                "there is no {extra.}",
		"{repo":                   `"{" without a "}"`,
		"repo}":                   `"}" without a "{"`,
		"{re{po}}":                `"{" without a "}"`,
		strings.Repeat("x", 1001): "longer than 1000 bytes",
	} {
		if _, err := flow.ParseTemplate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v does not say %q", text, err, want)
		}
	}
}

func TestAFixedKeyIsForTicksToo(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"deploy": "deploy", "{repo}": "", "deploy {repo}": "", "": ""} {
		tmpl, err := flow.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := tmpl.Fixed(); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, ok, want)
		}
	}
}

// Long keys stay apart, and every key is short and text.
func TestLongKeys(t *testing.T) {
	t.Parallel()
	tmpl, err := flow.ParseTemplate("{title}")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		keys := map[string]string{}
		for range 2 {
			title := strings.Repeat("ä", rapid.IntRange(0, 300).Draw(r, "prefix")) + rapid.String().Draw(r, "rest")
			key := tmpl.Key("", &sdk.Event{Title: title})
			if len(key) > 220 || strings.ToValidUTF8(key, "") != key {
				r.Fatalf("key of %d bytes: %q", len(key), key)
			}
			if other, ok := keys[key]; ok && other != title {
				r.Fatalf("%q and %q have one key", other, title)
			}
			keys[key] = title
		}
	})
}

func FuzzParseTemplate(f *testing.F) {
	for _, seed := range []string{"{repo}#{number}", "{extra.a.b}", "{", "}", "{{}}", "deploy"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tmpl, err := flow.ParseTemplate(text)
		if err != nil {
			return
		}
		if key := tmpl.Key("source", comment()); len(key) > 220 {
			t.Errorf("a key of %d bytes", len(key))
		}
	})
}
