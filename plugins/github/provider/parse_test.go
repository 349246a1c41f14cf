package provider

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

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
				events, err := New("test").Parse(t.Context(), req)
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
	if _, err := New("test").Parse(t.Context(), req); !errors.Is(err, sdk.ErrUnparseable) {
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
		events, err := New("test").Parse(t.Context(), req)
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
	events, err := New("test").Parse(t.Context(), req)
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
		d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{})
		if err != nil || len(d.Events) != 1 || d.Events[0].Number != 7 {
			t.Errorf("%s: %v", contentType, err)
		}
	}
}
