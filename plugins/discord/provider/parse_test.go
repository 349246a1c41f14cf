package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"empty body":                 "",
		"white space":                " \n",
		"not json":                   "Hello, World!",
		"null":                       "null",
		"string":                     `"x"`,
		"number":                     "1",
		"array":                      `[{"type":1}]`,
		"cut off":                    `{"type":1`,
		"cut off in a skipped value": `{"type":1,"zzz":{"a":[1,`,
		"two objects":                `{"type":1}{}`,
		"garbage behind":             `{"type":1} x`,
		"trailing comma":             `{"type":1,}`,
		"byte order mark":            "\ufeff" + `{"type":1}`,
		"bad number, skipped":        `{"type":1,"zzz":01}`,
		"not utf-8":                  "{\"type\":1,\"token\":\"\xff\"}",
		"not utf-8, skipped":         "{\"type\":1,\"zzz\":\"\xc3\"}",
		"half a surrogate pair":      `{"type":1,"token":"\ud83d"}`,
		"type twice":                 `{"type":1,"type":2}`,
		"type twice, once escaped":   `{"type":1,"\u0074ype":2}`,
		"skipped name twice":         `{"type":1,"zzz":1,"zzz":2}`,
		"twice within what is read":  `{"type":2,"id":"1","token":"t","data":{"name":"a","name":"b"}}`,
		"twice within a map":         `{"type":2,"id":"1","token":"t","data":{"name":"a","resolved":{"users":{"1":{},"1":{}}}}}`,
		"nested without end":         strings.Repeat(`{"event":`, 1<<18),
		"nested too deep":            `{"type":1,"zzz":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
		"options nested too deep":    `{"type":2,"id":"1","token":"t","data":` + strings.Repeat(`{"options":[`, 20_000) + strings.Repeat(`]}`, 20_000) + `}`,
		"no type":                    `{"id":"1","token":"t","data":{"name":"a"}}`,
		"type is null":               `{"type":null}`,
		"type is a string":           `{"type":"1"}`,
		"type is a fraction":         `{"type":1.5}`,
		"type is negative":           `{"type":-1,"id":"1","token":"t"}`,
		"type is huge":               `{"type":4294967298,"id":"1","token":"t","data":{"name":"a"}}`,
		"event is null":              `{"type":1,"event":null}`,
		"event is a list":            `{"type":1,"event":[]}`,
		"event without type":         `{"type":1,"event":{"data":{}}}`,
		"interaction without id":     `{"type":2,"token":"t","data":{"name":"a"}}`,
		"interaction without token":  `{"type":2,"id":"1","data":{"name":"a"}}`,
		"token is null":              `{"type":6,"id":"1","token":null}`,
		"command without data":       `{"type":2,"id":"1","token":"t"}`,
		"command without name":       `{"type":2,"id":"1","token":"t","data":{"custom_id":"x"}}`,
		"autocomplete without name":  `{"type":4,"id":"1","token":"t","data":{"name":7}}`,
		"component without id":       `{"type":3,"id":"1","token":"t","data":{"name":"x"}}`,
		"modal without id":           `{"type":5,"id":"1","token":"t","data":{"custom_id":""}}`,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := delivery([]byte(body))
			events, err := New("test").Parse(t.Context(), req)
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("Parse = %v, %v; want unparseable", events, err)
			}
			if len(err.Error()) > 120 || len(body) > 2 && strings.Contains(err.Error(), body) {
				t.Errorf("the error quotes the body: %v", err)
			}
			if reply, err := New("test").Challenge(t.Context(), req, nil); reply != nil || err != nil {
				t.Errorf("Challenge = %+v, %v; want nothing", reply, err)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"2024-10-18T14:42:53.064834"`:       "2024-10-18T14:42:53.064834Z",
		`"2024-10-18T14:42:53"`:              "2024-10-18T14:42:53Z",
		`"2025-08-14T18:09:37.947000+00:00"`: "2025-08-14T18:09:37.947Z",
		`"2025-08-14T18:09:37+02:00"`:        "2025-08-14T16:09:37Z",
		`"0001-01-01T00:00:00+23:00"`:        "",
		`"2024-10-18"`:                       "",
		`""`:                                 "",
		`null`:                               "",
		`1729262573`:                         "",
	} {
		events, err := New("test").Parse(t.Context(), delivery([]byte(`{"type":1,"event":{"type":"X","timestamp":`+text+`}}`)))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if at := events[0].Timestamp; !at.IsZero() {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Values are passed on digit by digit and not forced into a type.
func TestOptionValuesAreExact(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]any{
		"9007199254740991":    json.Number("9007199254740991"),
		"-9007199254740993":   json.Number("-9007199254740993"),
		"0.1":                 json.Number("0.1"),
		"1e3":                 json.Number("1e3"),
		"true":                true,
		"false":               false,
		`"12345678901234567"`: "12345678901234567",
		"null":                nil,
		`""`:                  "",
	} {
		events, err := New("test").Parse(t.Context(), delivery([]byte(`{"type":2,"id":"1","token":"t","data":{"name":"a","options":[{"name":"v","type":4,"value":`+value+`}]}}`)))
		if err != nil {
			t.Fatal(err)
		}
		if got := in(events[0].Extra, "options", "v"); got != want {
			t.Errorf("%s: %#v, want %#v", value, got, want)
		}
	}
}

// Names of options repeat across subcommands, so paths have to be whole.
func TestCommandPaths(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]string{
		`null`:                                  "role",
		`[]`:                                    "role",
		`[{"name":"add","type":3,"value":"x"}]`: "role",
		`[{"name":"add","type":1}]`:             "role, role add",
		`[{"name":"add","type":2,"options":[{"name":"all","type":1,"options":[{"name":"x","type":3,"value":"y"}]}]}]`: "role, role add, role add all",
		`[{"name":"","type":1}]`: "role",
		strings.Repeat(`[{"name":"a","type":2,"options":`, 50) + `[]` + strings.Repeat(`}]`, 50): "role, role a, role a a, role a a a, role a a a a, role a a a a a",
	} {
		events, err := New("test").Parse(t.Context(), delivery([]byte(`{"type":2,"id":"1","token":"t","data":{"name":"role","options":`+options+`}}`)))
		if err != nil {
			t.Fatal(err)
		}
		commands := events[0].Attributes["command"]
		if got := strings.Join(commands, ", "); got != want {
			t.Errorf("%s: %q, want %q", options, got, want)
		}
		if events[0].Action != commands[len(commands)-1] {
			t.Errorf("%s: action %q", options, events[0].Action)
		}
	}
}

