package provider

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, contentType, body string }{
		{"empty body", contentJSON, ""},
		{"white space", contentJSON, " \n"},
		{"not json", contentJSON, "Hello, World!"},
		{"null", contentJSON, "null"},
		{"string", contentJSON, `"x"`},
		{"array", contentJSON, `[{"type":"event_callback"}]`},
		{"no type", contentJSON, `{}`},
		{"type of another type", contentJSON, `{"type":{"a":1}}`},
		{"no event", contentJSON, `{"type":"event_callback"}`},
		{"null event", contentJSON, `{"type":"event_callback","event":null}`},
		{"event without type", contentJSON, `{"type":"event_callback","event":{"text":"x"}}`},
		{"cut off", contentJSON, `{"type":"event_callback","event":{"type":"message"}`},
		{"cut off in a skipped value", contentJSON, `{"zzz":{"a":[1,`},
		{"two objects", contentJSON, `{"type":"x"}{}`},
		{"garbage behind", contentJSON, `{"type":"x"} x`},
		{"trailing comma", contentJSON, `{"type":"x",}`},
		{"byte order mark", contentJSON, "\ufeff{}"},
		{"bad number in a skipped value", contentJSON, `{"type":"x","zzz":01}`},
		{"raw line end in a string", contentJSON, "{\"type\":\"a\nb\"}"},
		{"not utf-8", contentJSON, "{\"type\":\"\xff\"}"},
		{"not utf-8 in a skipped value", contentJSON, "{\"type\":\"x\",\"zzz\":\"\xc3\"}"},
		{"half a surrogate pair", contentJSON, `{"type":"\ud83d"}`},
		{"name twice", contentJSON, `{"type":"x","type":"y"}`},
		{"name twice, once escaped", contentJSON, `{"type":"x","\u0074ype":"y"}`},
		{"name twice in a skipped value", contentJSON, `{"type":"x","zzz":{"a":1,"a":2}}`},
		{"name twice in the event", contentJSON, `{"type":"event_callback","event":{"type":"a","channel":"C1","channel":"C2"}}`},
		{"nested without end", contentJSON, strings.Repeat("[", 1<<20)},
		{"nested without end in an object", contentJSON, `{"zzz":` + strings.Repeat("[", 1<<20)},
		{"nested too deep", contentJSON, `{"type":"x","zzz":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`},
		{"json that is a form", contentJSON, "payload=%7B%7D"},
		{"form, empty", contentForm, ""},
		{"form of nothing", contentForm, strings.Repeat("&", 1<<20)},
		{"form, no payload", contentForm, "token=x"},
		{"form, empty payload", contentForm, "payload="},
		{"form, payload without type", contentForm, "payload=%7B%7D"},
		{"form, payload is not json", contentForm, "payload=x"},
		{"form, payload is a list", contentForm, "payload=%5B%5D"},
		{"form, payload twice", contentForm, "payload=%7B%22type%22%3A%22x%22%7D&payload=%7B%22type%22%3A%22x%22%7D"},
		{"form, command twice", contentForm, "command=%2Fa&command=%2Fb"},
		{"form, user twice", contentForm, "command=%2Fa&user_id=U1&user_id="},
		{"form, empty command", contentForm, "command=&text=x"},
		{"form, bad escape", contentForm, "command=%2Fa&text=%zz"},
		{"form, bad escape in an unknown field", contentForm, "command=%2Fa&zzz=%"},
		{"form, not utf-8", contentForm, "command=%2Fa&text=%ff"},
		{"form that is json", contentForm, `{"type":"event_callback"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			events, err := New("test").Parse(t.Context(), delivery(tt.contentType, []byte(tt.body)))
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("Parse = %v, %v; want unparseable", events, err)
			}
			if len(err.Error()) > 120 || len(tt.body) > 2 && strings.Contains(err.Error(), tt.body) {
				t.Errorf("the error quotes the body: %v", err)
			}
		})
	}
}

// What an error says must not come from the body, in which names count as well.
func TestErrorsDoNotQuote(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"s3cret":1,"s3cret":2}`, `{"s3cret":tru}`, `{"type":"s3cret`, `{"s3cret":{"s3cret":[01]}}`, `{"type":"x"} s3cret`,
	} {
		_, err := New("test").Parse(t.Context(), delivery(contentJSON, []byte(body)))
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestParseContentTypes(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                                  `{"type":"x"}`,
		"application/json":                  `{"type":"x"}`,
		"application/json; charset=utf-8":   `{"type":"x"}`,
		"text/plain":                        "\r\n\t {\"type\" : \"x\"} \n",
		"application/x-www-form-urlencoded": "payload=%7B%22type%22%3A%22x%22%7D",
		"Application/X-WWW-Form-URLEncoded": "payload=%7B%22type%22%3A+%22x%22%7D&token=y",
		"application/x-www-form-urlencoded; charset=utf-8": "token=y&payload=%7B%22type%22%3A%22x%22%7D",
		"application/x-www-form-urlencoded ;bad=":          `payload={"type":"x"}`,
	}
	for contentType, body := range tests {
		events, err := New("test").Parse(t.Context(), delivery(contentType, []byte(body)))
		if err != nil || len(events) != 1 || events[0].Name != "x" {
			t.Errorf("content type %q: %v, %v", contentType, events, err)
		}
	}
}

// Handshakes are no events when a stored request is parsed again, either.
func TestParseOfHandshakes(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"type":"url_verification","challenge":"x"}`, `{"type":"app_rate_limited","minute_rate_limited":1}`} {
		if events, err := New("test").Parse(t.Context(), delivery(contentJSON, []byte(body))); err != nil || len(events) != 0 {
			t.Errorf("%s: %v, %v", body, events, err)
		}
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, contentType, body, want string
		none, fails                   bool
	}{
		{"verification", contentJSON, `{"type":"url_verification","challenge":"3eZb+/=rw1"}`, `{"challenge":"3eZb+/=rw1"}`, false, false},
		{"not ascii", contentJSON, `{"challenge":"ü\n","type":"url_verification"}`, `{"challenge":"ü\n"}`, false, false},
		{"rate notice", contentJSON, `{"type":"app_rate_limited","minute_rate_limited":1518467820}`, "", false, false},
		{"an event", contentJSON, `{"type":"event_callback","event":{"type":"message","text":"url_verification"}}`, "", true, false},
		{"named further down", contentJSON, `{"type":"event_callback","event":{"type":"url_verification","challenge":"x"}}`, "", true, false},
		{"a form", contentForm, `payload={"type":"url_verification","challenge":"x"}`, "", true, false},
		{"no challenge", contentJSON, `{"type":"url_verification"}`, "", false, true},
		{"a challenge of numbers", contentJSON, `{"type":"url_verification","challenge":7}`, "", false, true},
		{"twice", contentJSON, `{"type":"url_verification","challenge":"x","challenge":"y"}`, "", false, true},
		{"not json", contentJSON, `url_verification`, "", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reply, err := New("test").Challenge(t.Context(), delivery(tt.contentType, []byte(tt.body)), nil)
			switch {
			case tt.fails:
				if !errors.Is(err, sdk.ErrUnparseable) || reply != nil {
					t.Errorf("Challenge = %v, %v; want unparseable", reply, err)
				}
			case tt.none:
				if err != nil || reply != nil {
					t.Errorf("Challenge = %v, %v; want none", reply, err)
				}
			case err != nil || reply == nil || reply.Status != http.StatusOK || string(reply.Body) != tt.want:
				t.Errorf("Challenge = %+v, %v; want 200 %s", reply, err, tt.want)
			}
		})
	}
}

// A retry says what it is in headers only: by its id it is the same event.
func TestRetriesKeepTheirID(t *testing.T) {
	t.Parallel()
	first := eventsOf(t, caseNamed(t, "message"))[0]
	retry := eventsOf(t, caseNamed(t, "message.retry"))[0]
	if first.DeliveryID == "" || first.DeliveryID != retry.DeliveryID {
		t.Errorf("ids %q and %q", first.DeliveryID, retry.DeliveryID)
	}
}

// Interactions without an id are told by their bytes.
func TestInteractionsWithoutID(t *testing.T) {
	t.Parallel()
	idOf := func(payload string) string {
		body := []byte("payload=" + url.QueryEscape(payload))
		events, err := New("test").Parse(t.Context(), delivery(contentForm, body))
		if err != nil || len(events) != 1 {
			t.Fatalf("%v, %v", events, err)
		}
		return events[0].DeliveryID
	}
	a := idOf(`{"type":"view_closed","view":{"hash":"1"}}`)
	if a == "" || a != idOf(`{"type":"view_closed","view":{"hash":"1"}}`) || a == idOf(`{"type":"view_closed","view":{"hash":"2"}}`) {
		t.Errorf("id %q", a)
	}
	// The id that there is opens a form for whoever has it.
	one := idOf(`{"type":"view_submission","trigger_id":"13345224609.738474920"}`)
	if again := idOf(`{"type":"view_submission","trigger_id":"13345224609.738474920","x":1}`); again != one || strings.Contains(one, "738474920") {
		t.Errorf("ids %q and %q", one, again)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for ts, want := range map[string]string{
		"1767225599.000100":         "2025-12-31T23:59:59.0001Z",
		"1767225599000100":          "2025-12-31T23:59:59.0001Z",
		"1767225599":                "2025-12-31T23:59:59Z",
		"1767225599.":               "2025-12-31T23:59:59Z",
		"1767225599.9":              "2025-12-31T23:59:59.9Z",
		"1767225599.123456789":      "2025-12-31T23:59:59.123456789Z",
		"1767225599.1234567890":     "",
		"1767225599.-1":             "",
		"1767225599.1.2":            "",
		"-1767225599":               "",
		"1e9":                       "",
		"":                          "",
		".5":                        "",
		"NaN":                       "",
		"1099511627775":             "",
		"99999999999999999999":      "",
		"U01ANN-909b5454-75f8-gryl": "",
	} {
		got := ""
		if at := timeOf(ts); !at.IsZero() {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", ts, got, want)
		}
	}
}

func TestEventTimeStandsIn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1767225599":          1767225599,
		"1767225599.5":        0,
		`"1767225599"`:        0,
		"null":                0,
		"-5":                  0,
		"1e9":                 0,
		"9223372036854775807": 0,
		"9223372036854775808": 0,
	} {
		e := parseOne(t, `{"type":"event_callback","event_time":`+text+`,"event":{"type":"app_uninstalled"}}`)
		if got := e.Timestamp; !got.IsZero() && got.Unix() != want || got.IsZero() != (want == 0) {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// A replay of a stored request has no signature any more, and is the same event.
func TestReplayIsTheSame(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"slash_command", "view_submission", "message"} {
		c := caseNamed(t, name)
		was := eventsOf(t, c)[0]
		for _, header := range New("test").Describe().SignatureHeaders {
			c.Request.Header.Del(header)
		}
		c.Request.ReceivedAt = c.Request.ReceivedAt.Add(48 * time.Hour)
		events, err := New("test").Parse(t.Context(), c.Request)
		if err != nil || len(events) != 1 || !events[0].Timestamp.Equal(was.Timestamp) || events[0].DeliveryID != was.DeliveryID {
			t.Errorf("%s: %v, %v; want %v", name, events, err, was)
		}
	}
}

func TestDeliveryOfLargeBodies(t *testing.T) {
	t.Parallel()
	const size = 25 << 20
	const text = "Widgets squeak, and not only at night: ü. "
	long := strings.Repeat(text, size/len(text)-2)
	event := []byte(`{"type":"event_callback","event_id":"Ev1","event":{"type":"message","channel":"C1","text":"` + long + `"}}`)
	blocks := []byte(`{"type":"event_callback","event_id":"Ev1","event":{"type":"message","channel":"C1","text":"","blocks":[` +
		strings.Repeat(`{"text":{"text":"x"}},`, size/22-10) + `{}]}}`)
	payload := []byte("payload=" + url.QueryEscape(`{"type":"message_action","channel":{"id":"C1"},"message":{"text":"`+long[:len(long)/2]+`"}}`))
	for name, req := range map[string]sdk.Request{
		"event": signed(event), "blocks": signed(blocks), "form": signedAs(contentForm, payload),
	} {
		d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{})
		if err != nil || len(d.Events) != 1 || d.Events[0].Attributes["channel"][0] != "C1" || d.Events[0].Body == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Long texts end up cut anyway: an extra must not carry them whole.
func TestExtrasAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 3*sdk.MaxTextRunes)
	e := parseOne(t, `{"type":"event_callback","event":{"type":"message","subtype":"message_changed","message":{"text":"a"},"previous_message":{"text":"`+long+`"}}}`)
	if got, ok := e.Extra["previousText"].(string); !ok || utf8.RuneCountInString(got) != sdk.MaxTextRunes+3 {
		t.Errorf("previousText has %d bytes", len(got))
	}
	e = parseOne(t, `{"type":"event_callback","event":{"type":"message","blocks":[{"text":"`+long+`"},{"text":"`+long+`"}]}}`)
	if len(e.Body) > 2*len(long) {
		t.Errorf("body has %d bytes", len(e.Body))
	}
}

func parseOne(t *testing.T, body string) sdk.Event {
	t.Helper()
	events, err := New("test").Parse(t.Context(), delivery(contentJSON, []byte(body)))
	if err != nil || len(events) != 1 {
		t.Fatalf("Parse(%.100s) = %v, %v", body, events, err)
	}
	return events[0]
}
