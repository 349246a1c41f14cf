package provider

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

const testSecret = "linear-test-secret"

// sentAt is the time in the vectors, 2023-02-10T19:22:20.508Z.
func sentAt() time.Time { return time.UnixMilli(1676056940508) }

func TestVerifyAge(t *testing.T) {
	t.Parallel()
	for off, want := range map[time.Duration]error{
		0:                                  nil,
		60 * time.Second:                   nil,
		-60 * time.Second:                  nil,
		60*time.Second + time.Nanosecond:   sdk.ErrStale,
		60*time.Second + time.Millisecond:  sdk.ErrStale,
		-60*time.Second - time.Millisecond: sdk.ErrStale,
		time.Hour:                          sdk.ErrStale, // the second retry, if it kept its first time
		-time.Hour:                         sdk.ErrStale,
		1 << 62:                            sdk.ErrStale,
	} {
		req := signed(fmt.Appendf(nil, `{"type":"Issue","webhookTimestamp":%d}`, sentAt().UnixMilli()))
		req.ReceivedAt = sentAt().Add(off)
		which, err := New("test").Verify(t.Context(), req, secretsOf(testSecret))
		if !errors.Is(err, want) || (want == nil) != (len(which) == 1) {
			t.Errorf("off by %s: %v, %v; want %v", off, which, err, want)
		}
		if err != nil && !errors.Is(err, sdk.ErrBadSignature) {
			t.Errorf("off by %s: %v is no bad signature", off, err)
		}
	}
	var never time.Time
	req := signed([]byte(`{"webhookTimestamp":1676056940508}`))
	req.ReceivedAt = never
	if _, err := New("test").Verify(t.Context(), req, secretsOf(testSecret)); !errors.Is(err, sdk.ErrStale) {
		t.Errorf("without a time of receipt: %v", err)
	}
}

// Bodies that are signed, by whoever has the secret, and lack a time that can
// be judged.
func TestVerifyTimestamps(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		`{"webhookTimestamp":1676056940508}`:                                           nil,
		`{"webhookTimestamp":1676056940508.0}`:                                         nil,
		`{"webhookTimestamp":1676056940508.25}`:                                        nil,
		`{"webhookTimestamp":1.676056940508e12}`:                                       nil,
		`{"webhookTimestamp":1676056940508e0}`:                                         nil,
		` { "a" : [1, {"webhookTimestamp": 1}] , "webhookTimestamp" : 1676056940508 }`: nil,
		`{"webhook\u0054imestamp":1676056940508}`:                                      nil,
		`{"a":1,"a":2,"webhookTimestamp":1676056940508}`:                               nil, // Parse refuses it

		`{"webhookTimestamp":1676056940}`:                            sdk.ErrStale, // seconds
		`{"webhookTimestamp":1676056940508000}`:                      sdk.ErrBadSignature,
		`{"webhookTimestamp":253402300799999}`:                       sdk.ErrStale,
		`{"webhookTimestamp":1}`:                                     sdk.ErrStale,
		`{"webhookTimestamp":0}`:                                     sdk.ErrBadSignature,
		`{"webhookTimestamp":-1676056940508}`:                        sdk.ErrBadSignature,
		`{"webhookTimestamp":1e400}`:                                 sdk.ErrBadSignature,
		`{"webhookTimestamp":NaN}`:                                   sdk.ErrBadSignature,
		`{"webhookTimestamp":"1676056940508"}`:                       sdk.ErrBadSignature,
		`{"webhookTimestamp":null}`:                                  sdk.ErrBadSignature,
		`{"webhookTimestamp":[1676056940508]}`:                       sdk.ErrBadSignature,
		`{"webhookTimestamp":0x185D4F0}`:                             sdk.ErrBadSignature,
		`{"webhookTimestamp"`:                                        sdk.ErrBadSignature,
		`{"WebhookTimestamp":1676056940508}`:                         sdk.ErrBadSignature,
		`{"data":{"webhookTimestamp":1676056940508}}`:                sdk.ErrBadSignature,
		`{"webhookTimestamp":null,"webhookTimestamp":1676056940508}`: sdk.ErrBadSignature,
		`[{"webhookTimestamp":1676056940508}]`:                       sdk.ErrBadSignature,
		`{`:                                                          sdk.ErrBadSignature,
		`{}`:                                                         sdk.ErrBadSignature,
		`{"a":`:                                                      sdk.ErrBadSignature,
		`{1:2}`:                                                      sdk.ErrBadSignature,
		``:                                                           sdk.ErrBadSignature,
		`null`:                                                       sdk.ErrBadSignature,
		`1676056940508`:                                              sdk.ErrBadSignature,
		`Hello, World!`:                                              sdk.ErrBadSignature,
		"\xff\xfe":                                                   sdk.ErrBadSignature,
		"{\"\xff\":1,\"webhookTimestamp\":1676056940508}":                                                          sdk.ErrBadSignature,
		`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `,"webhookTimestamp":1676056940508}`: sdk.ErrBadSignature,
	} {
		req := signed([]byte(body))
		req.ReceivedAt = sentAt()
		// The unsigned header says what it likes.
		req.Header.Set("Linear-Timestamp", "1676056940508")
		which, err := New("test").Verify(t.Context(), req, secretsOf(testSecret))
		short := body[:min(len(body), 80)]
		if !errors.Is(err, want) || (want == nil) != (len(which) == 1) || errors.Is(err, sdk.ErrStale) != errors.Is(want, sdk.ErrStale) {
			t.Errorf("%s: %v, %v; want %v", short, which, err, want)
		}
		if err != nil && len(body) > 20 && strings.Contains(err.Error(), body) {
			t.Errorf("%s: the error quotes the body: %v", short, err)
		}
	}
}

// A stranger's body is not looked at: its time changes nothing in the answer.
func TestVerifySignatureFirst(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"webhookTimestamp":1}`, `{"webhookTimestamp":1676056940508}`, `{`, ""} {
		req := signed([]byte(body))
		req.ReceivedAt = sentAt()
		_, err := New("test").Verify(t.Context(), req, secretsOf("another secret"))
		if !errors.Is(err, sdk.ErrBadSignature) || errors.Is(err, sdk.ErrStale) || strings.Contains(err.Error(), "webhookTimestamp") {
			t.Errorf("%s: %v", body, err)
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

func sign(secret string, body []byte) string { return sdk.SignHMACSHA256("", secret, body) }

// goodBody was sent 750 ms before the usual receipt.
func goodBody() []byte { return []byte(`{"type":"Issue","webhookTimestamp":1767225599250}`) }

// delivery is an unsigned request.
func delivery(body []byte) sdk.Request {
	req := sdk.Request{Method: http.MethodPost, Path: "/webhooks/linear", Header: http.Header{}, Body: body, ReceivedAt: providertest.DefaultReceivedAt()}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set(deliveryHeader, "6f1a2b3c-0000-4000-8000-000000000001")
	return req
}

func signed(body []byte) sdk.Request {
	req := delivery(body)
	req.Header.Set(signatureHeader, sign(testSecret, body))
	return req
}
