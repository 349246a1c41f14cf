package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// passes is what the SDK documents for one filter.
func passes(f sdk.Filter, values []string, e sdk.Event) bool {
	has := e.Attributes[f.Attribute]
	if len(has) == 0 {
		return f.PassAbsent
	}
	return slices.ContainsFunc(values, func(value string) bool {
		return slices.ContainsFunc(has, func(h string) bool {
			return h == value || !f.MatchCase && strings.EqualFold(h, value)
		})
	})
}

func filterNamed(t *testing.T, name string) sdk.Filter {
	t.Helper()
	for _, f := range filters() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no filter %q", name)
	return sdk.Filter{}
}

// What each filter lets pass is said in the cases.
func TestDescriptor(t *testing.T) {
	t.Parallel()
	d := sdk.Describe(New("1.2.3"))
	if d.Type != "linear" || d.Version != "1.2.3" || d.Challenges || d.ReplyDeadline.Seconds() != 5 || !strings.Contains(d.Setup, "{url}") {
		t.Errorf("%+v", d)
	}
	if d.Credential.Type != "linear_webhook_secret" || len(d.Credential.Fields) != 1 || d.Credential.Fields[0].Name != "secret" || !d.Credential.Fields[0].Secret {
		t.Errorf("credential %+v", d.Credential)
	}
	var names []string
	for _, f := range d.Filters {
		names = append(names, f.Name)
		if len(distinct(f.Values)) != len(f.Values) {
			t.Errorf("filter %s knows a value twice", f.Name)
		}
	}
	want := []string{
		"organizations", "events", "actions", "labels", "assignee", "author",
		"added_labels", "changed", "states", "teams", "projects", "senders", "echo",
	}
	if !slices.Equal(names, want) {
		t.Errorf("filters %q, want %q", names, want)
	}
	for _, event := range []string{"issues", "issue_comment", "Issue", "Comment", "project", "agentsessionevent"} {
		if !slices.Contains(filterNamed(t, "events").Values, event) {
			t.Errorf("event %s is not offered", event)
		}
	}
}

// The example is what a new project starts with: it has to work, and once.
func TestExampleMatchesLabeledIssue(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"Issue.create":               true,
		"Issue.update.label-added":   true,
		"Issue.update.first-label":   true,
		"Issue.update.state":         false, // has the label already
		"Issue.update.label-removed": false,
		"Comment.create":             false,
	} {
		events := eventsOf(t, caseNamed(t, name))
		if len(events) != 1 {
			t.Fatalf("%s: %d events", name, len(events))
		}
		got := true
		for filter, values := range New("test").Describe().Example {
			got = got && passes(filterNamed(t, filter), values, events[0])
		}
		if got != want {
			t.Errorf("%s: the example matches: %v, want %v", name, got, want)
		}
	}
}
