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
	if d.Type != "github" || d.Version != "1.2.3" || d.Challenges || !strings.Contains(d.Setup, "{url}") {
		t.Errorf("%+v", d)
	}
	var names []string
	for _, f := range d.Filters {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	want := []string{"actions", "assignee", "author", "branches", "conclusions", "events", "labels", "org", "orgs", "repos"}
	if !slices.Equal(names, want) {
		t.Errorf("filters %q, want %q", names, want)
	}
}
