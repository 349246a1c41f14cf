package provider

import (
	"errors"
	"fmt"
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
		{"string", `"x"`, nil},
		{"number", "1", nil},
		{"array", `[{"action":"created"}]`, nil},
		{"cut off", `{"action":"created"`, nil},
		{"cut off in a skipped value", `{"zzz":{"a":[1,`, nil},
		{"cut off in a wanted value", `{"data":{"issue":{"assignedTo":{"name":["x"`, nil},
		{"two objects", `{"data":{"issue":{}}}{}`, nil},
		{"garbage behind", `{"data":{"issue":{}}} x`, nil},
		{"trailing comma", `{"data":{"issue":{}},}`, nil},
		{"comment", `{"data":{"issue":{}}/*x*/}`, nil},
		{"byte order mark", "\ufeff" + `{"data":{"issue":{}}}`, nil},
		{"bad number in a skipped value", `{"zzz":01,"data":{"issue":{}}}`, nil},
		{"NaN", `{"zzz":NaN,"data":{"issue":{}}}`, nil},
		{"raw line end in a string", "{\"zzz\":\"a\nb\",\"data\":{\"issue\":{}}}", nil},
		{"not utf-8", "{\"action\":\"\xff\",\"data\":{\"issue\":{}}}", nil},
		{"not utf-8 in a skipped value", "{\"zzz\":\"\xc3\",\"data\":{\"issue\":{}}}", nil},
		{"half a surrogate pair", `{"action":"\ud83d","data":{"issue":{}}}`, nil},
		{"name twice", `{"action":"created","action":"resolved","data":{"issue":{}}}`, nil},
		{"name twice, once escaped", `{"action":"created","\u0061ction":"resolved","data":{"issue":{}}}`, nil},
		{"name twice in a skipped value", `{"zzz":{"a":1,"a":2},"data":{"issue":{}}}`, nil},
		{"name twice in a wanted value", `{"data":{"issue":{"assignedTo":{"name":"a","name":"b"}}}}`, nil},
		{"object twice", `{"data":{"issue":{}},"data":{}}`, nil},
		{"nested without end", strings.Repeat("[", 1<<20), nil},
		{"nested too deep", `{"data":{"issue":{}},"zzz":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, nil},
		{"nested too deep in a wanted value", `{"data":{"issue":{"title":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}}}`, nil},
		{"no resource", `{"data":{"issue":{}}}`, http.Header{"Sentry-Hook-Resource": nil}},
		{"empty resource", `{"data":{"issue":{}}}`, http.Header{"Sentry-Hook-Resource": {""}}},
		{"two resources", `{"data":{"issue":{},"event":{}}}`, http.Header{"Sentry-Hook-Resource": {"issue", "event_alert"}}},
		{"two delivery ids", `{"data":{"issue":{}}}`, http.Header{"Request-Id": {"a", "b"}}},
		{"two timestamps", `{"data":{"issue":{}}}`, http.Header{"Sentry-Hook-Timestamp": {"1772357400", "1772357401"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := delivery("issue", []byte(tt.body))
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
		})
	}
}

// The header that names the resource is not signed: what was signed as one
// thing must not pass as another.
func TestParseRefusesAnotherResource(t *testing.T) {
	t.Parallel()
	made := map[string]string{
		"issue":            `{"data":{"issue":{}}}`,
		"event_alert":      `{"data":{"event":{}}}`,
		"error":            `{"data":{"error":{}}}`,
		"metric_alert":     `{"data":{"metric_alert":{}}}`,
		"comment":          `{"data":{"comment":"x","issue_id":1}}`,
		"installation":     `{"data":{"installation":{}}}`,
		"activity_alert":   `{"data":{"activity":{}}}`,
		"seer":             `{"data":{"run_id":1}}`,
		"preprod_artifact": `{"data":{"buildId":"1"}}`,
	}
	for resource := range layouts() {
		for of, body := range made {
			events, err := New("test").Parse(t.Context(), delivery(resource, []byte(body)))
			if of == resource && (err != nil || len(events) != 1) || of != resource && !errors.Is(err, sdk.ErrUnparseable) {
				t.Errorf("%s as %s: %v", of, resource, err)
			}
		}
		for _, body := range []string{`{}`, `{"data":null}`, `{"data":[]}`, `{"data":{}}`, `{"data":{"` + resource + `":null}}`} {
			if _, err := New("test").Parse(t.Context(), delivery(resource, []byte(body))); !errors.Is(err, sdk.ErrUnparseable) {
				t.Errorf("%s as %s: %v", body, resource, err)
			}
		}
	}
	for _, body := range made {
		if _, err := New("test").Parse(t.Context(), delivery("brand_new_resource", []byte(body))); err != nil {
			t.Errorf("%s as something new: %v", body, err)
		}
	}
}

// Every wanted value, in turn, replaced by whatever JSON has, is no reason to
// fail, let alone to panic.
func TestParseTakesAnyTypeAnywhere(t *testing.T) {
	t.Parallel()
	odd := []string{`null`, `true`, `false`, `0`, `-1`, `1e999`, `""`, `"x"`, `[]`, `{}`, `[null]`, `[[]]`, `[{}]`, `[[null,null]]`, `{"":null}`, `[{"stacktrace":{"frames":[[],{}]}}]`}
	p := New("test")
	for resource, l := range layouts() {
		holds, _, _ := strings.Cut(l.holds, " ")
		for path := range allPaths(l) {
			if path == holds || strings.HasPrefix(holds, path+".") {
				continue
			}
			for _, value := range odd {
				body := nest(map[string]string{holds: "{}", path: value})
				if _, err := p.Parse(t.Context(), delivery(resource, []byte(body))); err != nil {
					t.Errorf("%s, %s = %s: %v", resource, path, value, err)
				}
			}
		}
	}
}

func allPaths(l layout) map[string]bool {
	paths := map[string]bool{}
	for _, places := range []map[string]string{common().with(l).fields, common().with(l).extra} {
		for _, list := range places {
			for path := range strings.FieldsSeq(list) {
				for path != "" { // and what is above it
					paths[path] = true
					path = path[:max(strings.LastIndexByte(path, '.'), 0)]
				}
			}
		}
	}
	return paths
}

// nest makes a JSON object of values by their paths.
func nest(values map[string]string) string {
	groups := map[string]map[string]string{}
	for path, value := range values {
		name, rest, more := strings.Cut(path, ".")
		if groups[name] == nil {
			groups[name] = map[string]string{}
		}
		if !more {
			rest = ""
		}
		groups[name][rest] = value
	}
	var members []string
	for name, group := range groups {
		value, whole := group[""]
		if !whole || len(group) > 1 {
			delete(group, "")
			value = nest(group)
		}
		members = append(members, fmt.Sprintf("%q:%s", name, value))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestParseNumbersAreExact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"7130412233":            7130412233,
		`"7130412233"`:          7130412233,
		"9007199254740993":      9007199254740993, // no float64
		`"9223372036854775807"`: 9223372036854775807,
		"9223372036854775808":   0,
		"1.5":                   0,
		"1e3":                   0,
		"-7":                    0,
		`"-7"`:                  0,
		`"+7"`:                  0,
		`" 7"`:                  0,
		`"0x7"`:                 0,
		`"WIDGETS-4K"`:          0,
		`""`:                    0,
		"null":                  0,
		"[7]":                   0,
	} {
		for resource, body := range map[string]string{
			"issue":        `{"data":{"issue":{"id":` + text + `}}}`,
			"error":        `{"data":{"error":{"issue_id":` + text + `}}}`,
			"metric_alert": `{"data":{"metric_alert":{"identifier":` + text + `}}}`,
			"comment":      `{"data":{"comment":"x","issue_id":` + text + `}}`,
			"seer":         `{"data":{"run_id":1,"group_id":` + text + `}}`,
		} {
			if e := parseOne(t, resource, body); e.Number != want {
				t.Errorf("%s: number %d, want %d", body, e.Number, want)
			}
		}
	}
}

func TestParseTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"2026-03-01T09:30:00Z"`:             "2026-03-01T09:30:00Z",
		`"2026-03-01T09:30:00.677000Z"`:      "2026-03-01T09:30:00.677Z",
		`"2026-03-01T09:30:00.738000+00:00"`: "2026-03-01T09:30:00.738Z",
		`"2026-03-01T15:00:00+05:30"`:        "2026-03-01T09:30:00Z",
		`1772357400`:                         "2026-03-01T09:30:00Z",
		`1772357400.677`:                     "2026-03-01T09:30:00.677Z",
		`1772357400.123456789123`:            "2026-03-01T09:30:00.123456789Z",
		`"1772357400"`:                       "2026-03-01T09:30:00Z",
		`0`:                                  "1970-01-01T00:00:00Z",
		`-1`:                                 "",
		`1.7e9`:                              "",
		`99999999999999`:                     "",
		`"9999-12-31T23:59:59-23:00"`:        "",
		`"0000-01-01T00:00:00Z"`:             "",
		`"2026-03-01T09:30:00"`:              "",
		`"2026-03-01"`:                       "",
		`""`:                                 "",
		`null`:                               "",
		`true`:                               "",
	} {
		for name, req := range map[string]sdk.Request{
			"as datetime":  delivery("error", []byte(`{"data":{"error":{"datetime":`+text+`}}}`)),
			"as timestamp": delivery("error", []byte(`{"data":{"error":{"datetime":null,"timestamp":`+text+`}}}`)),
		} {
			req.Header.Set(timestampHeader, "")
			checkTime(t, name+" "+text, req, want)
		}
	}
	for header, want := range map[string]string{
		"1772357400": "2026-03-01T09:30:00Z",
		"NaN":        "",
		"-1":         "",
		"":           "",
	} {
		req := delivery("seer", []byte(`{"data":{"run_id":1}}`))
		req.Header.Set(timestampHeader, header)
		checkTime(t, "header "+header, req, want)
	}
}

