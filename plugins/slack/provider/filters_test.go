package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

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
