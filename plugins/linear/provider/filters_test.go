package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

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
