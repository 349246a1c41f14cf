package provider

import (
	"encoding/json"
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "sign the cases in testdata again and rewrite their want.json")

// The cases are requests after Sentry's documentation. Three have signatures
// that were computed apart from this code, since Sentry publishes none:
// comment.created.vector, issue.resolved.escapes and component-call.
func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Options{
		New:     func() sdk.Provider { return New("test") },
		Package: "..",
		Update:  *update,
		Short:   testing.Short(),
		Sign: func(req *sdk.Request, secret map[string]string) {
			header := signatureHeader
			if len(req.Header.Values(signatureHeader)) == 0 && len(req.Header.Values(componentHeader)) > 0 {
				header = componentHeader
			}
			req.Header.Set(header, sign(secret[secretField], req.Body))
		},
		// Those that the provider knows more of than the common fields.
		Events: slices.Sorted(maps.Keys(layouts())),
	})
}

// The descriptor offers every resource with a layout, and no action that
// nobody has seen.
func TestCasesCoverTheDescriptor(t *testing.T) {
	t.Parallel()
	for resource := range layouts() {
		if !slices.Contains(knownResources(), resource) {
			t.Errorf("%s is not among the values of the filter resources", resource)
		}
	}
	actions := map[string]bool{}
	for _, c := range cases(t) {
		for _, e := range eventsOf(t, c) {
			actions[e.Action] = true
		}
	}
	for _, action := range knownActions() {
		if !actions[action] {
			t.Errorf("no case for action %s", action)
		}
	}
}

// The code of an installation can be exchanged for a token, and what visitors
// of a site send is none of an agent's business.
func TestCasesTellNoSecrets(t *testing.T) {
	t.Parallel()
	private := map[string]bool{"grant-code-of-acme": false, "session=1": false, "192.0.2.7": false}
	for _, c := range cases(t) {
		got, err := json.Marshal(eventsOf(t, c))
		if err != nil {
			t.Fatal(err)
		}
		for text := range private {
			if strings.Contains(string(got), text) {
				t.Errorf("%s: the event holds %q", c.Name, text)
			}
			private[text] = private[text] || strings.Contains(string(c.Request.Body), text)
		}
	}
	for text, sent := range private {
		if !sent {
			t.Errorf("no case sends %q", text)
		}
	}
}

func cases(t testing.TB) []*providertest.Case {
	t.Helper()
	all, err := providertest.ReadCases("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func caseNamed(t testing.TB, name string) *providertest.Case {
	t.Helper()
	for _, c := range cases(t) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no case %s", name)
	return nil
}

// eventsOf returns none for what is refused; TestProvider says what that is.
func eventsOf(t testing.TB, c *providertest.Case) []sdk.Event {
	t.Helper()
	d, err := sdk.Deliver(t.Context(), New("test"), c.Request, c.Secrets, sdk.DeliverOptions{AllowUnsigned: c.AllowUnsigned})
	if err != nil {
		return nil
	}
	return d.Events
}

func sign(secret string, body []byte) string {
	return sdk.SignHMACSHA256("", secret, body)
}
