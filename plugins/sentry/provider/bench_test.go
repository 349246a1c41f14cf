package provider

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Sentry waits for one second. A delivery with a whole event is to cost a
// hundredth of that at most.

func BenchmarkIssue(b *testing.B) {
	bench(b, "issue", caseNamed(b, "issue.created").Request.Body)
}

func BenchmarkEvent(b *testing.B) {
	bench(b, "error", largeEvent(b))
}

// bench verifies and parses.
func bench(b *testing.B, resource string, body []byte) {
	p := New("test")
	req := delivery(resource, body)
	req.Header.Set(signatureHeader, sign(testSecret, body))
	secrets := secretsOf(testSecret)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Verify(b.Context(), req, secrets); err != nil {
			b.Fatal(err)
		}
		events, err := p.Parse(b.Context(), req)
		if err != nil || events[0].Attributes["project"][0] != "widgets" {
			b.Fatal(events, err)
		}
	}
}

// largeEvent is as large as those of a web application: about 300 KB of frames
// with the code around them, and of what happened before.
func largeEvent(t testing.TB) []byte {
	code := func(n int) []string {
		var lines []string
		for i := range n {
			lines = append(lines, fmt.Sprintf("    const part%d = door.hinges.map((h) => h.oil(%q));", i, "lots"))
		}
		return lines
	}
	var frames, crumbs []any
	for i := range 200 {
		frames = append(frames, map[string]any{
			"abs_path": "https://widgets.example/static/js/main.js", "filename": "static/js/main.js", "function": "squeak",
			"lineno": i, "colno": 17, "in_app": true, "context_line": "  hinge.squeak()", "pre_context": code(5), "post_context": code(5),
			"vars": map[string]any{"door": "open", "oil": nil},
		})
	}
	for i := range 100 {
		crumbs = append(crumbs, map[string]any{
			"timestamp": 1772357370.5 + float64(i), "type": "http", "category": "fetch", "level": "info",
			"data": map[string]any{"url": "https://widgets.example/" + strings.Repeat("door/", 40), "status_code": 200},
		})
	}
	body, err := json.Marshal(map[string]any{"action": "created", "data": map[string]any{"error": map[string]any{
		"issue_id": "7130412233", "title": "TypeError: oil is undefined", "datetime": "2026-03-01T09:29:30.677000Z",
		"url":         "https://sentry.io/api/0/projects/acme/widgets/events/8da63b42375e4d3b803c377fefb062f8/",
		"tags":        [][]string{{"environment", "production"}, {"level", "error"}},
		"exception":   map[string]any{"values": []any{map[string]any{"type": "TypeError", "stacktrace": map[string]any{"frames": frames}}}},
		"breadcrumbs": map[string]any{"values": crumbs},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(body) < 200_000 || len(body) > 400_000 {
		t.Fatalf("the payload has %d bytes", len(body))
	}
	return body
}
