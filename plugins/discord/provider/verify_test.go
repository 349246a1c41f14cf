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

const (
	testTimestamp = "1772357400"
	pingBody      = `{"id":"787053080478613555","token":"ThisIsATokenFromDiscordThatIsVeryLong","type":1,"version":1}`
	eventBody     = `{"version":1,"application_id":"1234560123453231555","type":1,"event":{"type":"ENTITLEMENT_CREATE","timestamp":"2024-10-18T18:41:21.109604","data":{"id":"1234505980407808808","sku_id":"123489045643835123","application_id":"1234560123453231555","user_id":"111178765189277770","promotion_id":null,"type":4,"deleted":false,"gift_code_flags":0,"consumed":false}}}`

	pingSignature  = "f0bd878adcef1f6d475c9644421905bd02b5de38e0d3ecfc6f58a711962c69ccc8dd7c9db312f9bdf08b1e1b8182e27a844da728c5e0dbb5507bf9931c1ed80b"
	otherSignature = "96bf4e1b5f9d42b52be5d5b608df3604ed7dea58f7289c5cd1f654f5085fa1f50e78afa54d9a77814854f2ab5b923de409674dfad7403a46d72bc90784a35103"
)

// Bodies, keys and signatures that were computed with another implementation.
// Requests that Discord itself signed are in TestCorpusSignatures.
func TestVerifyVectors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, timestamp, body, signature string
		want                             error
	}{
		{"interactions ping", "1700000000", pingBody, pingSignature, nil},
		{"webhook events ping", "1700000001", `{"version":1,"application_id":"1234560123453231555","type":0}`, otherSignature, nil},
		{
			"webhook event", "1700000002", eventBody,
			"6d04604655496478b99a8f152587b8831d194e4523df654e289ea28df00d73ab0393dd595aca1b2c377fe140aeca2109215c814dc417459853b928585d669402", nil,
		},
		{
			"not ascii", "1700000003", `{"type":2,"id":"1","token":"t","data":{"type":1,"name":"ask","options":[{"type":3,"name":"q","value":"naïve 👋"}]}}`,
			"505fa61b31981589c71ad116529ad2b359efa6f1cb669a1f7739cf17f4257af6fa4f1dedde93d1f9836b5e191ba67d8f26861ccb67e798daf5cfc29b6051f307", nil,
		},
		{"a line end more", "1700000000", pingBody + "\n", pingSignature, sdk.ErrBadSignature},
		{"a digit less", "1700000000", pingBody, pingSignature[:127], sdk.ErrBadSignature},
		{"of another request", "1700000000", pingBody, otherSignature, sdk.ErrBadSignature},
		{"another timestamp", "1700000001", pingBody, pingSignature, sdk.ErrBadSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := delivery([]byte(tt.body))
			req.Header.Set(signatureHeader, tt.signature)
			req.Header.Set(timestampHeader, tt.timestamp)
			req.ReceivedAt = time.Unix(1700000002, 0)
			which, err := New("test").Verify(t.Context(), req, secretsOf(public(testKey)))
			if !errors.Is(err, tt.want) || (err == nil) != slices.Equal(which, sdk.Which{0}) {
				t.Errorf("Verify = %v, %v; want error %v", which, err, tt.want)
			}
		})
	}
}

// Discord probes an endpoint with bad signatures for as long as it is
// configured, and removes one that answers anything but 401. The bodies of
// probes need not be JSON.
func TestBadSignatureIsRefusedWhateverTheBody(t *testing.T) {
	t.Parallel()
	good := sign(testKey, testTimestamp, []byte(pingBody))
	headers := map[string]http.Header{
		"both missing":               {},
		"signature missing":          {timestampHeader: {testTimestamp}},
		"timestamp missing":          {signatureHeader: {good}},
		"signature empty":            {signatureHeader: {""}, timestampHeader: {testTimestamp}},
		"timestamp empty":            {signatureHeader: {good}, timestampHeader: {""}},
		"not hex":                    {signatureHeader: {strings.Repeat("zz", 64)}, timestampHeader: {testTimestamp}},
		"short":                      {signatureHeader: {good[:126]}, timestampHeader: {testTimestamp}},
		"odd":                        {signatureHeader: {good[:127]}, timestampHeader: {testTimestamp}},
		"long":                       {signatureHeader: {good + "00"}, timestampHeader: {testTimestamp}},
		"upper case":                 {signatureHeader: {strings.ToUpper(good)}, timestampHeader: {testTimestamp}},
		"with a prefix":              {signatureHeader: {"0x" + good}, timestampHeader: {testTimestamp}},
		"space before":               {signatureHeader: {" " + good}, timestampHeader: {testTimestamp}},
		"space after":                {signatureHeader: {good + " "}, timestampHeader: {testTimestamp}},
		"zeros":                      {signatureHeader: {strings.Repeat("0", 128)}, timestampHeader: {testTimestamp}},
		"signature doubled":          {signatureHeader: {good, good}, timestampHeader: {testTimestamp}},
		"timestamp doubled":          {signatureHeader: {good}, timestampHeader: {testTimestamp, testTimestamp}},
		"another application's":      {signatureHeader: {sign(otherKey, testTimestamp, []byte(pingBody))}, timestampHeader: {testTimestamp}},
		"over the body alone":        {signatureHeader: {sign(testKey, "", []byte(pingBody))}, timestampHeader: {testTimestamp}},
		"timestamp with zeros":       {signatureHeader: {good}, timestampHeader: {"0" + testTimestamp}},
		"timestamp with white space": {signatureHeader: {good}, timestampHeader: {testTimestamp + " "}},
	}
	bodies := map[string]string{
		"ping": pingBody, "empty": "", "text": "Hello, World!", "cut off": `{"type":`, "null": "null",
		"not utf-8": "\xff\xfe", "deep": strings.Repeat("[", 100_000), "webhook ping": `{"type":0}`,
	}
	for name, header := range headers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, body := range bodies {
				req := delivery([]byte(body))
				for name, values := range header {
					req.Header[http.CanonicalHeaderKey(name)] = values
				}
				d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(public(testKey)), sdk.DeliverOptions{})
				if !errors.Is(err, sdk.ErrBadSignature) || d.Reply != nil || d.Which != nil {
					t.Errorf("%s: Deliver = %+v, %v; want a bad signature", kind, d, err)
				}
			}
		})
	}
}

