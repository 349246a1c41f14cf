// Package provider reads X's webhooks: the Activity API, the filtered stream and
// the older Account Activity API, which all post to one address. It is apart
// from the command so that it can run in another process than a plugin's: in
// benchmarks, and in the tests of other modules.
package provider

import (
	"context"
	"fmt"
	"net/http"

	"github.com/action-llama/gateway/sdk"
)

const signatureHeader = "X-Twitter-Webhooks-Signature"

// Provider reads X's webhooks. It is never changed once it is made.
type Provider struct {
	version    string
	accounts   map[string]accountReader  // by key of the payload
	activities map[string]activityReader // by what stands before the dot in the event's type
}

// New returns the provider; version is what it says of itself.
func New(version string) *Provider {
	return &Provider{version: version, accounts: accountReaders(), activities: activityReaders()}
}

// Verify takes the signature over the raw body. X signs no time and no id.
//
// A GET is the challenge, and proves nobody: its signature, if it has one, can
// be had from the challenge itself. Challenge uses it to choose a secret.
func (p *Provider) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	if req.Method == http.MethodGet {
		return nil, nil
	}
	signature, err := sdk.Base64Signature(req.Header, signatureHeader, signaturePrefix)
	if err != nil {
		return nil, err
	}
	which, err := sdk.VerifyHMACSHA256(secrets, secretField, signature, req.Body)
	if err != nil {
		return nil, err
	}
	// The challenge signs such texts for anybody, in this very form.
	if isToken(req.Body) {
		return nil, fmt.Errorf("%w: the body is one that the challenge would sign for a stranger", sdk.ErrBadSignature)
	}
	return which, nil
}

// Challenge answers every GET, and deliveries in which nothing happened: X
// wants an empty answer to those as well.
func (p *Provider) Challenge(_ context.Context, req sdk.Request, secrets []sdk.Secret) (*sdk.Reply, error) {
	if req.Method == http.MethodGet {
		return answer(req, secrets)
	}
	if isQuiet(req.Body) {
		return empty(), nil
	}
	return nil, nil
}

// Parse makes one event of each entry of the payload, in its order.
func (p *Provider) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	if req.Method == http.MethodGet {
		return nil, nil
	}
	var b body
	if err := decode(req.Body, &b); err != nil {
		return nil, err
	}
	var drafts []draft
	switch {
	case !b.data.ok():
		drafts = p.readAccount(&b)
	case b.data.get().EventType != "":
		drafts = []draft{p.readActivity(b.data.get())}
	default:
		drafts = []draft{readStream(&b)}
	}
	events := make([]sdk.Event, 0, len(drafts))
	for i := range drafts {
		events = append(events, drafts[i].finish())
	}
	return events, nil
}

// empty is all that X wants to read.
func empty() *sdk.Reply { return &sdk.Reply{Status: http.StatusOK} }
