package provider

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "sign the cases in testdata again and rewrite their want.json")

// The cases are requests after GitHub's documentation, and its published
// vector. The kit delivers them, and what hostile senders would make of them.
func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Options{
		New:     func() sdk.Provider { return New("test") },
		Package: "..",
		Update:  *update,
		Short:   testing.Short(),
		Sign: func(req *sdk.Request, secret map[string]string) {
			req.Header.Set(signatureHeader, sign(secret[secretField], req.Body))
		},
		// Those that the provider knows more of than the common fields.
		Events: slices.Sorted(maps.Keys(layouts())),
	})
}

func TestDescriptorOffersEveryEventWithALayout(t *testing.T) {
	t.Parallel()
	for event := range layouts() {
		if !slices.Contains(knownEvents(), event) {
			t.Errorf("event %s is not among the values of the filter events", event)
		}
	}
}

// Every action and conclusion in a case is one that the descriptor knows, so
// that nobody is warned about a filter that works.
func TestFixtureValuesAreKnown(t *testing.T) {
	t.Parallel()
	known := map[string]map[string]bool{"action": {}, "conclusion": {}, "event": {}}
	for _, f := range filters() {
		for _, value := range f.Values {
			known[f.Attribute][value] = true
		}
	}
	for _, c := range cases(t) {
		if strings.HasPrefix(c.Name, "repository_dispatch.") || strings.HasPrefix(c.Name, "brand_new_event.") {
			continue // anything goes
		}
		events, err := New("test").Parse(t.Context(), c.Request)
		if err != nil && !strings.HasPrefix(c.Name, "vector.") {
			t.Errorf("%s: %v", c.Name, err)
		}
		for _, e := range events {
			for attribute := range known {
				for _, value := range e.Attributes[attribute] {
					if !known[attribute][value] {
						t.Errorf("%s: %s %q is not a known value", c.Name, attribute, value)
					}
				}
			}
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

func sign(secret string, body []byte) string { return sdk.SignHMACSHA256("sha256=", secret, body) }
