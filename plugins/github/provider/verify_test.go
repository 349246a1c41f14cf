package provider

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

const testSecret = "gh-test-secret"

// Bodies, secrets and signatures as GitHub documents and computes them.
func TestVerifyVectors(t *testing.T) {
	t.Parallel()
	const vendor = "It's a Secret to Everybody"
	tests := []struct {
		name, secret, body, header, value string
		want                              error
	}{
		{"documentation", vendor, "Hello, World!", signatureHeader, "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", nil},
		{"documentation, legacy alone", vendor, "Hello, World!", legacyHeader, "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", sdk.ErrBadSignature},
		{"sdk tests", "mysecret", `{"foo":"bar"}`, signatureHeader, "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3", nil},
		{"sdk tests, legacy alone", "mysecret", `{"foo":"bar"}`, legacyHeader, "sha1=d03207e4b030cf234e3447bac4d93add4c6643d8", sdk.ErrBadSignature},
		{"json", testSecret, `{"zen":"Keep it logically awesome.","hook_id":1}`, signatureHeader, "sha256=3e20f493d5667e4ac71dcac33cf793105fbb07387091995517deafdc04efe473", nil},
		{"form", testSecret, "payload=%7B%22zen%22%3A%22Keep+it+logically+awesome.%22%2C%22hook_id%22%3A1%7D", signatureHeader, "sha256=1ecdc9479808f03e98f3071d7306d0af20c4e378e0395c058ae779393fcb9452", nil},
		{"not ascii", testSecret, `{"action":"opened","issue":{"title":"Grüße 👋"}}`, signatureHeader, "sha256=215b4c8ea7f9cc6f86509558e1edaae190933ace2494514b8a763df41a8f6333", nil},
		{"empty body", testSecret, "", signatureHeader, "sha256=e0fa18340344cf21f3bb0ee4f70091cfdb515f6d645259237a23941d1cd3383b", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := sdk.Request{Header: http.Header{}, Body: []byte(tt.body)}
			req.Header.Set(tt.header, tt.value)
			which, err := New("test").Verify(t.Context(), req, secretsOf(tt.secret))
			if !errors.Is(err, tt.want) || (err == nil) != slices.Equal(which, sdk.Which{0}) {
				t.Errorf("Verify = %v, %v; want error %v", which, err, tt.want)
			}
		})
	}
}

