package pluginhost

import (
	"bytes"
	"context"
	"net/http"

	"github.com/action-llama/gateway/sdk"
)

// sampler is a fake that makes a sample, and gets one thing wrong.
type sampler struct {
	fake
	wrong string
}

func (s sampler) Samples() []sdk.Sample { return []sdk.Sample{{Name: "issues"}} }

func (s sampler) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	if s.wrong == "sampleless" {
		return sdk.Request{}, sdk.ErrNoSample
	}
	body := []byte(`{"sample":"` + ask.Unique + `"}`)
	signature, err := ask.SignHMACSHA256("secret", "sha256=", body)
	if s.wrong == "forgetful" {
		signature = "sha256=00"
	}
	return sdk.Request{Method: http.MethodPost, Path: "/webhooks/ok", Header: http.Header{"X-Signature": {signature}}, Body: body}, err
}

func (s sampler) Verify(ctx context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signed := sdk.Signed(s.Describe(), req)
	switch {
	case s.wrong == "panics":
		panic("a new build")
	case s.wrong == "credulous" && signed, s.wrong == "unsigned" && !signed, s.wrong == "promiscuous" && bytes.Contains(req.Body, []byte("sample")):
		return sdk.Which{0}, nil
	}
	return s.fake.Verify(ctx, req, secrets)
}
