package provider

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// whatIsSent has every request of the cases.
func whatIsSent(f *testing.F) []*providertest.Case {
	f.Helper()
	var all []*providertest.Case
	for _, dir := range []string{"testdata/plain", "testdata/timed"} {
		cases, err := providertest.ReadCases(dir)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, cases...)
	}
	return all
}

// FuzzParse: whatever a body and a path are, there is one event with a name, or
// the body is unparseable.
func FuzzParse(f *testing.F) {
	for _, c := range whatIsSent(f) {
		f.Add(c.Request.Body, "type", "data.*.id", c.Request.Header.Get("Content-Type"))
	}
	f.Add([]byte(`{"a":[[{"b":1}]]}`), "a.0.*.b", "*.*.*", "")
	f.Fuzz(func(t *testing.T, body []byte, event, attribute, contentType string) {
		settings, _ := New("test").Describe().ReadSettings(map[string]any{
			"event": event, "attributes": map[string]any{"x": attribute}, "fields": map[string]any{"number": event, "timestamp": attribute},
		})
		before := string(body)
		events, err := New("test").Parse(t.Context(), sdk.Request{Body: body, Header: http.Header{"Content-Type": {contentType}}, Settings: settings})
		switch {
		case string(body) != before:
			t.Fatal("the body has changed")
		case err != nil && !errors.Is(err, sdk.ErrUnparseable):
			t.Fatalf("error %v", err)
		case err == nil && (len(events) != 1 || events[0].Name == "" || len(events[0].Attributes["x"]) > maxValues):
			t.Fatalf("events %+v", events)
		case err == nil && utf8.Valid(body) && !utf8.ValidString(events[0].Name):
			t.Fatalf("name %q", events[0].Name)
		}
	})
}

// FuzzVerify: nothing that a stranger sends is anything but a bad signature.
func FuzzVerify(f *testing.F) {
	for _, scheme := range []string{schemeHMAC, schemeTimestamped, schemeStandard, schemeToken, schemeBasic} {
		f.Add(scheme, "sha256=0a", "1767225600", []byte("{}"))
		f.Add(scheme, "t=1767225600,v1=0a", "", []byte(nil))
		f.Add(scheme, "Basic OnNlY3JldA==", "x", []byte("x"))
	}
	f.Fuzz(func(t *testing.T, scheme, signature, timestamp string, body []byte) {
		settings, problems := New("test").Describe().ReadSettings(map[string]any{
			"scheme": scheme, "signatureHeader": "X-Signature", "timestampHeader": "X-Timestamp", "signed": "{timestamp}.{body}",
		})
		if len(problems) > 0 || strings.Contains(signature, "the-secret") {
			return
		}
		req := sdk.Request{
			Header: http.Header{"X-Signature": {signature}, "X-Timestamp": {timestamp}, "X-Id": {timestamp}, "Authorization": {signature}},
			Body:   body, ReceivedAt: time.Unix(1767225600, 0), Settings: settings,
		}
		secrets := []sdk.Secret{{Source: "s", Fields: map[string]string{"secret": "dGhlLXNlY3JldC1vZi10aGlzLXRlc3Q=", "user": "u"}}}
		if which, err := New("test").Verify(t.Context(), req, secrets); !errors.Is(err, sdk.ErrBadSignature) {
			t.Fatalf("which %v, error %v", which, err)
		}
	})
}
