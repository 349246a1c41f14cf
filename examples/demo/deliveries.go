package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
)

//go:embed payloads
var payloads embed.FS

// delivery is one request as GitHub would send it.
type delivery struct {
	what     string // for the reader
	event    string
	id       string
	payload  string
	forge    bool // signed with a wrong secret
	status   int  // that the gateway must answer
	contains string
}

// story is what the demo sends, in order. Each step says what has to come back:
// a demo that only looks right is worse than none.
var story = []delivery{
	{what: "the hook was created: GitHub says hello", event: "ping", id: "d-0001", payload: "ping.json", status: 200, contains: `"events":0`},
	{what: "an issue got the label the agent waits for", event: "issues", id: "d-0002", payload: "issues.labeled.json", status: 200, contains: `"queued":1`},
	{what: "a push, which no agent waits for", event: "push", id: "d-0003", payload: "push.json", status: 200, contains: `"matched":0`},
	{what: "a stranger, signing with a wrong secret", event: "issues", id: "d-0004", payload: "issues.labeled.json", forge: true, status: 401, contains: `"bad_signature"`},
	{what: "the labelled issue once more (a retry)", event: "issues", id: "d-0002", payload: "issues.labeled.json", status: 200, contains: `"duplicate":true`},
}

// send posts a delivery and returns the status and the body of the answer.
func (d delivery) send(ctx context.Context, url, secret string) (int, string, error) {
	body, err := payloads.ReadFile("payloads/" + d.payload)
	if err != nil {
		return 0, "", err
	}
	if d.forge {
		secret = "guess"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "GitHub-Hookshot/demo")
	req.Header.Set("X-GitHub-Event", d.event)
	req.Header.Set("X-GitHub-Delivery", d.id)
	req.Header.Set("X-Hub-Signature-256", "sha256="+sign(secret, body))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, "", err
	}
	text := strings.TrimSpace(string(answer))
	if resp.StatusCode != d.status || !strings.Contains(text, d.contains) {
		return resp.StatusCode, text, fmt.Errorf("%s: answered %d %s; expected %d with %s", d.what, resp.StatusCode, text, d.status, d.contains)
	}
	return resp.StatusCode, text, nil
}

func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
