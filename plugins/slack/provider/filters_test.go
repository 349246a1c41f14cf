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
	if d.Type != "slack" || d.Version != "1.2.3" || !d.Challenges || !strings.Contains(d.Setup, "{url}") || d.ReplyDeadline.Seconds() != 3 {
		t.Errorf("%+v", d)
	}
	field := d.Credential.Fields[0]
	if d.Credential.Type != "slack_signing_secret" || field.Name != "secret" || !field.Secret || field.Generated {
		t.Errorf("%+v", d.Credential)
	}
	var names []string
	for _, f := range d.Filters {
		names = append(names, f.Name)
		sorted := slices.Clone(f.Values)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != len(f.Values) {
			t.Errorf("filter %s knows a value twice", f.Name)
		}
	}
	slices.Sort(names)
	want := []string{
		"actions", "channels", "commands", "events", "from", "in_thread", "include", "mentions_app", "reactions",
		"subtypes", "team_ids", "users",
	}
	if !slices.Equal(names, want) {
		t.Errorf("filters %q, want %q", names, want)
	}
}

// The example is what a new project starts with: it has to work.
func TestExampleMatchesMention(t *testing.T) {
	t.Parallel()
	e := eventsOf(t, caseNamed(t, "app_mention"))[0]
	for name, values := range New("test").Describe().Example {
		if !passes(filterNamed(t, name), values, e) {
			t.Errorf("%s = %q holds back a mention", name, values)
		}
	}
}
