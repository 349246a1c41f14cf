package provider

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
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

// Secrets, bodies and signatures that Slack and its libraries publish, and some
// computed by others than this code.
func TestVerifyVectors(t *testing.T) {
	t.Parallel()
	const (
		secret1 = "8f742231b10e8888abcd99yyyzzz85a5"
		body1   = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
		sig1    = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
		body2   = `{"token":"aF5ynEYQH0dFN9imlgcADxDB","team_id":"XXXXXXXXX","api_app_id":"YYYYYYYYY","event":{"type":"app_mention","user":"AAAAAAAAA","text":"<@EEEEEEEEE> hello world","client_msg_id":"477cc591-ch73-a14z-4db8-g0cd76321bec","ts":"1531431954.000073","channel":"TTTTTTTTT","event_ts":"1531431954.000073"},"type":"event_callback","event_id":"TvBP7LRED7","event_time":1531431954,"authed_users":["EEEEEEEEE"]}`
		body3   = `{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`
		body4   = "payload=%7B%22type%22%3A%22block_actions%22%2C%22team%22%3A%7B%22id%22%3A%22T111%22%7D%2C%22user%22%3A%7B%22id%22%3A%22W111%22%7D%2C%22actions%22%3A%5B%7B%22action_id%22%3A%22a%22%2C%22value%22%3A%22caf%C3%A9+%E2%98%95%22%7D%5D%7D"
		body5   = `{"type":"event_callback","event_id":"Ev1","event":{"type":"message","text":"café ☕ 𝕏"}}`
	)
	tests := []struct {
		name, secret, timestamp, body, signature string
		after                                    time.Duration
		want                                     error
	}{
		{"slash command", secret1, "1531420618", body1, sig1, 0, nil},
		{"five minutes later", secret1, "1531420618", body1, sig1, 300 * time.Second, nil},
		{"and a second", secret1, "1531420618", body1, sig1, 301 * time.Second, sdk.ErrStale},
		{"five minutes early", secret1, "1531420618", body1, sig1, -300 * time.Second, nil},
		{"and a second early", secret1, "1531420618", body1, sig1, -301 * time.Second, sdk.ErrStale},
		{"one byte more", secret1, "1531420618", body1 + "&", sig1, 0, sdk.ErrBadSignature},
		{"another second", secret1, "1531420619", body1, sig1, 0, sdk.ErrBadSignature},
		{"no version", secret1, "1531420618", body1, strings.TrimPrefix(sig1, "v0="), 0, sdk.ErrBadSignature},
		{"go library", "e6b19c573432dcc6b075501d51b51bb8", "1531431954", body2, "v0=adada4ed31709aef585c2580ca3267678c6a8eaeb7e0c1aca3ee57b656886b2c", 0, nil},
		{"url_verification", secret1, "1531420618", body3, "v0=f9bd80929259f3f6d5fe3a3186c453c89cd1ad4862815a15837584f31c993652", 0, nil},
		{"form", secret1, "1531420700", body4, "v0=755882c7c9936435adc03ee4924a7fbdd0b663c0e72c6bfe09cd43e27ac9c7d4", 0, nil},
		{"not ascii", secret1, "1531420700", body5, "v0=32096e1c77bb59d4bde4698133c18456935c6294518b939f67f82e447bff6950", 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := sdk.Request{Header: http.Header{}, Body: []byte(tt.body)}
			req.Header.Set(timestampHeader, tt.timestamp)
			req.Header.Set(signatureHeader, tt.signature)
			n, err := strconv.ParseInt(tt.timestamp, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			req.ReceivedAt = time.Unix(n, 0).Add(tt.after)
			which, err := New("test").Verify(t.Context(), req, secretsOf(tt.secret))
			if !errors.Is(err, tt.want) || (err == nil) != slices.Equal(which, sdk.Which{0}) {
				t.Errorf("Verify = %v, %v; want error %v", which, err, tt.want)
			}
		})
	}
}