// GitHub sends both signatures. Only the good one decides.
func TestVerifyIgnoresLegacySignature(t *testing.T) {
	t.Parallel()
	body := []byte(`{"zen":"x"}`)
	req := signed(body)
	req.Header.Set(legacyHeader, "sha1="+strings.Repeat("0", 40))
	if _, err := New("test").Verify(t.Context(), req, secretsOf(testSecret)); err != nil {
		t.Error(err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	body := []byte(`{"action":"opened"}`)
	good := sign(testSecret, body)
	tests := map[string][]string{
		"missing":             nil,
		"empty":               {""},
		"prefix only":         {"sha256="},
		"no prefix":           {strings.TrimPrefix(good, "sha256=")},
		"other prefix":        {"sha1=" + strings.TrimPrefix(good, "sha256=")},
		"upper-case prefix":   {"SHA256=" + strings.TrimPrefix(good, "sha256=")},
		"upper-case digits":   {"sha256=" + strings.ToUpper(strings.TrimPrefix(good, "sha256="))},
		"short":               {good[:len(good)-2]},
		"odd":                 {good[:len(good)-1]},
		"long":                {good + "00"},
		"space before":        {" " + good},
		"space after":         {good + " "},
		"not hex":             {"sha256=" + strings.Repeat("g", 64)},
		"doubled":             {good, good},
		"doubled, one wrong":  {"sha256=" + strings.Repeat("0", 64), good},
		"two in one":          {good + "," + good},
		"another secret's":    {sign("other", body)},
		"of the trimmed body": {sign(testSecret, body[:len(body)-1])},
	}
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := sdk.Request{Header: http.Header{}, Body: body}
			if values != nil {
				req.Header[http.CanonicalHeaderKey(signatureHeader)] = values
			}
			which, err := New("test").Verify(t.Context(), req, secretsOf(testSecret))
			if !errors.Is(err, sdk.ErrBadSignature) || which != nil {
				t.Errorf("Verify = %v, %v; want a bad signature", which, err)
			}
			if err != nil && strings.Contains(err.Error(), testSecret) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestVerifyNoticesEveryBit(t *testing.T) {
	t.Parallel()
	p := New("test")
	body := []byte(`{"action":"opened"}`)
	refused := func(req sdk.Request, what string, i int) {
		t.Helper()
		if _, err := p.Verify(t.Context(), req, secretsOf(testSecret)); !errors.Is(err, sdk.ErrBadSignature) {
			t.Errorf("%s %d flipped: %v", what, i, err)
		}
	}
	sum, err := hex.DecodeString(strings.TrimPrefix(sign(testSecret, body), "sha256="))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(sum) {
		flipped := bytes.Clone(sum)
		flipped[i/8] ^= 1 << (i % 8)
		req := signed(body)
		req.Header.Set(signatureHeader, "sha256="+hex.EncodeToString(flipped))
		refused(req, "bit of the signature", i)
	}
	for i := range 8 * len(body) {
		req := signed(body)
		req.Body = bytes.Clone(body)
		req.Body[i/8] ^= 1 << (i % 8)
		refused(req, "bit of the body", i)
	}
}

func TestVerifySecrets(t *testing.T) {
	t.Parallel()
	body := []byte(`{"action":"opened"}`)
	tests := []struct {
		name    string
		secrets []sdk.Secret
		want    sdk.Which
		err     error
	}{
		{"second of three", secretsOf("old", testSecret, "other"), sdk.Which{1}, nil},
		{"two sources share it", secretsOf(testSecret, "other", testSecret), sdk.Which{0, 2}, nil},
		{"an empty one beside it", secretsOf("", testSecret), sdk.Which{1}, nil},
		{"none", nil, nil, sdk.ErrBadSignature},
		{"none fits", secretsOf("old", "other"), nil, sdk.ErrBadSignature},
		{"not trimmed", secretsOf(testSecret+"\n", " "+testSecret), nil, sdk.ErrBadSignature},
		{"empty", secretsOf(""), nil, sdk.ErrCredential},
		{"without the field", []sdk.Secret{{Source: "a", Fields: map[string]string{"token": testSecret}}}, nil, sdk.ErrCredential},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			which, err := New("test").Verify(t.Context(), signed(body), tt.secrets)
			if !slices.Equal(which, tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("Verify = %v, %v; want %v, %v", which, err, tt.want, tt.err)
			}
		})
	}
	// HMAC takes an empty key. A stranger can compute with that one.
	req := sdk.Request{Header: http.Header{}, Body: body}
	req.Header.Set(signatureHeader, sign("", body))
	if which, err := New("test").Verify(t.Context(), req, secretsOf("", testSecret)); !errors.Is(err, sdk.ErrBadSignature) {
		t.Errorf("signed with nothing: %v, %v", which, err)
	}
}

// A source without a secret takes unsigned requests, but no bad signature of
// either kind.
func TestUnsignedIsNotBadlySigned(t *testing.T) {
	t.Parallel()
	body := []byte(`{"action":"opened","issue":{"number":1}}`)
	tests := []struct {
		name, header, value string
		ok                  bool
	}{
		{"unsigned", "X-GitHub-Hook-ID", "1", true},
		{"wrong", signatureHeader, "sha256=" + strings.Repeat("0", 64), false},
		{"malformed", signatureHeader, "", false},
		{"legacy alone", legacyHeader, "sha1=" + strings.Repeat("0", 40), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := delivery("issues", body)
			req.Header.Set(tt.header, tt.value)
			d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{AllowUnsigned: true})
			if tt.ok && (err != nil || !d.Unsigned || len(d.Events) != 1) || !tt.ok && !errors.Is(err, sdk.ErrBadSignature) {
				t.Errorf("Deliver = %+v, %v; want ok %v", d, err, tt.ok)
			}
		})
	}
}

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
