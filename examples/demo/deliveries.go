package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/action-llama/gateway/examples/demo/signing"
)

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
	body, err := payloads.ReadFile("payloads/github/" + d.payload)
	if err != nil {
		return 0, "", err
	}
	if d.forge {
		secret = "guess"
	}
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "GitHub-Hookshot/demo")
	header.Set("X-GitHub-Event", d.event)
	header.Set("X-GitHub-Delivery", d.id)
	signing.GitHub(header, []byte(secret), body, time.Now())
	got, err := exchange(ctx, http.MethodPost, url, header, body)
	if err != nil {
		return 0, "", err
	}
	text := strings.TrimSpace(got.body)
	if got.status != d.status || !strings.Contains(text, d.contains) {
		return got.status, text, fmt.Errorf("%s: answered %d %s; expected %d with %s", d.what, got.status, text, d.status, d.contains)
	}
	return got.status, text, nil
}