func checkTime(t *testing.T, name string, req sdk.Request, want string) {
	t.Helper()
	events, err := New("test").Parse(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	if !events[0].Timestamp.IsZero() {
		got = events[0].Timestamp.Format(time.RFC3339Nano)
	}
	if got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

// What is long at Sentry is bounded for an agent, whose prompt it ends up in.
func TestParseBoundsExtra(t *testing.T) {
	t.Parallel()
	frame := `{"function":"f","filename":"a.js","lineno":1,"context_line":"` + strings.Repeat("x", 9000) + `"}`
	frames := strings.Repeat(frame+",", 50) + `{"function":"innermost"}`
	tags := `["last","x"]`
	for i := range 300 {
		tags = fmt.Sprintf(`["tag%03d","%s"],`, i, strings.Repeat("y", 5000)) + tags
	}
	e := parseOne(t, "error", `{"data":{"error":{"tags":[`+tags+`],"exception":{"values":[{"stacktrace":{"frames":[`+frames+`]}}]},"culprit":"`+strings.Repeat("z", 9000)+`"}}}`)
	stack := shown(e, "stack")
	if len(stack) != maxFrames || stack[0] != "innermost" || len(stack[1]) > sdk.MaxTextRunes+3 {
		t.Errorf("stack of %d: %.100v", len(stack), stack)
	}
	if m, _ := e.Extra["tags"].(map[string]any); len(m) != maxList || len(str(m["tag000"])) > sdk.MaxTextRunes+3 {
		t.Errorf("%d tags", len(m))
	}
	if culprit, _ := e.Extra["culprit"].(string); len(culprit) != sdk.MaxTextRunes+3 {
		t.Errorf("culprit of %d bytes", len(culprit))
	}
	many := `"a"` + strings.Repeat(`,"b"`, 300)
	e = parseOne(t, "metric_alert", `{"data":{"metric_alert":{"projects":[`+many+`]}}}`)
	if list := shown(e, "projects"); len(list) != maxList || len(e.Attributes["project"]) != 301 {
		t.Errorf("%d projects shown, %d to match", len(list), len(e.Attributes["project"]))
	}
}

// Far more than Sentry sends, in the values that are skipped and in one that
// is kept.
func TestLargestPayload(t *testing.T) {
	t.Parallel()
	const size = 25 << 20
	const frame = `{"function":"squeak","filename":"src/hinge.js","lineno":40,"vars":{"oil":"ü"},"in_app":true},`
	for name, format := range map[string]string{
		"kept":    `{"action":"created","data":{"error":{"issue_id":"7","exception":{"values":[{"stacktrace":{"frames":[%snull]}}]}}}}`,
		"skipped": `{"action":"created","data":{"error":{"issue_id":"7","breadcrumbs":{"values":[%snull]}}}}`,
	} {
		body := fmt.Appendf(nil, format, strings.Repeat(frame, size/len(frame)-2))
		if len(body) > size || len(body) < size-1000 {
			t.Fatalf("body of %d bytes", len(body))
		}
		req := delivery("error", body)
		req.Header.Set(signatureHeader, sign(testSecret, body))
		d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{})
		if err != nil || len(d.Events) != 1 || d.Events[0].Number != 7 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
