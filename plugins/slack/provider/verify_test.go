package provider

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	testSecret    = "slack-test-secret"
	testTimestamp = "1767225600"

	contentForm = "application/x-www-form-urlencoded"
	contentJSON = "application/json"
)

// testTime is when requests of tests arrive, and were sent.
func testTime() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// The colon between time and body can not be moved.
func TestVerifyKnowsWhereTheBodyBegins(t *testing.T) {
	t.Parallel()
	req := signed([]byte("12:34"))
	req.Header.Set(timestampHeader, testTimestamp+":12")
	req.Body = []byte("34")
	refused(t, req)
}

func refused(t *testing.T, req sdk.Request) {
	t.Helper()
	which, err := New("test").Verify(t.Context(), req, secretsOf(testSecret))
	if !errors.Is(err, sdk.ErrBadSignature) || which != nil {
		t.Errorf("Verify = %v, %v; want a bad signature", which, err)
	}
	if err != nil && strings.Contains(err.Error(), testSecret) {
		t.Errorf("the error tells the secret: %v", err)
	}
}

// The probe is the one way in without a signature: it leads nowhere.
func TestProbeStartsNothing(t *testing.T) {
	t.Parallel()
	const smuggled = "&command=%2Fdeploy&trigger_id=1&payload=%7B%22type%22%3A%22shortcut%22%7D"
	tests := []struct {
		name, contentType, body string
		probe                   bool
	}{
		{"slack's", contentForm, "ssl_check=1&token=x", true},
		{"with charset", contentForm + "; charset=utf-8", "token=x&ssl_check=1", true},
		{"with more in it", contentForm, "ssl_check=1" + smuggled, true},
		{"twice", contentForm, "ssl_check=1&ssl_check=0" + smuggled, false},
		{"twice the other way", contentForm, "ssl_check=0" + smuggled + "&ssl_check=1", false},
		{"another value", contentForm, "ssl_check=true" + smuggled, false},
		{"another case", contentForm, "SSL_CHECK=1" + smuggled, false},
		{"spelled in escapes", contentForm, "%73sl_check=1" + smuggled, false},
		{"within a value", contentForm, "text=ssl_check=1" + smuggled, false},
		{"broken escape", contentForm, "ssl_check=1&x=%z", false},
		{"as JSON", contentJSON, `{"ssl_check":"1","type":"shortcut"}`, false},
		{"a form that says it is JSON", contentJSON, "ssl_check=1" + smuggled, false},
		{"without type", "", "ssl_check=1" + smuggled, false},
		{"too large", contentForm, "ssl_check=1&token=" + strings.Repeat("x", 20<<10), false},
		{"empty", contentForm, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := delivery(tt.contentType, []byte(tt.body))
			d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{})
			if len(d.Events) != 0 || len(d.Which) != 0 {
				t.Fatalf("it started %v, proved by %v", d.Events, d.Which)
			}
			if !tt.probe {
				if !errors.Is(err, sdk.ErrBadSignature) {
					t.Errorf("Deliver = %+v, %v; want a bad signature", d, err)
				}
				return
			}
			if err != nil || d.Reply == nil || d.Reply.Status != http.StatusOK || len(d.Reply.Body) != 0 {
				t.Errorf("Deliver = %+v, %v; want an empty 200", d, err)
			}
			if events, err := New("test").Parse(t.Context(), req); err != nil || len(events) != 0 {
				t.Errorf("on replay: %v, %v", events, err)
			}
		})
	}
}

// Signed, it starts nothing either.
func TestSignedProbe(t *testing.T) {
	t.Parallel()
	req := signedAs(contentForm, []byte("ssl_check=1&command=%2Fdeploy"))
	d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{})
	if err != nil || d.Reply == nil || d.Reply.Status != http.StatusOK || len(d.Reply.Body) != 0 || len(d.Events) != 0 {
		t.Errorf("Deliver = %+v, %v; want an empty 200", d, err)
	}
}

func sign(secret, timestamp string, body []byte) string {
	return sdk.SignHMACSHA256("v0=", secret, []byte("v0:"), []byte(timestamp), []byte(":"), body)
}

func secretsOf(texts ...string) []sdk.Secret {
	var secrets []sdk.Secret
	for _, text := range texts {
		secrets = append(secrets, sdk.Secret{Source: "team", Instance: "default", Fields: map[string]string{secretField: text}})
	}
	return secrets
}

// delivery is an unsigned request.
func delivery(contentType string, body []byte) sdk.Request {
	req := sdk.Request{
		Method: http.MethodPost, Path: "/webhooks/slack", Header: http.Header{}, Body: body, ReceivedAt: testTime(),
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

func signedAs(contentType string, body []byte) sdk.Request {
	req := delivery(contentType, body)
	req.Header.Set(timestampHeader, testTimestamp)
	req.Header.Set(signatureHeader, sign(testSecret, testTimestamp, body))
	return req
}

func signed(body []byte) sdk.Request { return signedAs(contentJSON, body) }
