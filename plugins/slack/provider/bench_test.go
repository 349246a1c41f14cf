package provider

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// A message as Slack sends it has about 2 KB: its text comes a second time, as
// blocks.

func BenchmarkDeliverMessage(b *testing.B) { bench(b, signed(usualMessage(b))) }

func BenchmarkDeliverForm(b *testing.B) {
	bench(b, caseNamed(b, "view_submission").Request)
}

func BenchmarkVerify(b *testing.B) {
	req := signed(usualMessage(b))
	secrets := secretsOf(testSecret)
	p := New("test")
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Verify(b.Context(), req, secrets); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	req := signed(usualMessage(b))
	p := New("test")
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if events, err := p.Parse(b.Context(), req); err != nil || len(events) != 1 {
			b.Fatal(events, err)
		}
	}
}

func bench(b *testing.B, req sdk.Request) {
	p := New("test")
	secrets := secretsOf(testSecret)
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		d, err := sdk.Deliver(b.Context(), p, req, secrets, sdk.DeliverOptions{})
		if err != nil || len(d.Events) != 1 {
			b.Fatal(d, err)
		}
	}
}

func usualMessage(t testing.TB) []byte {
	text := strings.Repeat("The widget squeaks, and not only at night. ", 12)
	body, err := json.Marshal(map[string]any{
		"token": "retired", "team_id": "T01ACME", "context_team_id": "T01ACME", "api_app_id": "A01APP",
		"type": "event_callback", "event_id": "Ev01", "event_time": 1767225599,
		"authorizations": []any{map[string]any{"team_id": "T01ACME", "user_id": "U01BOT", "is_bot": true}},
		"event_context":  "4-" + url.QueryEscape(text[:100]),
		"event": map[string]any{
			"type": "message", "user": "U01ANN", "ts": "1767225599.000100", "text": text, "channel": "C01OPS",
			"channel_type": "channel", "event_ts": "1767225599.000100", "team": "T01ACME",
			"blocks": []any{map[string]any{"type": "rich_text", "elements": []any{map[string]any{
				"type": "rich_text_section", "elements": []any{map[string]any{"type": "text", "text": text}},
			}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}
