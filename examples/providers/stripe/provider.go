package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	signatureHeader = "Stripe-Signature"
)

// tolerance is how far the signed time may be from the time of receipt.
const tolerance = 5 * time.Minute

// provider knows Stripe. It keeps nothing, so that it can be asked from many
// goroutines at once.
type provider struct{ version string }

// Describe says who the provider is, what credential it needs, and by what a
// trigger can choose among its events.
func (p provider) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "stripe", Name: "Stripe", Version: p.version,
		DocsURL: "https://docs.stripe.com/webhooks",
		Credential: sdk.Credential{Type: "stripe_webhook_secret", Fields: []sdk.Field{
			{
				Name: "secret", Label: "Signing secret", Secret: true, Pattern: "whsec_[A-Za-z0-9]+",
				Help: "Workbench, Webhooks, the endpoint, Signing secret: it begins with whsec_.",
			},
		}},
		SignatureHeaders: []string{signatureHeader},
		Filters: []sdk.Filter{
			{Name: "events", Attribute: "event", Help: "types of events, for example invoice.paid", MatchCase: true},
			{Name: "mode", Kind: sdk.String, Attribute: "mode", Help: "live or test", Values: []string{"live", "test"}},
			{Name: "accounts", Attribute: "account", Help: "connected accounts, by id", MatchCase: true},
		},
		Setup:   "Workbench, Webhooks, Add destination, with the endpoint URL {url}.",
		Example: map[string][]string{"events": {"invoice.paid"}},
	}
}

// Verify says which of the secrets signed the request.
func (provider) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	return sdk.VerifyTimestampedHMAC(req, secrets, "secret", signatureHeader, tolerance)
}

// maxObject is how large the object of an event may be to reach the agent, in
// bytes. A gateway takes events of up to 1 MiB.
const maxObject = 256 << 10

// notice is Stripe's event object, as far as it is read.
type notice struct {
	ID       string `json:"id"`
	Object   string `json:"object"`
	Type     string `json:"type"`
	Account  string `json:"account"` // of a platform's connected account
	Created  int64  `json:"created"`
	Livemode bool   `json:"livemode"`
	Data     struct {
		Object             json.RawMessage `json:"object"`
		PreviousAttributes json.RawMessage `json:"previous_attributes"`
	} `json:"data"`
}

// Parse reads the event out of a request. Stripe retries with the same id, which
// is in the body and so is signed.
func (provider) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	var n notice
	if err := json.Unmarshal(req.Body, &n); err != nil {
		return nil, sdk.Unparseable("the body is not the JSON that Stripe sends")
	}
	if n.Object != "event" || n.Type == "" {
		return nil, sdk.Unparseable("the body is no event of Stripe's")
	}
	mode := "test"
	if n.Livemode {
		mode = "live"
	}
	e := sdk.Event{
		DeliveryID: n.ID,
		Name:       n.Type,
		Attributes: map[string][]string{"event": {n.Type}, "mode": {mode}},
		Extra:      map[string]any{"mode": mode},
	}
	if n.Created > 0 {
		e.Timestamp = sdk.UnixTime(n.Created, 0)
	}
	if n.Account != "" {
		e.Attributes["account"] = []string{n.Account}
		e.Extra["account"] = n.Account
	}
	for name, raw := range map[string]json.RawMessage{"object": n.Data.Object, "previousAttributes": n.Data.PreviousAttributes} {
		value, err := exact(raw)
		if err != nil {
			return nil, err
		}
		if value != nil {
			e.Extra[name] = value
		}
	}
	return []sdk.Event{e}, nil
}

// exact reads an object with its numbers as they came: amounts are what matters
// here. What is too large is left out.
func exact(raw json.RawMessage) (any, error) {
	if len(raw) == 0 || len(raw) > maxObject {
		return nil, nil
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, sdk.Unparseable("the body has an object that can not be read")
	}
	return value, nil
}

//go:embed samples
var samples embed.FS

// Samples are the webhooks that `al webhook send` can make.
func (provider) Samples() []sdk.Sample {
	return []sdk.Sample{
		{Name: "invoice.paid", Help: "Ada pays an invoice of 20 dollars."},
		{Name: "customer.subscription.updated", Help: "A subscription will end with its period."},
	}
}

// Sample makes a request as Stripe would send it.
func (provider) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body, err := ask.Text(samples)
	if err != nil {
		return sdk.Request{}, err
	}
	req := sdk.Request{
		Method: http.MethodPost, Body: body, ReceivedAt: ask.SentAt,
		Header: http.Header{"Content-Type": {"application/json"}},
	}
	if ask.Secret == nil {
		return req, nil
	}
	key := ask.Secret.Fields["secret"]
	if key == "" {
		return req, fmt.Errorf("%w: the field %q is empty", sdk.ErrCredential, "secret")
	}
	req.Header.Set(signatureHeader, sdk.SignTimestampedHMAC(key, ask.SentAt, body))
	return req, nil
}
