package provider

import (
	"flag"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

const testSecret = "gh-test-secret"

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

func cases(t testing.TB) []*providertest.Case {
	t.Helper()
	all, err := providertest.ReadCases("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sign(secret string, body []byte) string { return sdk.SignHMACSHA256("sha256=", secret, body) }

func secretsOf(texts ...string) []sdk.Secret {
	var secrets []sdk.Secret
	for _, text := range texts {
		secrets = append(secrets, sdk.Secret{Source: "team", Instance: "default", Fields: map[string]string{secretField: text}})
	}
	return secrets
}

// delivery is an unsigned request.
func delivery(event string, body []byte) sdk.Request {
	req := sdk.Request{Method: http.MethodPost, Path: "/webhooks/github", Header: http.Header{}, Body: body}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(eventHeader, event)
	req.Header.Set(deliveryHeader, "6f1a2b3c-0000-4000-8000-000000000001")
	return req
}

func signed(body []byte) sdk.Request {
	req := delivery("issues", body)
	req.Header.Set(signatureHeader, sign(testSecret, body))
	return req
}

func parseOne(t *testing.T, event, body string) sdk.Event {
	t.Helper()
	events, err := New("test").Parse(t.Context(), delivery(event, []byte(body)))
	if err != nil || len(events) != 1 {
		t.Fatalf("Parse(%s) = %v, %v", body, events, err)
	}
	return events[0]
}
