package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// One delivery, as the host asks for it.
func BenchmarkDeliver(b *testing.B) {
	body := mention(b)
	req := delivery(body)
	req.Header.Set(signatureHeader, sign(testSecret, body))
	p, secrets := New("test"), secretsOf(testSecret)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		d, err := sdk.Deliver(b.Context(), p, req, secrets, sdk.DeliverOptions{})
		if err != nil || len(d.Events) != 1 {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	body := mention(b)
	req := delivery(body)
	req.Header.Set(signatureHeader, sign(testSecret, body))
	p, secrets := New("test"), secretsOf(testSecret)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Verify(b.Context(), req, secrets); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	req := delivery(mention(b))
	p := New("test")
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if events, err := p.Parse(b.Context(), req); err != nil || len(events) != 1 {
			b.Fatal(events, err)
		}
	}
}

func BenchmarkChallenge(b *testing.B) {
	req := question("crc_token=MTcwMDAwMDAwMC1leGFtcGxlLWNyYw%3D%3D&nonce=abc")
	p, secrets := New("test"), secretsOf(testSecret)
	b.ReportAllocs()
	for b.Loop() {
		if d, err := sdk.Deliver(b.Context(), p, req, secrets, sdk.DeliverOptions{}); err != nil || d.Reply.Status != http.StatusOK {
			b.Fatal(d, err)
		}
	}
}

// mention is as large as X's own, about 7 KB: a quote of a long post, with two
// users of forty fields each.
func mention(t testing.TB) []byte {
	user := func(name string) map[string]any {
		u := map[string]any{"id": 7100000000000000025, "id_str": "7100000000000000025", "screen_name": name}
		for i := range 40 {
			u[fmt.Sprintf("profile_field_%02d", i)] = "https://pbs.example.com/profile_images/normal.jpg"
		}
		return u
	}
	post := func(name string) map[string]any {
		return map[string]any{
			"created_at": "Sun Mar 01 09:30:00 +0000 2026", "id": 2028000000000000001, "id_str": "2028000000000000001",
			"text": "@acme_helps it squeaks… https://t.co/aaaaaaaaaa", "truncated": true, "user": user(name), "timestamp_ms": "1772357400123",
			"extended_tweet": map[string]any{"full_text": "@acme_helps it squeaks when it is cold, and it squeaks when it is warm. &amp; on Tuesdays it hums."},
			"entities":       map[string]any{"urls": []any{}, "user_mentions": []any{map[string]any{"screen_name": "acme_helps", "indices": []int{0, 11}}}},
		}
	}
	quote := post("octo_ann")
	quote["quoted_status"], quote["is_quote_status"] = post("octo_bob"), true
	body, err := json.Marshal(map[string]any{"for_user_id": "7100000000000000017", "tweet_create_events": []any{quote}})
	if err != nil {
		t.Fatal(err)
	}
	if len(body) < 6_000 || len(body) > 9_000 {
		t.Fatalf("the payload has %d bytes", len(body))
	}
	return body
}
