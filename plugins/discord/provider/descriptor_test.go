package provider

import (
	"regexp"
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
	if d.Type != "discord" || d.Version != "1.2.3" || !d.Challenges || d.ReplyDeadline != 3*time.Second || !strings.Contains(d.Setup, "{url}") {
		t.Errorf("%+v", d)
	}
	var names []string
	for _, f := range d.Filters {
		names = append(names, f.Name)
	}
	if want := []string{"events", "guilds", "channels", "commands", "users", "roles", "custom_ids"}; !slices.Equal(names, want) {
		t.Errorf("filters %q, want %q", names, want)
	}
	if d.Credential.Type != "discord_bot" {
		t.Errorf("credential %q", d.Credential.Type)
	}
}

// A public key is easily mistaken for one of the other texts on the same page.
func TestCredentialPatterns(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"application_id": "1390000000000000001",
		"public_key":     public(testKey),
		"bot_token":      "MTM5MDAwMDAwMDAwMDAwMDAwMQ.Gabcde.not-a-real-token-at-all",
		testKeyField:     testKeyPrefix + public(testKey),
	}
	fields := New("test").Describe().Credential.Fields
	if len(fields) != len(values) {
		t.Errorf("%d fields", len(fields))
	}
	for _, f := range fields {
		pattern := regexp.MustCompile(`^(?:` + f.Pattern + `)$`)
		for name, value := range values {
			if f.Pattern != "" && pattern.MatchString(value) != (name == f.Name) {
				t.Errorf("field %s and the value of %s", f.Name, name)
			}
		}
		if _, ok := values[f.Name]; !ok || f.Secret != (f.Name == "bot_token" || f.Name == testKeyField) || f.Generated {
			t.Errorf("field %+v", f)
		}
	}
	for _, bad := range []string{"", values["public_key"][1:], values["public_key"] + "0", values["public_key"] + "\n"} {
		if regexp.MustCompile(`^(?:` + fields[1].Pattern + `)$`).MatchString(bad) {
			t.Errorf("public key %q is taken", bad)
		}
	}
}
