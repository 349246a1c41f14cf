package cli_test

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/action-llama/gateway/sdk"
)

// parcel is a provider whose senders differ: each source says by its settings
// where the signature is and what of the body its filters look at.
type parcel struct{}

const (
	parcelHeader     = "signatureHeader"
	parcelAttributes = "attributes"
)

func (parcel) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "parcel", Name: "Parcel", Version: "1.0.0",
		Credential:       sdk.Credential{Type: "parcel_secret", Fields: []sdk.Field{{Name: "secret", Label: "Secret", Secret: true, Generated: true}}},
		DeliveryIDHeader: "X-Parcel-Id",
		Filters:          []sdk.Filter{{Name: "events", Attribute: "event"}},
		Settings: []sdk.Setting{
			{Name: parcelHeader, Required: true, SignatureHeader: true, Help: "The header with the signature."},
			{Name: "event", Default: "sent", Values: []string{"sent", "lost"}},
			{Name: parcelAttributes, Kind: sdk.TableSetting, Pattern: "[a-z]+", Filters: &sdk.Filter{Help: "A field of the body."}},
			{Name: "limit", Kind: sdk.IntegerSetting, Default: 5},
		},
		Setup: "Point it to {url}",
	}
}

func (parcel) CheckSettings(_ context.Context, source sdk.Source) ([]sdk.SettingProblem, error) {
	if source.Settings.Text(parcelHeader) == "X-Parcel-Id" {
		return []sdk.SettingProblem{{Setting: parcelHeader, Message: "is the header of the id; name another one"}}, nil
	}
	return nil, nil
}

func (parcel) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, req.Settings.Text(parcelHeader), "")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, "secret", signature, req.Body)
}

func (parcel) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	var body map[string]string
	if err := json.Unmarshal(req.Body, &body); err != nil {
		return nil, sdk.Unparseable("the body is not JSON")
	}
	e := sdk.Event{
		Name: req.Settings.Text("event"), DeliveryID: req.Header.Get("X-Parcel-Id"), Title: body["title"],
		Attributes: map[string][]string{"event": {req.Settings.Text("event")}},
	}
	for name, field := range req.Settings.Table(parcelAttributes) {
		if body[field] != "" {
			e.Attributes[name] = []string{body[field]}
		}
	}
	return []sdk.Event{e}, nil
}

func (parcel) Samples() []sdk.Sample {
	return []sdk.Sample{{Name: "sent", Help: "A parcel is on its way."}}
}

func (parcel) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body := ask.Body
	if body == nil {
		if ask.Name != "sent" {
			return sdk.Request{}, sdk.ErrNoSample
		}
		body = []byte(`{"title":"A book","status":"late","weight":"heavy"}`)
	}
	req := sdk.Request{
		Method: http.MethodPost, Body: body, ReceivedAt: ask.SentAt,
		Header: http.Header{"Content-Type": {"application/json"}, "X-Parcel-Id": {ask.Fill("{{uuid}}")}},
	}
	signature, err := ask.SignHMACSHA256("secret", "", body)
	if signature != "" {
		req.Header.Set(ask.Settings.Text(parcelHeader), signature)
	}
	return req, err
}
