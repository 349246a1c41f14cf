package provider

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
)

// Whatever arrives is an event, a ping or unparseable, and what is taken for
// JSON is JSON for others, too.
func FuzzParse(f *testing.F) {
	for _, c := range cases(f) {
		f.Add(c.Request.Header.Get(eventHeader), c.Request.Header.Get("Content-Type"), c.Request.Body)
	}
	f.Add("issues", "", []byte(`{"issue":{"labels":[[{"name":"a"}],{"name":["b"]}],"number":-0}}`))
	f.Add("status", "", []byte(`{"branches":{"name":"a"},"state":"\u0000"}`))
	p := New("test")
	f.Fuzz(func(t *testing.T, event, contentType string, body []byte) {
		req := delivery(event, body)
		req.Header.Set("Content-Type", contentType)
		events, err := p.Parse(t.Context(), req)
		if err != nil {
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("%v, %v", events, err)
			}
			return
		}
		payload, err := payloadOf(req)
		if err != nil || !json.Valid(payload) || !utf8.Valid(payload) {
			t.Fatalf("took what is not JSON: %v", err)
		}
		if event == "ping" {
			if len(events) != 0 {
				t.Fatalf("a ping became %v", events)
			}
			return
		}
		if len(events) != 1 || events[0].Name != event {
			t.Fatalf("events %v", events)
		}
		if e := events[0]; utf8.ValidString(event) {
			if _, err := json.Marshal(e); err != nil { // its time, its extras
				t.Fatal(err)
			}
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

func FuzzUnescape(f *testing.F) {
	for _, seed := range []string{"", "a+b%20c", "%7B%7d%00%ff", "%", "%7", "%zz", "a%2", "ü;&="} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, field []byte) {
		want, err := url.QueryUnescape(string(field))
		got, ok := unescape(field)
		if ok != (err == nil) || string(got) != want {
			t.Fatalf("%q, %v; want %q, %v", got, ok, want, err)
		}
	})
}

// A signature is taken exactly when it is the one that the secret makes.
func FuzzVerify(f *testing.F) {
	f.Add(testSecret, sign(testSecret, []byte("{}")), []byte("{}"))
	f.Add("It's a Secret to Everybody", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", []byte("Hello, World!"))
	f.Add("", sign("", nil), []byte{})
	f.Add(testSecret, "sha1=d03207e4b030cf234e3447bac4d93add4c6643d8", []byte("{}"))
	p := New("test")
	f.Fuzz(func(t *testing.T, secret, signature string, body []byte) {
		for _, header := range []string{signature, sign(secret, body)} {
			req := sdk.Request{Header: http.Header{}, Body: body}
			req.Header.Set(signatureHeader, header)
			which, err := p.Verify(t.Context(), req, secretsOf(secret))
			good := secret != "" && hmac.Equal([]byte(header), []byte(sign(secret, body)))
			switch {
			case good && (err != nil || len(which) != 1):
				t.Fatalf("refused: %v", err)
			case !good && !errors.Is(err, sdk.ErrBadSignature) && (secret != "" || !errors.Is(err, sdk.ErrCredential)):
				t.Fatalf("which %v, error %v", which, err)
			}
		}
	})
}
