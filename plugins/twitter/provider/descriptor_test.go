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
	if d.Type != "twitter" || d.Version != "1.2.3" || !d.Challenges || d.ReplyDeadline != 3*time.Second || !strings.Contains(d.Setup, "{url}") {
		t.Errorf("%+v", d)
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
	if want := []string{"events", "users", "senders", "origins", "kinds", "tags"}; !slices.Equal(names, want) {
		t.Errorf("filters %q, want %q", names, want)
	}
}

// These names are on people's disks.
func TestCredentialFields(t *testing.T) {
	t.Parallel()
	c := New("test").Describe().Credential
	var needed, optional, older []string
	for _, f := range c.Fields {
		older = append(older, f.Aliases...)
		if f.Optional {
			optional = append(optional, f.Name)
		} else {
			needed = append(needed, f.Name)
		}
	}
	if c.Type != "x_twitter_api" ||
		!slices.Equal(needed, []string{"consumer_key", "consumer_secret", "bearer_token"}) ||
		!slices.Equal(optional, []string{"access_token", "access_token_secret"}) ||
		!slices.Equal(older, []string{"api_key", "api_secret"}) {
		t.Errorf("%s: %q, %q, %q", c.Type, needed, optional, older)
	}
}