func TestVerifyNoticesEveryBit(t *testing.T) {
	t.Parallel()
	const body = `{"type":0}`
	p, secrets := New("test"), secretsOf(public(testKey))
	refused := func(req sdk.Request, what string, i int) {
		t.Helper()
		if _, err := p.Verify(t.Context(), req, secrets); !errors.Is(err, sdk.ErrBadSignature) || errors.Is(err, sdk.ErrStale) {
			t.Errorf("%s %d flipped: %v", what, i, err)
		}
	}
	good := signed([]byte(body))
	signature, err := hex.DecodeString(good.Header.Get(signatureHeader))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(signature) {
		flipped := bytes.Clone(signature)
		flipped[i/8] ^= 1 << (i % 8)
		req := signed([]byte(body))
		req.Header.Set(signatureHeader, hex.EncodeToString(flipped))
		refused(req, "bit of the signature", i)
	}
	for i := range 8 * len(body) {
		req := signed([]byte(body))
		req.Body[i/8] ^= 1 << (i % 8)
		refused(req, "bit of the body", i)
	}
	for i := range 8 * len(testTimestamp) {
		flipped := []byte(testTimestamp)
		flipped[i/8] ^= 1 << (i % 8)
		req := signed([]byte(body))
		req.Header.Set(timestampHeader, string(flipped))
		refused(req, "bit of the timestamp", i)
	}
}

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

func TestVerifySecrets(t *testing.T) {
	t.Parallel()
	key, other := public(testKey), public(otherKey)
	tests := []struct {
		name    string
		secrets []sdk.Secret
		want    sdk.Which
		err     error
	}{
		{"second of three", secretsOf(other, key, other), sdk.Which{1}, nil},
		{"two sources share it", secretsOf(key, other, key), sdk.Which{0, 2}, nil},
		{"upper case", secretsOf(strings.ToUpper(key)), sdk.Which{0}, nil},
		{"an empty one beside it", secretsOf("", key), sdk.Which{1}, nil},
		{"a short one beside it", secretsOf(key[:62], key), sdk.Which{1}, nil},
		{"none", nil, nil, sdk.ErrBadSignature},
		{"none fits", secretsOf(other), nil, sdk.ErrBadSignature},
		{"a usable one that does not fit", secretsOf("", other), nil, sdk.ErrBadSignature},
		{"empty", secretsOf(""), nil, sdk.ErrCredential},
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

// Only after the signature holds, and not because a request calls itself a ping.
func TestPingIsAnsweredAfterVerification(t *testing.T) {
	t.Parallel()
	req := signed([]byte(pingBody))
	d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(public(testKey)), sdk.DeliverOptions{})
	if err != nil || d.Reply == nil || string(d.Reply.Body) != `{"type":1}` {
		t.Errorf("Deliver = %+v, %v", d, err)
	}
	d, err = sdk.Deliver(t.Context(), New("test"), req, secretsOf(public(otherKey)), sdk.DeliverOptions{})
	if !errors.Is(err, sdk.ErrBadSignature) || d.Reply != nil {
		t.Errorf("another key: Deliver = %+v, %v", d, err)
	}
}

// A source without a credential takes unsigned requests, but no bad signature
// and no half of one.
func TestUnsignedIsNotBadlySigned(t *testing.T) {
	t.Parallel()
	body := []byte(`{"type":2,"id":"1477598773248000001","token":"t","data":{"name":"ask"}}`)
	tests := []struct {
		name, header, value string
		ok                  bool
	}{
		{"unsigned", "X-Request-Id", "1", true},
		{"wrong", signatureHeader, otherSignature, false},
		{"malformed", signatureHeader, "", false},
		{"timestamp alone", timestampHeader, testTimestamp, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := delivery(body)
			req.Header.Set(tt.header, tt.value)
			d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(public(testKey)), sdk.DeliverOptions{AllowUnsigned: true})
			if tt.ok && (err != nil || !d.Unsigned || len(d.Events) != 1) || !tt.ok && !errors.Is(err, sdk.ErrBadSignature) {
				t.Errorf("Deliver = %+v, %v; want ok %v", d, err, tt.ok)
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
