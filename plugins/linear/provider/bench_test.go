package provider

import (
	"bytes"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// One delivery is to cost well under 100 µs of CPU.

func BenchmarkParse(b *testing.B) {
	req := usualIssue(b)
	p := New("test")
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		events, err := p.Parse(b.Context(), req)
		if err != nil || events[0].Attributes["added_label"][0] != "agent" {
			b.Fatal(events, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	req := usualIssue(b)
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

// usualIssue is as large as recorded ones, about 5 KB: most of that is the
// description, which comes twice.
func usualIssue(b *testing.B) sdk.Request {
	b.Helper()
	body := caseNamed(b, "Issue.update.label-added").Request.Body
	text := strings.Repeat("They do, at night. ", 70)
	body = bytes.Replace(body, []byte("They do, at night."), []byte(text), 1)
	body = bytes.Replace(body, []byte(`"{\"type\":\"doc\",\"content\":[]}"`), []byte(`"{\"type\":\"doc\",\"content\":[{\"text\":\"`+text+`\"}]}"`), 1)
	if len(body) < 4500 || len(body) > 6000 {
		b.Fatalf("the payload has %d bytes", len(body))
	}
	return signed(body)
}
