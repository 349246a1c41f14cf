// Package provider reads results of Mintlify's builds. Mintlify documents no
// webhooks: what arrives is sent by a relay of the user's, in the shape that the
// original Action Llama took, or as Mintlify's API describes a deployment. It is
// apart from the command so that it can run in another process than a plugin's:
// in benchmarks, and in the tests of other modules.
package provider

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

const (
	signatureHeader = "X-Mintlify-Signature"
	shorterHeader   = "Mintlify-Signature"
)

func signatureHeaders() []string { return []string{signatureHeader, shorterHeader} }

// Provider reads results of Mintlify's builds. It is never changed once it is
// made.
type Provider struct{ version string }

// New returns the provider; version is what it says of itself.
func New(version string) *Provider { return &Provider{version: version} }

// Verify takes the signature over the raw body, in either header. Of two, both
// have to hold. No time is signed.
func (p *Provider) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	var which sdk.Which
	checked := false
	for _, name := range signatureHeaders() {
		if len(req.Header.Values(name)) == 0 {
			continue
		}
		proved, err := verify(req, name, secrets)
		if err != nil {
			return nil, err
		}
		if checked { // over the same body, so by the same secrets
			proved = slices.DeleteFunc(proved, func(i int) bool { return !slices.Contains(which, i) })
		}
		which, checked = proved, true
	}
	if !checked {
		return nil, fmt.Errorf("%w: no header %s", sdk.ErrBadSignature, signatureHeader)
	}
	return which, nil
}

func verify(req sdk.Request, name string, secrets []sdk.Secret) (sdk.Which, error) {
	prefix := ""
	if strings.HasPrefix(req.Header.Get(name), "sha256=") { // as others sign
		prefix = "sha256="
	}
	signature, err := sdk.HexSignature(req.Header, name, prefix)
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, secretField, signature, req.Body)
}

// Parse makes one event of a result, and none of a body without an action.
func (p *Provider) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	if name := unknownSignature(req.Header); name != "" {
		return nil, sdk.Unparseable("header %s is a signature of a kind that this version does not know", name)
	}
	r, err := decode(req.Body)
	if err != nil {
		return nil, err
	}
	e, ok := r.event(req)
	if !ok {
		return nil, nil
	}
	return []sdk.Event{e}, nil
}

// unknownSignature finds what Mintlify may send one day. Its webhooks, if there
// ever are any, will not have this shape, and reading them as if would be a
// guess.
func unknownSignature(h http.Header) string {
	for name := range h {
		lower := strings.ToLower(name)
		known := slices.ContainsFunc(signatureHeaders(), func(k string) bool { return strings.EqualFold(k, name) })
		if !known && strings.Contains(lower, "mintlify") && strings.Contains(lower, "signature") {
			return http.CanonicalHeaderKey(name)
		}
	}
	return ""
}
