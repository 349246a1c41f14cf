package provider

import (
	"context"
	"embed"
	"net/http"

	"github.com/action-llama/gateway/sdk"
)

//go:embed samples/*.json
var sampleFiles embed.FS

// Samples lists what a relay posts.
func (p *Provider) Samples() []sdk.Sample {
	return []sdk.Sample{
		{Name: "build.failed", Help: "A build of the docs fails, as a relay words it."},
		{Name: "build.success", Help: "A build succeeds, as Mintlify's API words it."},
	}
}

// Sample makes what a relay would post.
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
	h.Set("Content-Type", "application/json")
	if signature != "" {
		h.Set(signatureHeader, signature)
	}
	return sdk.Request{Method: http.MethodPost, Header: h, Body: body, ReceivedAt: ask.SentAt}, nil
}
