package provider

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const testSecret = "sentry-test-client-secret"

// Sentry sends one of the two. The one for webhooks decides if both are there.
func TestVerifyEitherHeader(t *testing.T) {
	t.Parallel()
	body := []byte(`{"action":"created"}`)
	good, bad := sign(testSecret, body), strings.Repeat("0", 64)
	tests := []struct {
		name            string
		hook, component []string
		ok              bool
	}{
		{"hook", []string{good}, nil, true},
		{"component", nil, []string{good}, true},
		{"component, wrong", nil, []string{bad}, false},
		{"component twice", nil, []string{good, good}, false},
		{"both", []string{good}, []string{good}, true},
		{"hook wrong, component right", []string{bad}, []string{good}, false},
		{"hook empty, component right", []string{""}, []string{good}, false},
		{"hook twice, component right", []string{good, good}, []string{good}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := sdk.Request{Header: http.Header{}, Body: body}
			for name, values := range map[string][]string{signatureHeader: tt.hook, componentHeader: tt.component} {
				for _, value := range values {
					req.Header.Add(name, value)
				}
			}
			_, err := New("test").Verify(t.Context(), req, secretsOf(testSecret))
			if tt.ok && err != nil || !tt.ok && !errors.Is(err, sdk.ErrBadSignature) {
				t.Errorf("Verify: %v; want ok %v", err, tt.ok)
			}
		})
	}
}

// The timestamp is not signed, and a delivery may wait long at Sentry.
func TestVerifyAnyTimestamp(t *testing.T) {
	t.Parallel()
	for _, timestamp := range []string{"", "0", "1", "4102444800", "NaN", "-1"} {
		req := signed([]byte(`{"action":"created"}`))
		req.ReceivedAt = time.Unix(1772357400, 0)
		req.Header.Set(timestampHeader, timestamp)
		if _, err := New("test").Verify(t.Context(), req, secretsOf(testSecret)); err != nil {
			t.Errorf("timestamp %q: %v", timestamp, err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	body := []byte(`{"action":"created"}`)
	good := sign(testSecret, body)
	tests := map[string][]string{
		"missing":             nil,
		"empty":               {""},
		"with a prefix":       {"sha256=" + good},
		"upper-case digits":   {strings.ToUpper(good)},
		"short":               {good[:len(good)-2]},
		"odd":                 {good[:len(good)-1]},
		"long":                {good + "00"},
		"space before":        {" " + good},
		"space after":         {good + " "},
		"not hex":             {strings.Repeat("g", 64)},
		"doubled":             {good, good},
		"doubled, one wrong":  {strings.Repeat("0", 64), good},
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
	body := []byte(`{"action":"created"}`)
	refused := func(req sdk.Request, what string, i int) {
		t.Helper()
		if _, err := p.Verify(t.Context(), req, secretsOf(testSecret)); !errors.Is(err, sdk.ErrBadSignature) {
			t.Errorf("%s %d flipped: %v", what, i, err)
		}
	}
	sum, err := hex.DecodeString(sign(testSecret, body))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(sum) {
		flipped := bytes.Clone(sum)
		flipped[i/8] ^= 1 << (i % 8)
		req := signed(body)
		req.Header.Set(signatureHeader, hex.EncodeToString(flipped))
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
	body := []byte(`{"action":"created"}`)
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
// any kind.
func TestUnsignedIsNotBadlySigned(t *testing.T) {
	t.Parallel()
	body := []byte(`{"action":"created","data":{"issue":{"id":"1"}}}`)
	tests := []struct {
		name, header, value string
		ok                  bool
	}{
		{"unsigned", "X-Custom", "1", true},
		{"wrong", signatureHeader, strings.Repeat("0", 64), false},
		{"malformed", signatureHeader, "", false},
		{"wrong, of a component", componentHeader, strings.Repeat("0", 64), false},
		{"of a service hook", serviceHookHeader, sign(testSecret, body), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := delivery("issue", body)
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
func delivery(resource string, body []byte) sdk.Request {
	req := sdk.Request{Method: http.MethodPost, Path: "/webhooks/sentry", Header: http.Header{}, Body: body}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(resourceHeader, resource)
	req.Header.Set(deliveryHeader, "6f1a2b3c000040008000000000000001")
	req.Header.Set(timestampHeader, "1772357400")
	return req
}

func signed(body []byte) sdk.Request {
	req := delivery("issue", body)
	req.Header.Set(signatureHeader, sign(testSecret, body))
	return req
}

func parseOne(t *testing.T, resource, body string) sdk.Event {
	t.Helper()
	events, err := New("test").Parse(t.Context(), delivery(resource, []byte(body)))
	if err != nil || len(events) != 1 {
		t.Fatalf("Parse(%s) = %v, %v", body, events, err)
	}
	return events[0]
}
