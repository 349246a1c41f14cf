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
		{Name: "issue.created", Help: "Sentry sees an issue for the first time."},
		{Name: "event_alert.triggered", Help: "An alert rule for issues fires, with the event and its stack trace."},
		{Name: "metric_alert.critical", Help: "An alert rule for a metric is critical."},
		{Name: "error.created", Help: "An error is recorded."},
		{Name: "comment.created", Help: "Somebody comments on an issue."},
	}
}

// Sample makes a delivery as Sentry sends it. The resource is named in a header
// alone, so that is what the name of a sample says of another body.
func (p *Provider) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body, err := ask.Text(sampleFiles)
	if err != nil {
		return sdk.Request{}, err
	}
	signature, err := ask.SignHMACSHA256(secretField, "", body)
	if err != nil {
		return sdk.Request{}, err
	}
	resource, _, _ := strings.Cut(ask.Name, ".")
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(resourceHeader, resource)
	h.Set(timestampHeader, ask.Fill("{{unix}}"))
	h.Set(deliveryHeader, ask.Fill("{{hex}}"))
	if signature != "" {
		h.Set(signatureHeader, signature)
	}
	return sdk.Request{Method: http.MethodPost, Header: h, Body: body, ReceivedAt: ask.SentAt}, nil
}
