package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// What each filter lets through is said in the fixtures. Each has to be shown
// with a value that matches, one that does not, and an event that has none.
func TestFilters(t *testing.T) {
	t.Parallel()
	type outcomes struct{ yes, no, absent bool }
	seen := map[string]*outcomes{}
	for _, f := range filters() {
		seen[f.Name] = &outcomes{absent: f.Attribute == "event"} // which always is there
	}
	for _, fx := range fixtures(t) {
		for _, c := range fx.filters {
			e := fx.event(t)
			f := filterNamed(t, c.name)
			if got := passes(f, c.values, e); got != c.pass {
				t.Errorf("%s, %s = %q: %v, want %v; it has %q", fx.name, c.name, c.values, got, c.pass, e.Attributes[f.Attribute])
			}
			o := seen[c.name]
			switch {
			case len(e.Attributes[f.Attribute]) == 0:
				o.absent = true
			case c.pass:
				o.yes = true
			default:
				o.no = true
			}
		}
	}
	for name, o := range seen {
		if !o.yes || !o.no || !o.absent {
			t.Errorf("filter %s is not tested with a value that matches, one that does not, and none: %+v", name, *o)
		}
	}
}

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

func TestDescriptor(t *testing.T) {
	t.Parallel()
	d := sdk.Describe(New("1.2.3"))
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
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
	for fixture, want := range map[string]bool{
		"Issue.create":               true,
		"Issue.update.label-added":   true,
		"Issue.update.first-label":   true,
		"Issue.update.state":         false, // has the label already
		"Issue.update.label-removed": false,
		"Comment.create":             false,
	} {
		e := loadFixture(t, fixture).event(t)
		got := true
		for name, values := range New("test").Describe().Example {
			got = got && passes(filterNamed(t, name), values, e)
		}
		if got != want {
			t.Errorf("%s: the example matches: %v, want %v", fixture, got, want)
		}
	}
}

// Every attribute of an event has a filter, or nobody could use it.
func TestAttributesHaveFilters(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, f := range filters() {
		known[f.Attribute] = true
	}
	for _, f := range fixtures(t) {
		if f.fails(t) {
			continue
		}
		for name, values := range f.event(t).Attributes {
			if !known[name] || slices.Contains(values, "") {
				t.Errorf("%s: attribute %s = %q", f.name, name, values)
			}
		}
	}
}
