package provider

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	testTimestamp = "1772357400"
	pingBody      = `{"id":"787053080478613555","token":"ThisIsATokenFromDiscordThatIsVeryLong","type":1,"version":1}`
	eventBody     = `{"version":1,"application_id":"1234560123453231555","type":1,"event":{"type":"ENTITLEMENT_CREATE","timestamp":"2024-10-18T18:41:21.109604","data":{"id":"1234505980407808808","sku_id":"123489045643835123","application_id":"1234560123453231555","user_id":"111178765189277770","promotion_id":null,"type":4,"deleted":false,"gift_code_flags":0,"consumed":false}}}`

	pingSignature  = "f0bd878adcef1f6d475c9644421905bd02b5de38e0d3ecfc6f58a711962c69ccc8dd7c9db312f9bdf08b1e1b8182e27a844da728c5e0dbb5507bf9931c1ed80b"
	otherSignature = "96bf4e1b5f9d42b52be5d5b608df3604ed7dea58f7289c5cd1f654f5085fa1f50e78afa54d9a77814854f2ab5b923de409674dfad7403a46d72bc90784a35103"
)

func TestVerifyTimestamps(t *testing.T) {
	t.Parallel()
	at := time.Unix(1772357400, 0)
	for timestamp, want := range map[string]error{
		"1772357400": nil,
		"1772357100": nil,
		"1772357700": nil,
		"1772357099": sdk.ErrStale,
		"1772357701": sdk.ErrStale,
		"0":          sdk.ErrStale,
		// Signed all the same, as nothing separates it from the body.
		"":                     sdk.ErrBadSignature,
		"NaN":                  sdk.ErrBadSignature,
		"-1772357400":          sdk.ErrBadSignature,
		"+1772357400":          sdk.ErrBadSignature,
		"1772357400.0":         sdk.ErrBadSignature,
		"1772357400{":          sdk.ErrBadSignature,
		"1772357400000":        sdk.ErrBadSignature, // too large for seconds
		"99999999999999999999": sdk.ErrBadSignature,
	} {
		req := delivery([]byte(pingBody))
		req.Header.Set(timestampHeader, timestamp)
		req.Header.Set(signatureHeader, sign(testKey, timestamp, req.Body))
		req.ReceivedAt = at
		_, err := New("test").Verify(t.Context(), req, secretsOf(public(testKey)))
		if (want == nil) != (err == nil) || !errors.Is(err, want) || errors.Is(err, sdk.ErrStale) != errors.Is(want, sdk.ErrStale) {
			t.Errorf("%q: %v, want %v", timestamp, err, want)
		}
	}
	// Only a good signature tells that a timestamp is old.
	req := delivery([]byte(pingBody))
	req.Header.Set(timestampHeader, "1")
	req.Header.Set(signatureHeader, otherSignature)
	if _, err := New("test").Verify(t.Context(), req, secretsOf(public(testKey))); errors.Is(err, sdk.ErrStale) || !errors.Is(err, sdk.ErrBadSignature) {
		t.Errorf("old and badly signed: %v", err)
	}
}

// Digits that move between the timestamp and the body keep the signature.
func TestTimestampCanNotLendDigitsToTheBody(t *testing.T) {
	t.Parallel()
	const body = `{"type":0}`
	signature := sign(testKey, testTimestamp, []byte(body))
	for i := range len(testTimestamp) {
		req := delivery([]byte(testTimestamp[i:] + body))
		req.Header.Set(timestampHeader, testTimestamp[:i])
		req.Header.Set(signatureHeader, signature)
		if _, err := New("test").Verify(t.Context(), req, secretsOf(public(testKey))); !errors.Is(err, sdk.ErrBadSignature) {
			t.Errorf("timestamp %q: %v", testTimestamp[:i], err)
		}
	}
}

// A public key that can not be one is the operator's to mend, and says nothing
// about the others.
func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	key, other := public(testKey), public(otherKey)
	tests := []struct {
		name    string
		secrets []sdk.Secret
		want    sdk.Which
		err     error
	}{
		{"upper case", secretsOf(strings.ToUpper(key)), sdk.Which{0}, nil},
		{"a short one beside it", secretsOf(key[:62], key), sdk.Which{1}, nil},
		{"a usable one that does not fit", secretsOf("", other), nil, sdk.ErrBadSignature},
		{"short", secretsOf(key[:62]), nil, sdk.ErrCredential},
		{"long", secretsOf(key + "00"), nil, sdk.ErrCredential},
		{"with a line end", secretsOf(key + "\n"), nil, sdk.ErrCredential},
		{"not hex", secretsOf(strings.Repeat("zz", 32)), nil, sdk.ErrCredential},
		{"a bot token instead", []sdk.Secret{{Source: "game", Fields: map[string]string{"bot_token": key}}}, nil, sdk.ErrCredential},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			which, err := New("test").Verify(t.Context(), signed([]byte(pingBody)), tt.secrets)
			if !slices.Equal(which, tt.want) || !errors.Is(err, tt.err) || (tt.err != nil) != (err != nil) {
				t.Errorf("Verify = %v, %v; want %v, %v", which, err, tt.want, tt.err)
			}
		})
	}
}

func secretsOf(keys ...string) []sdk.Secret {
	var secrets []sdk.Secret
	for _, key := range keys {
		secrets = append(secrets, sdk.Secret{Source: "game", Instance: "default", Fields: map[string]string{keyField: key}})
	}
	return secrets
}

// delivery is an unsigned request.
func delivery(body []byte) sdk.Request {
	req := sdk.Request{
		Method: http.MethodPost, Path: "/webhooks/discord", Header: http.Header{}, Body: body,
		ReceivedAt: time.Unix(1772357400, 0).UTC(),
	}
	req.Header.Set("Content-Type", "application/json")
	return req
}

func signed(body []byte) sdk.Request {
	req := delivery(body)
	req.Header.Set(timestampHeader, testTimestamp)
	req.Header.Set(signatureHeader, sign(testKey, testTimestamp, body))
	return req
}
