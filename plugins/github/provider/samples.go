package provider

import (
	"context"
	"embed"
	"net/http"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

//go:embed samples/*.json
var sampleFiles embed.FS

// Samples lists what people start agents with.
func (p *Provider) Samples() []sdk.Sample {
	return []sdk.Sample{
		{Name: "issues.opened", Help: "Somebody opens issue 17 of acme/widgets."},
		{Name: "issues.labeled", Help: `The issue gets the label "agent".`},
		{Name: "issue_comment.created", Help: "Somebody comments on the issue."},
		{Name: "pull_request.opened", Help: "Somebody opens pull request 23."},
		{Name: "pull_request_review.submitted", Help: "Somebody approves the pull request."},
		{Name: "push", Help: "A commit is pushed to main."},
		{Name: "workflow_run.completed", Help: "The workflow CI fails."},
		{Name: "release.published", Help: "Release v1.2.0 is published."},
	}
}

// Sample makes a delivery as GitHub sends it. The event is named in a header
// alone, so that is what the name of a sample says of another body.
func (p *Provider) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body, err := ask.Text(sampleFiles)
	if err != nil {
		return sdk.Request{}, err
	}
	signature, err := ask.SignHMACSHA256(secretField, "sha256=", body)
	if err != nil {
		return sdk.Request{}, err
	}
	event, _, _ := strings.Cut(ask.Name, ".")
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitHub-Hookshot/0a1b2c3")
	h.Set(eventHeader, event)
	h.Set(deliveryHeader, ask.Fill("{{uuid}}"))
	if signature != "" {
		h.Set(signatureHeader, signature)
	}
	return sdk.Request{Method: http.MethodPost, Header: h, Body: body, ReceivedAt: ask.SentAt}, nil
}