// The same notice again is the same delivery, whenever it was signed; another
// one is not.
func TestDeliveryIDs(t *testing.T) {
	t.Parallel()
	id := func(body, timestamp string) string {
		req := delivery([]byte(body))
		req.Header.Set(timestampHeader, timestamp)
		events, err := New("test").Parse(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return events[0].DeliveryID
	}
	one := id(eventBody, "1")
	if one == "" || one != id(eventBody, "2") {
		t.Errorf("a repeat has another id than %q", one)
	}
	if one == id(strings.Replace(eventBody, "109604", "109605", 1), "1") {
		t.Error("two notices share an id")
	}
	if got := id(`{"type":3,"id":"7","token":"t","data":{"custom_id":"x"}}`, "1"); got != "7" {
		t.Errorf("an interaction has the id %q", got)
	}
}

// What a stranger typed can be long, and lists longer than Discord's are cut.
func TestLongInput(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 10_000)
	events, err := New("test").Parse(t.Context(), delivery([]byte(`{"type":2,"id":"1","token":"`+long+`","data":{"name":"a","options":[{"name":"q","type":3,"value":"`+long+`"}]}}`)))
	if err != nil {
		t.Fatal(err)
	}
	if got := in(events[0].Extra, "options", "q"); got != sdk.Truncate(long) || got == long {
		t.Errorf("an option is not cut: %.20s", got)
	}
	if got := in(events[0].Extra, "interaction", "token"); got != long {
		t.Error("the token is cut")
	}

	options := `{"type":2,"id":"1","token":"t","data":{"name":"a","options":[{"name":"x","type":1,"options":[`
	for i := range 2 * maxElements {
		options += fmt.Sprintf(`{"name":"o%d","type":4,"value":1},`, i)
	}
	events, err = New("test").Parse(t.Context(), delivery([]byte(strings.TrimSuffix(options, ",")+`]}]}}`)))
	if err != nil {
		t.Fatal(err)
	}
	if n := size(in(events[0].Extra, "options")); n != maxElements {
		t.Errorf("%d options", n)
	}

	roles := `{"type":2,"id":"1","token":"t","data":{"name":"a","resolved":{"roles":{`
	for i := range 2 * maxElements {
		roles += fmt.Sprintf(`"%d":{},`, i)
	}
	events, err = New("test").Parse(t.Context(), delivery([]byte(strings.TrimSuffix(roles, ",")+`}}}}`)))
	if err != nil {
		t.Fatal(err)
	}
	if n := size(in(events[0].Extra, "resolved", "roles")); n != maxElements {
		t.Errorf("%d roles", n)
	}
}

// The largest body that a host hands over.
func TestLargestPayload(t *testing.T) {
	t.Parallel()
	const size = 25 << 20
	for name, filler := range map[string]string{
		"one string": `"` + strings.Repeat("x", size) + `"`,
		"objects":    "[" + strings.Repeat(`{"a":[]},`, size/9) + "{}]",
	} {
		body := []byte(`{"type":2,"id":"1477598773248000001","token":"t","data":{"name":"ask","options":` + filler + `}}`)
		d, err := sdk.Deliver(t.Context(), New("test"), signed(body), secretsOf(public(testKey)), sdk.DeliverOptions{})
		if err != nil || len(d.Events) != 1 || d.Events[0].Action != "ask" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// As deep as the decoder goes.
func TestDeepestPayload(t *testing.T) {
	t.Parallel()
	const levels = 4900 // an object and a list each
	for _, name := range []string{"options", "components"} {
		body := `{"type":3,"id":"1","token":"t","data":{"custom_id":"x","` + name + `":` +
			strings.Repeat(`[{"name":"a","type":1,"`+name+`":`, levels) + `[]` + strings.Repeat(`}]`, levels) + `}}`
		if events, err := New("test").Parse(t.Context(), delivery([]byte(body))); err != nil || len(events) != 1 {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
}

// in returns what is at a path in an event's extra, or nil.
func in(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func size(v any) int {
	m, _ := v.(map[string]any)
	return len(m)
}
