package provider

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
)

// Whatever arrives is an event, a ping or unparseable; what is taken for JSON is
// JSON for others, too; and whatever is an event is answered for Discord.
func FuzzParse(f *testing.F) {
	for _, c := range cases(f) {
		f.Add(c.Request.Body)
	}
	f.Add([]byte(`{"type":2,"id":"18446744073709551615","token":"/?#","application_id":"..","data":{"name":"a","type":3,"target_id":"1","resolved":{"messages":{"1":{}}}}}`))
	f.Add([]byte(`{"type":5,"id":"1","token":"t","data":{"custom_id":":","components":[{"custom_id":"a","value":1e999},{"component":{"components":[{"custom_id":"a","values":null}]}}]}}`))
	f.Add([]byte(`{"type":1,"event":{"type":"X","timestamp":"9999-12-31T23:59:59-23:00","data":{"type":-0}}}`))
	p := New("test")
	f.Fuzz(func(t *testing.T, body []byte) {
		req := delivery(body)
		reply, err := p.Challenge(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		events, err := p.Parse(t.Context(), req)
		switch {
		case err != nil:
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil || reply != nil {
				t.Fatalf("%v, %v, %v", events, reply, err)
			}
			return
		case !json.Valid(body) || !utf8.Valid(body):
			t.Fatal("took what is not JSON")
		case (reply != nil) != (len(events) == 0) || len(events) > 1:
			t.Fatalf("reply %v, events %v", reply, events)
		case len(events) == 0:
			return
		}
		e := events[0]
		if e.Name == "" || e.DeliveryID == "" || e.Taken == nil || e.Ignored == nil {
			t.Fatalf("%+v", e)
		}
		if _, err := json.Marshal(e); err != nil { // its time, its extras
			t.Fatal(err)
		}
		for name, values := range e.Attributes {
			for _, value := range values {
				if value == "" {
					t.Fatalf("attribute %s has an empty value", name)
				}
			}
		}
	})
}

// A signature is taken exactly when it is the key's over the timestamp and the
// body, and the timestamp is near.
func FuzzVerify(f *testing.F) {
	f.Add(public(testKey), pingSignature, "1700000000", []byte(pingBody))
	f.Add(public(testKey), sign(testKey, testTimestamp, nil), testTimestamp, []byte{})
	f.Add("", "", "", []byte("{}"))
	f.Add(public(testKey)[:62], otherSignature, "NaN", []byte("{}"))
	p := New("test")
	f.Fuzz(func(t *testing.T, key, signature, timestamp string, body []byte) {
		for _, header := range []string{signature, sign(testKey, timestamp, body)} {
			req := sdk.Request{Header: http.Header{}, Body: body, ReceivedAt: time.Unix(1700000000, 0)}
			req.Header[http.CanonicalHeaderKey(signatureHeader)] = []string{header}
			req.Header[http.CanonicalHeaderKey(timestampHeader)] = []string{timestamp}
			which, err := p.Verify(t.Context(), req, secretsOf(key))
			switch {
			case err == nil:
				if len(which) != 1 || len(key) != 2*ed25519.PublicKeySize || sdk.CheckTimestamp(timestamp, req.ReceivedAt, 300*time.Second) != nil {
					t.Fatalf("which %v, key %q, timestamp %q", which, key, timestamp)
				}
				if key == public(testKey) && header != sign(testKey, timestamp, body) {
					t.Fatalf("took %q", header)
				}
			case !errors.Is(err, sdk.ErrBadSignature) && !errors.Is(err, sdk.ErrCredential), which != nil:
				t.Fatalf("which %v, error %v", which, err)
			case key == public(testKey) && timestamp == "1700000000" && header == sign(testKey, timestamp, body):
				t.Fatalf("refused: %v", err)
			}
		}
	})
}
