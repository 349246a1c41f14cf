package provider

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// What each filter lets pass is said in the cases.
func TestDescriptor(t *testing.T) {
	t.Parallel()
	d := sdk.Describe(New("1.2.3"))
	if d.Type != "sentry" || d.Version != "1.2.3" || d.Challenges || d.ReplyDeadline != time.Second || !strings.Contains(d.Setup, "{url}") {
		t.Errorf("%+v", d)
	}
	if c := d.Credential; c.Type != "sentry_client_secret" || len(c.Fields) != 1 || c.Fields[0].Name != "secret" || !c.Fields[0].Secret || c.Fields[0].Generated {
		t.Errorf("credential %+v", d.Credential)
	}
	var names []string
	for _, f := range d.Filters {
		names = append(names, f.Name)
		if f.PassAbsent {
			t.Errorf("filter %s lets events pass that have no such value", f.Name)
		}
	}
	slices.Sort(names)
	want := []string{
		"actions", "activities", "assignee", "categories", "conclusions", "environments", "levels", "organizations",
		"projects", "resources", "rules", "substatuses",
	}
	if !slices.Equal(names, want) {
		t.Errorf("filters %q, want %q", names, want)
	}
}
