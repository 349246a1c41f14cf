package provider

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
)

// Whatever arrives is an event, a handshake or unparseable, and what is taken
// for JSON is JSON for others, too.
func FuzzParse(f *testing.F) {
	for _, c := range cases(f) {
		f.Add(isForm(c.Request), c.Request.Body)
	}
	f.Add(false, []byte(`{"type":"event_callback","event":{"type":"message","blocks":[{"text":{"text":["a"]},"a":{"user_id":""}}]}}`))
	f.Add(true, []byte(`payload={"type":"block_actions","actions":[{"rich_text_value":{"text":"a"}}],"state":{"values":{"":{"":{}}}}}`))
	p := New("test")
	f.Fuzz(func(t *testing.T, asForm bool, body []byte) {
		req := delivery(contentJSON, body)
		if asForm {
			req = delivery(contentForm, body)
		}
		reply, err := p.Challenge(t.Context(), req, nil)
		if err != nil && !errors.Is(err, sdk.ErrUnparseable) || err != nil && reply != nil {
			t.Fatalf("Challenge = %v, %v", reply, err)
		}
		events, err := p.Parse(t.Context(), req)
		if err != nil {
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("%v, %v", events, err)
			}
			return
		}
		if reply != nil && len(events) > 0 {
			t.Fatalf("a handshake that is answered is an event as well: %v", events)
		}
		if !asForm && (!json.Valid(body) || !utf8.Valid(body)) {
			t.Fatal("took what is not JSON")
		}
		if len(events) > 1 || len(events) == 1 && events[0].Name == "" {
			t.Fatalf("events %v", events)
		}
		for _, e := range events {
			if e.Taken == nil || e.Ignored == nil || len(e.Attributes) == 0 {
				t.Fatalf("replies %v, %v; attributes %v", e.Taken, e.Ignored, e.Attributes)
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
		}
	})
}

// A signature is taken exactly when it is the one that the secret makes, and
// its time is one that Slack would have sent just now.
func FuzzVerify(f *testing.F) {
	f.Add(testSecret, testTimestamp, sign(testSecret, testTimestamp, []byte("{}")), []byte("{}"))
	f.Add("", testTimestamp, sign("", testTimestamp, nil), []byte{})
	f.Add(testSecret, "NaN", "v0=", []byte("ssl_check=1"))
	f.Add(testSecret, "1767225900", "v0=00", []byte("{}"))
	p := New("test")
	f.Fuzz(func(t *testing.T, secret, timestamp, signature string, body []byte) {
		for _, header := range []string{signature, sign(secret, timestamp, body)} {
			req := delivery(contentForm, body)
			req.Header.Set(timestampHeader, timestamp)
			req.Header.Set(signatureHeader, header)
			which, err := p.Verify(t.Context(), req, secretsOf(secret))
			n, numberErr := strconv.ParseUint(timestamp, 10, 40)
			off := int64(n) - testTime().Unix()
			good := secret != "" && hmac.Equal([]byte(header), []byte(sign(secret, timestamp, body))) &&
				numberErr == nil && off <= 300 && off >= -300
			switch {
			case good && (err != nil || len(which) != 1):
				t.Fatalf("refused: %v", err)
			case !good && !errors.Is(err, sdk.ErrBadSignature) && (secret != "" || !errors.Is(err, sdk.ErrCredential)):
				t.Fatalf("which %v, error %v", which, err)
			}
		}
	})
}
