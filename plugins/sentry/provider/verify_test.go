package provider

import (
	"errors"
	"net/http"
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
