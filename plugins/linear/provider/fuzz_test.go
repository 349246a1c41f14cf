package provider

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// Whatever arrives is an event or unparseable, and what is taken for JSON is
// JSON for others, too.
func FuzzParse(f *testing.F) {
	for _, c := range cases(f) {
		f.Add(c.Request.Body)
	}
	f.Add([]byte(`{"type":"Issue","data":{"labels":[[{"name":"a"}],{"name":["b"]}],"number":-0},"updatedFrom":{"":1,"labelIds":[1]}}`))
	p := New("test")
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := p.Parse(t.Context(), delivery(body))
		if err != nil {
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("%v, %v", events, err)
			}
			return
		}
		if !utf8.Valid(body) || !json.Valid(body) {
			t.Fatal("took what is not JSON")
		}
		if len(events) != 1 || events[0].Name == "" {
			t.Fatalf("events %v", events)
		}
		if _, err := json.Marshal(events[0]); err != nil { // its time, its extras
			t.Fatal(err)
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

// A request is taken exactly when its signature is the one that the secret
// makes and the time in it is one that others read there, too.
func FuzzVerify(f *testing.F) {
	f.Add(testSecret, sign(testSecret, goodBody()), goodBody())
	f.Add("", sign("", nil), []byte{})
	f.Add(testSecret, "", []byte(`{"webhookTimestamp":1767225660000}`))
	f.Add(testSecret, "", []byte(`{"a":[{}],"webhookTimestamp":1.7672256e12}`))
	f.Add(testSecret, "", []byte(`{"webhookTimestamp":"1767225660000"}`))
	p := New("test")
	f.Fuzz(func(t *testing.T, secret, signature string, body []byte) {
		for _, header := range []string{signature, sign(secret, body)} {
			req := delivery(body)
			req.Header.Set(signatureHeader, header)
			which, err := p.Verify(t.Context(), req, secretsOf(secret))
			if err == nil && (len(which) != 1 || secret == "" || header != sign(secret, body)) {
				t.Fatalf("%q accepted: %v", header, which)
			}
			if err != nil && !errors.Is(err, sdk.ErrBadSignature) && (secret != "" || !errors.Is(err, sdk.ErrCredential)) {
				t.Fatalf("which %v, error %v", which, err)
			}
			if header != sign(secret, body) || secret == "" || !json.Valid(body) || !utf8.Valid(body) {
				continue
			}
			if _, err := p.Parse(t.Context(), req); err != nil {
				continue // no type, a name twice
			}
			var others map[string]any
			if json.Unmarshal(body, &others) != nil {
				continue // a number that is too large elsewhere
			}
			ms, isNumber := others["webhookTimestamp"].(float64)
			off := providertest.DefaultReceivedAt().Sub(time.UnixMilli(int64(ms + 0.5))).Abs()
			if good := isNumber && ms > 0 && ms < latest && off <= tolerance; good != (err == nil) {
				t.Fatalf("sent at %v: %v", others["webhookTimestamp"], err)
			}
		}
	})
}
