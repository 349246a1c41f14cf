// Package provider reads Discord's interactions and webhook events. It is apart
// from the command so that it can run in another process than a plugin's: in
// benchmarks, and in the tests of other modules.
package provider

import (
	"context"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	signatureHeader = "X-Signature-Ed25519"
	timestampHeader = "X-Signature-Timestamp"

	// Discord publishes no tolerance. Its requests arrive within a second, so
	// five minutes are for clocks that are off, as with other vendors.
	timestampTolerance = 300 * time.Second
)

// Provider reads Discord's requests. It is never changed once it is made.
type Provider struct {
	version string
}

// New returns the provider; version is what it says of itself.
func New(version string) *Provider { return &Provider{version: version} }

// Verify takes the signature over the timestamp, as text, and the raw body. The
// body is not looked at: Discord's own probes carry wrong signatures, and want
// to see them refused whatever is in them.
func (p *Provider) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, signatureHeader, "")
	if err != nil {
		return nil, err
	}
	timestamp, err := sdk.SignedHeader(req.Header, timestampHeader)
	if err != nil {
		return nil, err
	}
	which, err := sdk.VerifyEd25519(secrets, keyField, signature, []byte(timestamp), req.Body)
	if err != nil {
		return nil, err
	}
	// Nothing separates the timestamp from the body. This also refuses one that
	// lent its last digits to the body, or took some.
	if err := sdk.CheckTimestamp(timestamp, req.ReceivedAt, timestampTolerance); err != nil {
		return nil, err
	}
	return which, nil
}

// Challenge answers the pings of both families. Anything else, also what can
// not be read, is for Parse.
func (p *Provider) Challenge(_ context.Context, req sdk.Request, _ []sdk.Secret) (*sdk.Reply, error) {
	var o outline
	if err := decode(req.Body, &o); err != nil {
		return nil, nil //nolint:nilerr // Parse says what is wrong, and the host keeps a dead letter
	}
	switch o.kind() {
	case interactionPing:
		return jsonReply(`{"type":1}`), nil
	case webhookPing:
		return noContent(), nil
	default:
		return nil, nil
	}
}

// Parse makes one event of a request, and none of a ping.
func (p *Provider) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	var d payload
	if err := decode(req.Body, &d); err != nil {
		return nil, err
	}
	var e sdk.Event
	var err error
	switch d.kind() {
	case interactionPing, webhookPing:
		return nil, nil
	case webhookEvent:
		e, err = eventOfWebhook(&d, req.Body)
	case interaction:
		e, err = eventOfInteraction(&d, req.ReceivedAt)
	default:
		err = sdk.Unparseable("type and event are neither those of an interaction nor those of a webhook event")
	}
	if err != nil {
		return nil, err
	}
	return []sdk.Event{e}, nil
}
