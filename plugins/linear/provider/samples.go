package provider

import (
	"context"
	"embed"
	"net/http"

	"github.com/action-llama/gateway/sdk"
)

//go:embed samples/*.json
var sampleFiles embed.FS

// Samples lists what people start agents with.
func (p *Provider) Samples() []sdk.Sample {
	return []sdk.Sample{
		{Name: "issues.create", Help: "Somebody makes the issue WID-17, urgent and labelled."},
		{Name: "issues.update", Help: `The issue gets the label "agent".`},
		{Name: "issue_comment.create", Help: "Somebody comments on the issue."},
		{Name: "agentsessionevent.created", Help: "Somebody mentions the app as an agent."},
		{Name: "appusernotification.issueAssignedToYou", Help: "The issue is assigned to the app."},
	}
}

// Sample makes a delivery as Linear sends it. Linear signs a time that is in the
// body: one that is given needs a fresh webhookTimestamp.
func (p *Provider) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body, err := ask.Text(sampleFiles)
	if err != nil {
		return sdk.Request{}, err
	}
	signature, err := ask.SignHMACSHA256(secretField, "", body)
	if err != nil {
		return sdk.Request{}, err
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("User-Agent", "Linear-Webhook")
	h.Set(deliveryHeader, ask.Fill("{{uuid}}"))
	h.Set("Linear-Timestamp", ask.Fill("{{millis}}"))
	if pl, err := p.decode(body); err == nil && pl.Type != "" {
		h.Set("Linear-Event", pl.Type) // repeats the body, and is not signed
	}
	if signature != "" {
		h.Set(signatureHeader, signature)
	}
	return sdk.Request{Method: http.MethodPost, Header: h, Body: body, ReceivedAt: ask.SentAt}, nil
}
