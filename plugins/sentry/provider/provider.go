// Package provider reads Sentry's webhooks: those of its integration platform,
// not the older service hooks of a project, nor the legacy WebHooks plugin. It
// is apart from the command so that it can run in another process than a
// plugin's: in benchmarks, and in the tests of other modules.
package provider

import (
	"context"

	"github.com/action-llama/gateway/sdk"
)

const (
	signatureHeader   = "Sentry-Hook-Signature"
	componentHeader   = "Sentry-App-Signature"    // instead of it, on calls that UI components make
	serviceHookHeader = "X-ServiceHook-Signature" // of service hooks, with a secret of their own; never enough
	resourceHeader    = "Sentry-Hook-Resource"
	timestampHeader   = "Sentry-Hook-Timestamp"
	deliveryHeader    = "Request-ID"
)

// Provider reads Sentry's webhooks. It is never changed once it is made.
type Provider struct {
	version string
	forms   map[string]*form // by resource
	generic *form            // for resources that forms does not know
}

// New returns the provider; version is what it says of itself.
func New(version string) *Provider {
	p := &Provider{version: version, forms: map[string]*form{}, generic: newForm(layout{})}
	for resource, l := range layouts() {
		p.forms[resource] = newForm(l)
	}
	return p
}

// Verify takes the signature over the raw body and nothing else: Sentry signs
// neither the resource nor the timestamp nor the request's id. A window on the
// timestamp would therefore stop nobody, and lose what Sentry's own queue
// delays.
func (p *Provider) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	header := signatureHeader
	if len(req.Header.Values(signatureHeader)) == 0 && len(req.Header.Values(componentHeader)) > 0 {
		header = componentHeader
	}
	signature, err := sdk.HexSignature(req.Header, header, "")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, secretField, signature, req.Body)
}

// Parse makes one event of a request.
//
// The body does not say which resource it is about, and the header that does is
// not signed. A body that lacks what its resource is made of is refused, or a
// recorded delivery could be passed off as another kind of event.
func (p *Provider) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	var head struct{ resource, delivery, timestamp string }
	for _, h := range []struct {
		name string
		to   *string
	}{{resourceHeader, &head.resource}, {deliveryHeader, &head.delivery}, {timestampHeader, &head.timestamp}} {
		value, err := sdk.SingleHeader(req.Header, h.name)
		if err != nil {
			return nil, err
		}
		*h.to = value
	}
	if head.resource == "" {
		return nil, sdk.Unparseable("no header %s", resourceHeader)
	}
	f := p.forms[head.resource]
	if f == nil {
		f = p.generic
	}
	r, err := f.read(req.Body)
	if err != nil {
		return nil, err
	}
	if !r.holds() {
		return nil, sdk.Unparseable("header %s says %q, and the payload has no %s", resourceHeader, head.resource, f.promise)
	}
	e := eventOf(head.resource, r)
	e.DeliveryID = head.delivery
	if e.Timestamp.IsZero() {
		e.Timestamp = unixTime(head.timestamp)
	}
	return []sdk.Event{e}, nil
}
