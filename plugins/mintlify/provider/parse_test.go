package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":              "",
		"not json":           "Build failed!",
		"null":               "null",
		"array":              `[{"action":"failed"}]`,
		"string":             `"failed"`,
		"cut off":            `{"action":"failed"`,
		"two objects":        `{"action":"failed"}{}`,
		"not utf-8":          "{\"action\":\"failed\",\"zzz\":\"\xff\"}",
		"name twice":         `{"action":"failed","action":"succeeded"}`,
		"name twice, deeper": `{"action":"failed","user":{"name":"a","name":"b"}}`,
		"nested too deep":    `{"zzz":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
		"nested without end": `{"logs":` + strings.Repeat("[", 1<<20),
	} {
		events, err := New("test").Parse(t.Context(), delivery([]byte(body)))
		if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
			t.Errorf("%s: %v, %v; want unparseable", name, events, err)
		} else if len(err.Error()) > 120 || strings.Contains(err.Error(), "failed") {
			t.Errorf("%s: the error quotes the body: %v", name, err)
		}
	}
}

// A branch is never made up: main would match what is any branch's.
func TestBranches(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`"x":1`:                           "",
		`"branch":""`:                     "",
		`"branch":"main"`:                 "main",
		`"branch":"refs/heads/docs/wind"`: "docs/wind",
		`"git":{"branch":"oil"},"commit":{"ref":"main"}`:   "oil",
		`"branch":null,"git":null,"commit":{"ref":"main"}`: "main",
		`"commit":{"ref":"refs/heads/main"}`:               "main",
		`"commit":{"ref":"refs/tags/main"}`:                "",
		`"commit":{"ref":"refs/heads/"}`:                   "",
		`"branch":"refs/tags/v1","commit":{"ref":"main"}`:  "main",
	} {
		e := parseOne(t, `{"action":"failed",`+body+`}`)
		if e.Branch != want || len(e.Attributes["branch"]) != min(1, len(want)) {
			t.Errorf("%s: %q, %q", body, e.Branch, e.Attributes["branch"])
		}
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{
		"failed": "failure", "failure": "failure", "FAILED": "failure", "succeeded": "success", "Success": "success",
		"queued": "", "in_progress": "", "cancelled": "", "fail": "",
	} {
		e := parseOne(t, `{"status":"`+action+`"}`)
		if e.Conclusion != want || e.Action != action || (len(e.Attributes["action"]) == 2) != (want != "") {
			t.Errorf("%s: %+v", action, e)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	received := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for body, want := range map[string]string{
		`"timestamp":"2026-03-01T10:30:00+01:00","endedAt":"2026-01-01T00:00:00Z"`: "2026-03-01T09:30:00Z",
		`"endedAt":"2026-03-01T09:31:00.000Z","createdAt":"2026-03-01T09:30:00Z"`:  "2026-03-01T09:31:00Z",
		`"endedAt":null,"createdAt":"2026-03-01T09:30:00.5Z"`:                      "2026-03-01T09:30:00.5Z",
		`"timestamp":"yesterday"`:                 "2026-03-02T00:00:00Z",
		`"timestamp":"9999-12-31T23:59:59-23:00"`: "2026-03-02T00:00:00Z",
		`"timestamp":1772357400`:                  "2026-03-02T00:00:00Z",
	} {
		req := delivery([]byte(`{"action":"failed",` + body + `}`))
		req.ReceivedAt = received
		events, err := New("test").Parse(t.Context(), req)
		if err != nil || events[0].Timestamp.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v; want %s", body, events, err, want)
		}
	}
}

// A retry is the same event; the next result, even in the same words, is not.
func TestRepeats(t *testing.T) {
	t.Parallel()
	at := func(body string, received time.Time) string {
		req := delivery([]byte(body))
		req.ReceivedAt = received
		events, err := New("test").Parse(t.Context(), req)
		if err != nil || len(events) != 1 || events[0].DeliveryID == "" {
			t.Fatalf("%s: %v, %v", body, events, err)
		}
		return events[0].DeliveryID
	}
	start := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	soon, later := start.Add(5*time.Minute), start.Add(24*time.Hour)
	const plain, dated = failedBuild, `{"action":"failed","timestamp":"2026-03-01T09:29:00Z"}`
	if at(plain, start) != at(plain, soon) {
		t.Error("a retry without a time is another event")
	}
	if at(plain, start) == at(plain, later) {
		t.Error("the next day's failure is taken for a retry")
	}
	if at(dated, start) != at(dated, later) {
		t.Error("a late retry with a time is another event")
	}
	if at(plain, start) == at(strings.Replace(plain, "main", "oil", 1), start) {
		t.Error("another branch's failure is taken for a retry")
	}
	const build = `{"_id":"1","status":"%s","projectId":"7"}`
	if at(fmt.Sprintf(build, "queued"), start) == at(fmt.Sprintf(build, "failure"), start) {
		t.Error("two states of a build are one event")
	}
	if at(fmt.Sprintf(build, "failure"), start) != at(fmt.Sprintf(build, "failed"), later) {
		t.Error("one state in two words is two events")
	}
}

// Of a long log the end is kept, which says why.
func TestLog(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 1000 {
		lines = append(lines, fmt.Sprintf(`"%s line %d"`, strings.Repeat("x", 50), i))
	}
	log, _ := parseOne(t, `{"status":"failure","logs":[null,`+strings.Join(lines, ",")+`,"the reason"]}`).Extra["log"].(string)
	if !strings.HasSuffix(log, "line 999\nthe reason") || len(log) > sdk.MaxTextRunes || strings.Count(log, "\n") != maxLines-1 {
		t.Errorf("%d bytes, %d lines", len(log), strings.Count(log, "\n"))
	}
	for _, tt := range []struct{ logs, want string }{
		{`[]`, ""},
		{`["` + strings.Repeat("a", 5000) + `","short"]`, "short"},
		{`["short","` + strings.Repeat("a", 5000) + `"]`, strings.Repeat("a", 4000) + "..."},
		{`{"0":"a"}`, ""},
	} {
		e := parseOne(t, `{"status":"failure","logs":`+tt.logs+`}`)
		if log, _ := e.Extra["log"].(string); log != tt.want {
			t.Errorf("%.20s: %.20s", tt.logs, log)
		}
	}
}

func TestDescriptor(t *testing.T) {
	t.Parallel()
	d := sdk.Describe(New("1.2.3"))
	if d.Type != "mintlify" || d.Version != "1.2.3" || d.Challenges || d.Credential.Type != "mintlify_webhook_secret" ||
		!strings.Contains(d.Setup, "{url}") || !strings.Contains(d.Setup, "deployment_status") {
		t.Errorf("%+v", d)
	}
	var names []string
	for _, f := range d.Filters {
		names = append(names, f.Name)
	}
	if want := []string{"projects", "repos", "events", "actions", "branches"}; !slices.Equal(names, want) {
		t.Errorf("filters %q, want %q", names, want)
	}
}

// Whatever arrives is an event, nothing or unparseable, and what is taken for
// JSON is JSON for others, too.
func FuzzParse(f *testing.F) {
	for _, c := range cases(f) {
		f.Add(c.Request.Body)
	}
	p := New("test")
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := p.Parse(t.Context(), delivery(body))
		if err != nil {
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("%v, %v", events, err)
			}
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatal("took what is not JSON")
		}
		for _, e := range events {
			if e.Name == "" || e.Action == "" || e.DeliveryID == "" {
				t.Fatalf("%+v", e)
			}
			if _, err := json.Marshal(e); err != nil {
				t.Fatal(err)
			}
			for name, values := range e.Attributes {
				if len(values) == 0 || slices.Contains(values, "") {
					t.Fatalf("attribute %s = %q", name, values)
				}
			}
		}
	})
}

func BenchmarkDeliver(b *testing.B) {
	req := delivery([]byte(failedBuild))
	req.Header.Set(signatureHeader, failedSigned)
	p, secrets := New("test"), secretsOf(testSecret)
	b.ReportAllocs()
	for b.Loop() {
		if d, err := sdk.Deliver(b.Context(), p, req, secrets, sdk.DeliverOptions{}); err != nil || len(d.Events) != 1 {
			b.Fatal(d, err)
		}
	}
}

func parseOne(t testing.TB, body string) sdk.Event {
	t.Helper()
	events, err := New("test").Parse(t.Context(), delivery([]byte(body)))
	if err != nil || len(events) != 1 {
		t.Fatalf("Parse(%.200s) = %v, %v", body, events, err)
	}
	return events[0]
}
