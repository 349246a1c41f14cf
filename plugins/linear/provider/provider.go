// Package provider reads Linear's webhooks: those of a workspace and those of
// an OAuth application, agents included. It is apart from the command so that
// it can run in another process than a plugin's: in benchmarks, and in the
// tests of other modules.
package provider

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/action-llama/gateway/sdk"
)

const (
	signatureHeader = "Linear-Signature"
	deliveryHeader  = "Linear-Delivery"
)

// Provider reads Linear's webhooks. It is never changed once it is made.
type Provider struct {
	version string
	kinds   map[string]kind // by the vendor's type
	lenient json.Options
}

// New returns the provider; version is what it says of itself.
func New(version string) *Provider {
	p := &Provider{version: version, kinds: map[string]kind{}, lenient: leniency()}
	for _, k := range kinds() {
		p.kinds[k.typ] = k
	}
	return p
}

// Verify takes the signature over the raw body, and then the time that the body
// says it was sent at. A stranger's body is never read: the time counts only
// behind a signature, and the headers, which repeat it, are not signed.
func (p *Provider) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, signatureHeader, "")
	if err != nil {
		return nil, err
	}
	which, err := sdk.VerifyHMACSHA256(secrets, secretField, signature, req.Body)
	if err != nil {
		return nil, err
	}
	if err := checkSentAt(req.Body, req.ReceivedAt); err != nil {
		return nil, err
	}
	return which, nil
}

// Parse makes one event of a request. The type is taken from the body, as the
// header Linear-Event is not signed.
func (p *Provider) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	delivery, err := sdk.SingleHeader(req.Header, deliveryHeader)
	if err != nil {
		return nil, err
	}
	pl, err := p.decode(req.Body)
	if err != nil {
		return nil, err
	}
	if pl.Type == "" {
		return nil, sdk.Unparseable("the payload has no type")
	}
	k, known := p.kinds[pl.Type]
	if !known {
		k = unknownKind(pl.Type)
	}
	return []sdk.Event{eventOf(k, delivery, pl)}, nil
}
