package provider

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// One delivery is to cost well under 60 µs of CPU. encoding/json alone takes
// twice that for a struct of the same fields.

func BenchmarkParse(b *testing.B) {
	body := labeledIssue(b)
	bench(b, delivery("issues", body))
}

func BenchmarkParseForm(b *testing.B) {
	req := delivery("issues", []byte("payload="+url.QueryEscape(string(labeledIssue(b)))))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	bench(b, req)
}

func BenchmarkVerify(b *testing.B) {
	req := signed(labeledIssue(b))
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

func bench(b *testing.B, req sdk.Request) {
	p := New("test")
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		events, err := p.Parse(b.Context(), req)
		if err != nil || events[0].Attributes["label"][0] != "agent" {
			b.Fatal(events, err)
		}
	}
}

// labeledIssue is as large as GitHub's own, about 12 KB: most of that is
// addresses, of which every user has a dozen and a repository fifty.
func labeledIssue(t testing.TB) []byte {
	addresses := func(base string, n int) map[string]any {
		m := map[string]any{"id": 444500041, "node_id": "MDU6SXNzdWU0NDQ1MDAwNDE="}
		for i := range n {
			m[fmt.Sprintf("address_%02d_url", i)] = fmt.Sprintf("https://api.github.com/%s/address_%02d{/other}", base, i)
		}
		return m
	}
	user := func(login string) map[string]any {
		m := addresses("users/"+login, 13)
		m["login"], m["type"], m["site_admin"] = login, "User", false
		return m
	}
	label := func(name string) map[string]any {
		return map[string]any{"id": 1, "name": name, "color": "d73a4a", "default": true, "description": "Something is not right"}
	}
	issue := addresses("repos/acme/widgets/issues/17", 8)
	issue["number"], issue["title"], issue["html_url"] = 17, "Widgets squeak", "https://github.com/acme/widgets/issues/17"
	issue["body"] = strings.Repeat("They do, at \"night\".\r\n", 100)
	issue["user"], issue["assignee"], issue["assignees"] = user("octo-ann"), user("octo-cyd"), []any{user("octo-cyd")}
	issue["labels"], issue["state"], issue["updated_at"] = []any{label("bug"), label("agent")}, "open", "2026-03-01T09:30:00Z"
	repository := addresses("repos/acme/widgets", 46)
	repository["full_name"], repository["owner"] = "acme/widgets", user("acme")
	body, err := json.Marshal(map[string]any{
		"action": "labeled", "issue": issue, "label": label("agent"), "repository": repository,
		"organization": map[string]any{"login": "acme"}, "sender": user("octo-ann"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(body) < 12_000 || len(body) > 15_000 {
		t.Fatalf("the payload has %d bytes", len(body))
	}
	return body
}
