package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

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
			which, err := newProvider("test").Verify(t.Context(), req, secretsOf(tt.secret))
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
	if _, err := newProvider("test").Verify(t.Context(), req, secretsOf(testSecret)); err != nil {
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
			which, err := newProvider("test").Verify(t.Context(), req, secretsOf(testSecret))
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
	p := newProvider("test")
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
			which, err := newProvider("test").Verify(t.Context(), signed(body), tt.secrets)
			if !slices.Equal(which, tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("Verify = %v, %v; want %v, %v", which, err, tt.want, tt.err)
			}
		})
	}
	// HMAC takes an empty key. A stranger can compute with that one.
	req := sdk.Request{Header: http.Header{}, Body: body}
	req.Header.Set(signatureHeader, sign("", body))
	if which, err := newProvider("test").Verify(t.Context(), req, secretsOf("", testSecret)); !errors.Is(err, sdk.ErrBadSignature) {
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
			d, err := sdk.Deliver(t.Context(), newProvider("test"), req, secretsOf(testSecret), sdk.DeliverOptions{AllowUnsigned: true})
			if tt.ok && (err != nil || !d.Unsigned || len(d.Events) != 1) || !tt.ok && !errors.Is(err, sdk.ErrBadSignature) {
				t.Errorf("Deliver = %+v, %v; want ok %v", d, err, tt.ok)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	tests := []struct {
		name, body string
		header     http.Header // over the usual ones
	}{
		{"empty body", "", nil},
		{"white space", " \n", nil},
		{"not json", "Hello, World!", nil},
		{"null", "null", nil},
		{"string", `"x"`, nil},
		{"number", "1", nil},
		{"array", `[{"action":"opened"}]`, nil},
		{"cut off", `{"action":"opened"`, nil},
		{"cut off in a skipped value", `{"zzz":{"a":[1,`, nil},
		{"two objects", `{"action":"opened"}{}`, nil},
		{"garbage behind", `{"action":"opened"} x`, nil},
		{"trailing comma", `{"action":"opened",}`, nil},
		{"comment", `{"action":"opened"/*x*/}`, nil},
		{"single quotes", `{'action':'opened'}`, nil},
		{"byte order mark", "\ufeff{}", nil},
		{"bad number in a skipped value", `{"zzz":01}`, nil},
		{"raw line end in a string", "{\"zzz\":\"a\nb\"}", nil},
		{"not utf-8", "{\"action\":\"\xff\"}", nil},
		{"not utf-8 in a skipped value", "{\"zzz\":\"\xc3\"}", nil},
		{"half a surrogate pair", `{"action":"\ud83d"}`, nil},
		{"name twice", `{"action":"opened","action":"closed"}`, nil},
		{"name twice, once escaped", `{"action":"opened","\u0061ction":"closed"}`, nil},
		{"object twice", `{"repository":{"full_name":"acme/widgets"},"repository":{}}`, nil},
		{"name twice further down", `{"repository":{"owner":{"login":"a","login":"b"}}}`, nil},
		{"nested without end", strings.Repeat("[", 1<<20), nil},
		{"nested too deep", `{"zzz":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, nil},
		{"no event", "{}", http.Header{"X-Github-Event": nil}},
		{"empty event", "{}", http.Header{"X-Github-Event": {""}}},
		{"two events", "{}", http.Header{"X-Github-Event": {"issues", "push"}}},
		{"two delivery ids", "{}", http.Header{"X-Github-Delivery": {"a", "b"}}},
		{"form, empty", "", form},
		{"form, no payload", "zen=x", form},
		{"form, empty payload", "payload=", form},
		{"form, payload twice", "payload=%7B%7D&payload=%7B%7D", form},
		{"form, another field", "payload=%7B%7D&x=1", form},
		{"form, another field first", "x=1&payload=%7B%7D", form},
		{"form, a bare ampersand", `payload={"action":"a&payload=b"}`, form},
		{"form, bad escape", "payload=%7B%7", form},
		{"form that is json", `{"action":"opened"}`, form},
		{"json that is a form", "payload=%7B%7D", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, event := range []string{"issues", "ping"} {
				req := delivery(event, []byte(tt.body))
				for name, values := range tt.header {
					req.Header[name] = values
				}
				events, err := newProvider("test").Parse(t.Context(), req)
				if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
					t.Fatalf("Parse = %v, %v; want unparseable", events, err)
				}
				if len(err.Error()) > 120 || tt.body != "" && strings.Contains(err.Error(), tt.body) {
					t.Errorf("the error quotes the body: %v", err)
				}
			}
		})
	}
}

func TestParseRefusesNameTwiceInList(t *testing.T) {
	t.Parallel()
	req := delivery("issues", []byte(`{"issue":{"labels":[{"name":"bug"},{"name":"a","name":"b"}]}}`))
	if _, err := newProvider("test").Parse(t.Context(), req); !errors.Is(err, sdk.ErrUnparseable) {
		t.Error(err)
	}
}

func TestParseContentTypes(t *testing.T) {
	t.Parallel()
	const body = `{"action":"opened"}`
	form := "payload=" + url.QueryEscape(body)
	tests := map[string]string{
		"":                                  body,
		"application/json":                  body,
		"application/json; charset=utf-8":   body,
		"APPLICATION/JSON":                  body,
		"text/plain":                        body,
		"application/x-www-form-urlencoded": form,
		"Application/X-WWW-Form-URLEncoded": form,
		"application/x-www-form-urlencoded; charset=utf-8": form,
		"application/x-www-form-urlencoded ;bad=":          form,
	}
	for contentType, body := range tests {
		req := delivery("issues", []byte(body))
		req.Header.Set("Content-Type", contentType)
		events, err := newProvider("test").Parse(t.Context(), req)
		if err != nil || len(events) != 1 || events[0].Action != "opened" {
			t.Errorf("content type %q: %v, %v", contentType, events, err)
		}
	}
}

// Names that are not read may come twice, and the order of fields is free.
func TestParseTolerates(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"zzz":1,"zzz":2,"issue":{"a":1,"a":1,"number":7}}`,
		"\r\n\t {\"issue\" : {\"number\"\n:7} } \n",
		`{"issue":{"n\u0075mber":7}}`,
		`{"issue":{"number":7},"big":123456789012345678901234567890.5e300}`,
	} {
		e := parseOne(t, "issues", body)
		if e.Number != 7 {
			t.Errorf("%s: number %d", body, e.Number)
		}
	}
}

func TestParseNumbersAreExact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"9007199254740993":    9007199254740993, // no float64
		"9223372036854775807": 9223372036854775807,
		"9223372036854775808": 0,
		"1.5":                 0,
		"1e3":                 0,
		`"7"`:                 0,
		"null":                0,
	} {
		if e := parseOne(t, "issues", `{"issue":{"number":`+text+`}}`); e.Number != want {
			t.Errorf("%s: number %d, want %d", text, e.Number, want)
		}
	}
}

func TestParseTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"2026-03-01T09:30:00Z"`:      "2026-03-01T09:30:00Z",
		`"2026-03-01T09:30:00.123Z"`:  "2026-03-01T09:30:00.123Z",
		`"2026-03-01T10:15:00+05:30"`: "2026-03-01T04:45:00Z",
		`1772357400`:                  "2026-03-01T09:30:00Z",
		`"9999-12-31T23:59:59-23:00"`: "",
		`99999999999999`:              "",
		`-99999999999999`:             "",
		`9223372036854775807`:         "",
		`"0000-01-01T00:00:00Z"`:      "",
		`"2026-03-01"`:                "",
		`""`:                          "",
		`null`:                        "",
		`true`:                        "",
	} {
		e := parseOne(t, "issues", `{"issue":{"updated_at":`+text+`}}`)
		got := ""
		if !e.Timestamp.IsZero() {
			got = e.Timestamp.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Refs are branches only under refs/heads/, and keep their slashes.
func TestParseRefs(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"refs/heads/main":             "main",
		"refs/heads/feature/oil":      "feature/oil",
		"refs/heads/refs/tags/v1":     "refs/tags/v1",
		"refs/tags/v1":                "",
		"refs/tags/heads/main":        "",
		"refs/heads/":                 "",
		"refs/pull/23/head":           "",
		"":                            "",
		"refs/heads/v1.0.0":           "v1.0.0",
		"refs/heads/Main":             "Main",
		strings.Repeat("0123abcd", 5): "",
	} {
		e := parseOne(t, "push", `{"ref":"`+ref+`"}`)
		if e.Branch != want || firstOf(e.Attributes["branch"]) != want {
			t.Errorf("%q: branch %q, attribute %q; want %q", ref, e.Branch, e.Attributes["branch"], want)
		}
	}
}

func TestParseWithoutDeliveryID(t *testing.T) {
	t.Parallel()
	req := delivery("issues", []byte("{}"))
	req.Header.Del(deliveryHeader)
	events, err := newProvider("test").Parse(t.Context(), req)
	if err != nil || len(events) != 1 || events[0].DeliveryID != "" {
		t.Errorf("Parse = %v, %v", events, err)
	}
}

// GitHub's largest payload, as JSON and as the longer form.
func TestLargestPayload(t *testing.T) {
	t.Parallel()
	const size = 25 << 20
	const text = "Widgets squeak, and not only at night: ü. "
	body := []byte(`{"action":"opened","issue":{"number":7,"body":"` + strings.Repeat(text, size/len(text)-2) + `"}}`)
	if len(body) > size || len(body) < size-200 {
		t.Fatalf("body of %d bytes", len(body))
	}
	form := "payload=" + url.QueryEscape(string(body))
	for contentType, body := range map[string][]byte{"application/json": body, "application/x-www-form-urlencoded": []byte(form)} {
		req := delivery("issues", body)
		req.Header.Set("Content-Type", contentType)
		req.Header.Set(signatureHeader, sign(testSecret, body))
		d, err := sdk.Deliver(t.Context(), newProvider("test"), req, secretsOf(testSecret), sdk.DeliverOptions{})
		if err != nil || len(d.Events) != 1 || d.Events[0].Number != 7 {
			t.Errorf("%s: %v", contentType, err)
		}
	}
}

// A provider must not keep or change the bytes it is given.
func TestBodyIsLeftAlone(t *testing.T) {
	t.Parallel()
	body := []byte(`{"action":"opened","issue":{"title":"a\u00fc","labels":[{"name":"bug"}]}}`)
	req := delivery("issues", bytes.Clone(body))
	events, err := newProvider("test").Parse(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(req.Body, body) {
		t.Error("the body has changed")
	}
	for i := range req.Body {
		req.Body[i] = 'x'
	}
	if e := events[0]; e.Action != "opened" || e.Title != "aü" || e.Labels[0] != "bug" {
		t.Errorf("the event shares memory with the body: %+v", e)
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
	events, err := newProvider("test").Parse(t.Context(), delivery(event, []byte(body)))
	if err != nil || len(events) != 1 {
		t.Fatalf("Parse(%s) = %v, %v", body, events, err)
	}
	return events[0]
}
