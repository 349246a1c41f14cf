package provider

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
)

// Whatever arrives is an event or unparseable, and what is taken for JSON is
// JSON for others, too.
func FuzzParse(f *testing.F) {
	for _, c := range cases(f) {
		f.Add(c.Request.Header.Get(resourceHeader), c.Request.Header.Get(timestampHeader), c.Request.Body)
	}
	f.Add("error", "1.5", []byte(`{"data":{"error":{"tags":[[]],"exception":{"values":[{"stacktrace":{"frames":[[]]}}]},"timestamp":1e999}}}`))
	f.Add("metric_alert", "-1", []byte(`{"data":{"metric_alert":{"projects":{"a":1}},"web_url":"https://[::1"}}`))
	f.Add("activity_alert", "99999999999999", []byte(`{"data":{"activity":{"details":[{}]},"alert":{"url":"https://.sentry.io/issues/"}}}`))
	p := New("test")
	f.Fuzz(func(t *testing.T, resource, timestamp string, body []byte) {
		req := delivery(resource, body)
		req.Header.Set(timestampHeader, timestamp)
		events, err := p.Parse(t.Context(), req)
		if err != nil {
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("%v, %v", events, err)
			}
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatal("took what is not JSON")
		}
		if len(events) != 1 || events[0].Name != resource {
			t.Fatalf("events %v", events)
		}
		if _, err := json.Marshal(events[0]); err != nil { // its time, its extras
			t.Fatal(err)
		}
		if events[0].Number < 0 {
			t.Fatalf("number %d", events[0].Number)
		}
		for name, values := range events[0].Attributes {
			for _, value := range values {
				if value == "" {
					t.Fatalf("attribute %s has an empty value", name)
				}
			}
		}
	})
}

// A signature is taken exactly when it is the one that the secret makes.
func FuzzVerify(f *testing.F) {
	f.Add(testSecret, sign(testSecret, []byte("{}")), []byte("{}"))
	f.Add(testSecret, "ee812637a3406f273b5a559320c3cc064a98d0ffefb5c754350a5e0e7a71d25c", []byte{})
	f.Add("", sign("", nil), []byte{})
	f.Add(testSecret, "sha256=00", []byte("{}"))
	p := New("test")
	f.Fuzz(func(t *testing.T, secret, signature string, body []byte) {
		for _, value := range []string{signature, sign(secret, body)} {
			for _, name := range []string{signatureHeader, componentHeader} {
				req := sdk.Request{Header: http.Header{}, Body: body}
				req.Header.Set(name, value)
				which, err := p.Verify(t.Context(), req, secretsOf(secret))
				good := secret != "" && hmac.Equal([]byte(value), []byte(sign(secret, body)))
				switch {
				case good && (err != nil || len(which) != 1):
					t.Fatalf("refused: %v", err)
				case !good && !errors.Is(err, sdk.ErrBadSignature) && (secret != "" || !errors.Is(err, sdk.ErrCredential)):
					t.Fatalf("which %v, error %v", which, err)
				}
			}
		}
	})
}