func TestVerifyRefusesSignatures(t *testing.T) {
	t.Parallel()
	body := []byte(`{"type":"event_callback"}`)
	good := sign(testSecret, testTimestamp, body)
	digits := strings.TrimPrefix(good, "v0=")
	tests := map[string][]string{
		"missing":              nil,
		"empty":                {""},
		"prefix only":          {"v0="},
		"no prefix":            {digits},
		"other version":        {"v1=" + digits},
		"upper-case prefix":    {"V0=" + digits},
		"upper-case digits":    {"v0=" + strings.ToUpper(digits)},
		"short":                {good[:len(good)-2]},
		"odd":                  {good[:len(good)-1]},
		"long":                 {good + "00"},
		"space before":         {" " + good},
		"space after":          {good + " "},
		"not hex":              {"v0=" + strings.Repeat("g", 64)},
		"doubled":              {good, good},
		"doubled, one wrong":   {"v0=" + strings.Repeat("0", 64), good},
		"two in one":           {good + "," + good},
		"another secret's":     {sign("other", testTimestamp, body)},
		"of another time":      {sign(testSecret, "1767225601", body)},
		"of the body alone":    {sdk.SignHMACSHA256("v0=", testSecret, body)},
		"of the trimmed body":  {sign(testSecret, testTimestamp, body[:len(body)-1])},
		"with the decoded key": {sdk.SignHMACSHA256("v0=", string([]byte{0x8f}), []byte("v0:"+testTimestamp+":"), body)},
	}
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := signed(body)
			req.Header[http.CanonicalHeaderKey(signatureHeader)] = values
			refused(t, req)
		})
	}
}

// Times are refused although their signature holds: whoever has the secret
// could have written anything, but Slack writes seconds.
func TestVerifyRefusesTimes(t *testing.T) {
	t.Parallel()
	body := []byte(`{"type":"event_callback"}`)
	tests := map[string][]string{
		"missing":         nil,
		"empty":           {""},
		"doubled":         {testTimestamp, testTimestamp},
		"not a number":    {"NaN"},
		"infinite":        {"Infinity"},
		"fraction":        {testTimestamp + ".0"},
		"exponent":        {"1.7672256e9"},
		"hex":             {"0x69559c80"},
		"plus":            {"+" + testTimestamp},
		"minus":           {"-" + testTimestamp},
		"space":           {testTimestamp + " "},
		"underscore":      {"1_767_225_600"},
		"milliseconds":    {testTimestamp + "000"},
		"beyond 64 bits":  {"99999999999999999999"},
		"wraps around":    {"18446744075476777216"},
		"zero":            {"0"},
		"five minutes":    {"1767225299"},
		"the future":      {"1767225901"},
		"last year's":     {"1735689600"},
		"a part of body":  {testTimestamp + ":x"},
		"list of numbers": {testTimestamp + "," + testTimestamp},
	}
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := signed(body)
			req.Header[http.CanonicalHeaderKey(timestampHeader)] = values
			if len(values) > 0 {
				req.Header.Set(signatureHeader, sign(testSecret, values[0], body))
			}
			refused(t, req)
		})
	}
}

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

func TestVerifyNoticesEveryBit(t *testing.T) {
	t.Parallel()
	body := []byte(`{"type":"event_callback"}`)
	sum, err := hex.DecodeString(strings.TrimPrefix(sign(testSecret, testTimestamp, body), "v0="))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(sum) {
		flipped := bytes.Clone(sum)
		flipped[i/8] ^= 1 << (i % 8)
		req := signed(body)
		req.Header.Set(signatureHeader, "v0="+hex.EncodeToString(flipped))
		refused(t, req)
	}
	for i := range 8 * len(body) {
		req := signed(body)
		req.Body = bytes.Clone(body)
		req.Body[i/8] ^= 1 << (i % 8)
		refused(t, req)
	}
}

func TestVerifySecrets(t *testing.T) {
	t.Parallel()
	body := []byte(`{"type":"event_callback"}`)
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
	req := signed(body)
	req.Header.Set(signatureHeader, sign("", testTimestamp, body))
	if which, err := New("test").Verify(t.Context(), req, secretsOf("", testSecret)); !errors.Is(err, sdk.ErrBadSignature) {
		t.Errorf("signed with nothing: %v, %v", which, err)
	}
}

// A source without a secret takes unsigned requests, but no bad signature.
func TestUnsignedIsNotBadlySigned(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, signature string
		ok              bool
	}{
		{"unsigned", "", true},
		{"wrong", "v0=" + strings.Repeat("0", 64), false},
		{"malformed", "v0", false},
		{"stale", sign(testSecret, "1767225000", []byte(`{"type":"x"}`)), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := delivery(contentJSON, []byte(`{"type":"x"}`))
			if tt.signature != "" {
				req.Header.Set(timestampHeader, "1767225000")
				req.Header.Set(signatureHeader, tt.signature)
			}
			d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{AllowUnsigned: true})
			if tt.ok && (err != nil || !d.Unsigned || len(d.Events) != 1) || !tt.ok && !errors.Is(err, sdk.ErrBadSignature) {
				t.Errorf("Deliver = %+v, %v; want ok %v", d, err, tt.ok)
			}
		})
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
