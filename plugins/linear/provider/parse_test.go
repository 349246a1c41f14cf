package provider

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		header     http.Header // over the usual ones
	}{
		{"empty body", "", nil},
		{"white space", " \n", nil},
		{"not json", "Hello, World!", nil},
		{"null", "null", nil},
		{"string", `"Issue"`, nil},
		{"number", "1", nil},
		{"array", `[{"type":"Issue"}]`, nil},
		{"no type", `{"action":"create"}`, nil},
		{"empty type", `{"type":""}`, nil},
		{"null type", `{"type":null}`, nil},
		{"type of another type", `{"type":["Issue"]}`, nil},
		{"type in other letters", `{"Type":"Issue"}`, nil},
		{"cut off", `{"type":"Issue"`, nil},
		{"cut off in a skipped value", `{"type":"Issue","zzz":{"a":[1,`, nil},
		{"cut off in the changes", `{"type":"Issue","updatedFrom":{"labelIds":["a"`, nil},
		{"two objects", `{"type":"Issue"}{}`, nil},
		{"garbage behind", `{"type":"Issue"} x`, nil},
		{"trailing comma", `{"type":"Issue",}`, nil},
		{"single quotes", `{'type':'Issue'}`, nil},
		{"byte order mark", "\ufeff" + `{"type":"Issue"}`, nil},
		{"bad number in a skipped value", `{"type":"Issue","zzz":01}`, nil},
		{"raw line end in a string", "{\"type\":\"Issue\",\"zzz\":\"a\nb\"}", nil},
		{"not utf-8", "{\"type\":\"Issue\xff\"}", nil},
		{"not utf-8 in a skipped value", "{\"type\":\"Issue\",\"zzz\":\"\xc3\"}", nil},
		{"half a surrogate pair", `{"type":"Issue","action":"\ud83d"}`, nil},
		{"name twice", `{"type":"Issue","action":"create","action":"remove"}`, nil},
		{"name twice, once escaped", `{"type":"Issue","\u0074ype":"Comment"}`, nil},
		{"timestamp twice", `{"webhookTimestamp":1,"type":"Issue","webhookTimestamp":2}`, nil},
		{"name twice further down", `{"type":"Issue","data":{"assignee":{"email":"a","email":"b"}}}`, nil},
		{"name twice in a list", `{"type":"Issue","data":{"labels":[{"name":"a","name":"b"}]}}`, nil},
		{"name twice in the changes", `{"type":"Issue","updatedFrom":{"title":"a","title":"b"}}`, nil},
		{"name twice in a skipped value", `{"type":"Issue","zzz":{"a":1,"a":2}}`, nil},
		{"nested without end", strings.Repeat("[", 1<<20), nil},
		{"nested too deep", `{"type":"Issue","zzz":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, nil},
		{"two delivery ids", `{"type":"Issue"}`, http.Header{deliveryHeader: {"a", "b"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := delivery([]byte(tt.body))
			for name, values := range tt.header {
				req.Header[name] = values
			}
			events, err := New("test").Parse(t.Context(), req)
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("Parse = %v, %v; want unparseable", events, err)
			}
			if len(err.Error()) > 120 || len(tt.body) > 4 && strings.Contains(err.Error(), tt.body) {
				t.Errorf("the error quotes the body: %v", err)
			}
		})
	}
}

// The order of fields is free, and what nobody reads may be of any size.
func TestParseTolerates(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"\r\n\t {\"data\" : {\"number\"\n:7} , \"type\":\"Issue\"} \n",
		`{"type":"Issue","d\u0061ta":{"number":7}}`,
		`{"type":"Issue","data":{"number":7},"big":123456789012345678901234567890.5e300}`,
		`{"type":"Issue","data":{"number":7,"issue":{"issue":{"issue":{}}},"labels":[[],{}]},"zzz":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
	} {
		if e := parseOne(t, body); e.Number != 7 || e.Name != "issues" {
			t.Errorf("%s: %+v", body, e)
		}
	}
}

func TestParseNumbersAreExact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"9007199254740993":    9007199254740993, // no float64
		"9223372036854775807": 9223372036854775807,
		"9223372036854775808": 0,
		"42.0":                42,
		"4.2e1":               42,
		"1.5":                 0,
		"1e300":               0,
		"1e400":               0,
		`"7"`:                 0,
		"null":                0,
		"[7]":                 0,
		"true":                0,
	} {
		if e := parseOne(t, `{"type":"Issue","data":{"number":`+text+`}}`); e.Number != want {
			t.Errorf("%s: number %d, want %d", text, e.Number, want)
		}
	}
	for identifier, want := range map[string]int64{
		"ENG-42": 42, "A-B-7": 7, "ENG": 0, "ENG-": 0, "-42": 0, "ENG--42": 42, "ENG-4x": 0, "ENG-+4": 0, "": 0,
		"ENG-9223372036854775807": 9223372036854775807, "ENG-9223372036854775808": 0,
	} {
		if e := parseOne(t, `{"type":"Comment","data":{"issue":{"identifier":"`+identifier+`"}}}`); e.Number != want {
			t.Errorf("%s: number %d, want %d", identifier, e.Number, want)
		}
	}
}

func TestParseTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"2026-03-01T09:30:00Z"`:      "2026-03-01T09:30:00Z",
		`"2026-03-01T09:30:00.123Z"`:  "2026-03-01T09:30:00.123Z",
		`"2026-03-01T10:15:00+05:30"`: "2026-03-01T04:45:00Z",
		`"9999-12-31T23:59:59-23:00"`: "",
		`"0000-01-01T00:00:00Z"`:      "",
		`"2026-03-01"`:                "",
		`1772357400`:                  "",
		`null`:                        "",
	} {
		e := parseOne(t, `{"type":"Issue","createdAt":`+text+`}`)
		got := ""
		if !e.Timestamp.IsZero() {
			got = e.Timestamp.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Only pages of Linear's tell a workspace or an issue.
func TestReadLink(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]link{
		"https://linear.app/acme/issue/ENG-42/title#comment-1": {"acme", "ENG-42"},
		"https://linear.app/acme/issue/ENG-42":                 {"acme", "ENG-42"},
		"https://linear.app/acme/issue/ENG-42/?x=1":            {"acme", "ENG-42"},
		"https://linear.app/acme/project/a-b-1":                {"acme", ""},
		"https://linear.app/acme/profiles/ann":                 {"acme", ""},
		"https://linear.app/acme":                              {"", ""},
		"https://linear.app/":                                  {"", ""},
		"https://linear.app/issue/LIN-1778/foo-bar":            {"", "LIN-1778"},
		"https://linear.app/acme/issue/ENG":                    {"acme", ""},
		"http://linear.app/acme/issue/ENG-42":                  {"", ""},
		"https://linear.app.example/acme/issue/ENG-42":         {"", ""},
		"https://example.com/linear.app/acme/issue/ENG-42":     {"", ""},
		"https://acme@example.com/acme/issue/ENG-42":           {"", ""},
		"linear.app/acme/issue/ENG-42":                         {"", ""},
		"%":                                                    {"", ""},
		"":                                                     {"", ""},
	} {
		if got := readLink(address); got != want {
			t.Errorf("%q: %+v, want %+v", address, got, want)
		}
	}
}

// Without the header that names a delivery its parts do, as long as there are
// enough of them.
func TestDeliveryID(t *testing.T) {
	t.Parallel()
	const whole = `{"type":"Issue","action":"update","createdAt":"2026-01-01T00:00:00Z","webhookId":"w","data":{"id":"i"}}`
	for _, tt := range []struct{ header, body, want string }{
		{"d", whole, "d"},
		{"", whole, "w Issue update i 2026-01-01T00:00:00Z"},
		{"", strings.Replace(whole, `"i"`, "null", 1), ""},
		{"", strings.Replace(whole, "createdAt", "updatedAt", 1), ""},
	} {
		req := delivery([]byte(tt.body))
		req.Header.Del(deliveryHeader)
		if tt.header != "" {
			req.Header.Set(deliveryHeader, tt.header)
		}
		events, err := New("test").Parse(t.Context(), req)
		if err != nil || events[0].DeliveryID != tt.want {
			t.Errorf("%q, %s: %q, %v; want %q", tt.header, tt.body, events[0].DeliveryID, err, tt.want)
		}
	}
}

// Every value of a delivery, each in turn, of every other type: the event is
// still there.
func TestParseOddTypes(t *testing.T) {
	t.Parallel()
	p := New("test")
	for _, c := range cases(t) {
		if strings.HasPrefix(c.Name, "delivery.") {
			continue
		}
		body := string(c.Request.Body)
		for i := 0; i < len(body); i++ {
			// Where a value begins: behind a colon and a space, as we write.
			if i < 2 || body[i-2:i] != ": " || body[i-3] != '"' {
				continue
			}
			end := i + valueLength(t, body[i:])
			if strings.HasSuffix(body[:i], `"type": `) && strings.Count(body[:i], "{") == 1+strings.Count(body[:i], "}") {
				continue // there is no event without
			}
			for _, other := range []string{"null", "true", "-1.5e3", `"x"`, `[null,1,"x",[],{}]`, `{"id":[],"name":{},"labelIds":{}}`} {
				req := c.Request
				req.Body = []byte(body[:i] + other + body[end:])
				events, err := p.Parse(t.Context(), req)
				if err != nil || len(events) != 1 || events[0].Name == "" {
					t.Fatalf("%s: %s instead of %s: %v, %v", c.Name, other, body[i:end], events, err)
				}
			}
		}
	}
}

// valueLength is how long the JSON value at the beginning of a text is.
func valueLength(t *testing.T, text string) int {
	t.Helper()
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case (c == '}' || c == ']' || c == ',' || c == '\n') && depth == 0:
			return i
		case c == '}' || c == ']':
			depth--
		}
	}
	t.Fatalf("no value: %s", text)
	return 0
}

func TestLargeBody(t *testing.T) {
	t.Parallel()
	const size = 25 << 20
	const text = "Widgets squeak, and not only at night: ü. "
	body := []byte(`{"type":"Issue","data":{"number":7,"description":"` + strings.Repeat(text, size/2/len(text)) +
		`","descriptionData":"` + strings.Repeat(text, size/2/len(text)) + `"},"webhookTimestamp":1767225599250}`)
	d, err := sdk.Deliver(t.Context(), New("test"), signed(body), secretsOf(testSecret), sdk.DeliverOptions{})
	if err != nil || len(d.Events) != 1 || d.Events[0].Number != 7 {
		t.Error(err)
	}
}

func parseOne(t *testing.T, body string) sdk.Event {
	t.Helper()
	events, err := New("test").Parse(t.Context(), delivery([]byte(body)))
	if err != nil || len(events) != 1 {
		t.Fatalf("Parse(%s) = %v, %v", body, events, err)
	}
	return events[0]
}
