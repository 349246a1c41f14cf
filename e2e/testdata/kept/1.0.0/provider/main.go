// A provider of the day on which the SDK had its first version, with all that
// one could do then. It is built with that SDK and run by hosts of later days.
package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/action-llama/gateway/sdk"
)

const signatureHeader = "X-Chime-Signature"

type chime struct{}

func (chime) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "chime", Name: "Chime", Version: "1.0.0",
		Credential: sdk.Credential{Type: "chime_secret", Fields: []sdk.Field{
			{Name: "secret", Label: "Secret", Secret: true, Generated: true},
		}},
		SignatureHeaders: []string{signatureHeader},
		DeliveryIDHeader: "X-Chime-Delivery",
		Filters: []sdk.Filter{
			{Name: "tones", Attribute: "tone", Help: "which tones"},
			{Name: "from", Attribute: "from", Help: "who rang", OptIn: []string{"self"}},
		},
		Example: map[string][]string{"tones": {"high"}},
	}
}

func (chime) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, signatureHeader, "sha256=")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, "secret", signature, req.Body)
}

func (chime) Challenge(_ context.Context, req sdk.Request, _ []sdk.Secret) (*sdk.Reply, error) {
	if req.Header.Get("X-Chime-Hello") == "" {
		return nil, nil
	}
	return &sdk.Reply{
		Status: http.StatusOK, Body: []byte("ding"),
		Header: http.Header{"Content-Type": {"text/plain"}},
	}, nil
}

func (chime) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	var body struct{ Tone, By string }
	if err := json.Unmarshal(req.Body, &body); err != nil || body.Tone == "" {
		return nil, sdk.Unparseable("not a chime")
	}
	return []sdk.Event{{
		DeliveryID: req.Header.Get("X-Chime-Delivery"), Name: "chime", Title: "Somebody rang " + body.Tone, Sender: body.By,
		Extra:      map[string]any{"tone": body.Tone},
		Attributes: map[string][]string{"tone": {body.Tone}, "from": {"person"}},
	}}, nil
}

func (chime) Samples() []sdk.Sample { return []sdk.Sample{{Name: "chime", Help: "somebody rings"}} }

func (chime) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body := ask.Body
	if body == nil {
		if ask.Name != "chime" {
			return sdk.Request{}, sdk.ErrNoSample
		}
		body = []byte(`{"tone":"high","by":"ada"}`)
	}
	req := sdk.Request{
		Method: http.MethodPost, Body: body, ReceivedAt: ask.SentAt,
		Header: http.Header{"Content-Type": {"application/json"}, "X-Chime-Delivery": {ask.Unique}},
	}
	if ask.Secret != nil {
		req.Header.Set(signatureHeader, sdk.SignHMACSHA256("sha256=", ask.Secret.Fields["secret"], body))
	}
	return req, nil
}

func main() { sdk.Serve(chime{}) }
