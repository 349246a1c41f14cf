// Package provider reads GitHub's webhooks. It is apart from the command so that
// it can run in another process than a plugin's: in benchmarks, and in the
// tests of other modules.
package provider

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

const (
	signatureHeader = "X-Hub-Signature-256"
	legacyHeader    = "X-Hub-Signature" // SHA-1, sent beside the other; never enough
	eventHeader     = "X-GitHub-Event"
	deliveryHeader  = "X-GitHub-Delivery"
)

// Provider reads GitHub's webhooks. It is never changed once it is made.
type Provider struct {
	version string
	forms   map[string]*form // by event name
	generic *form            // for events that forms does not know
}

// New returns the provider; version is what it says of itself.
func New(version string) *Provider {
	p := &Provider{version: version, forms: map[string]*form{}, generic: newForm(nil)}
	for event, places := range layouts() {
		p.forms[event] = newForm(places)
	}
	return p
}

// Verify takes the SHA-256 signature over the raw body and nothing else. The
// event name and the delivery id are not signed by GitHub.
func (p *Provider) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, signatureHeader, "sha256=")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, secretField, signature, req.Body)
}

// Parse makes one event of a request, and none of a ping.
func (p *Provider) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	name, err := sdk.SingleHeader(req.Header, eventHeader)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, sdk.Unparseable("no header %s", eventHeader)
	}
	delivery, err := sdk.SingleHeader(req.Header, deliveryHeader)
	if err != nil {
		return nil, err
	}
	payload, err := payloadOf(req)
	if err != nil {
		return nil, err
	}
	f := p.forms[name]
	if f == nil {
		f = p.generic
	}
	r, err := f.read(payload)
	if err != nil {
		return nil, err
	}
	if name == "ping" {
		return nil, nil
	}
	return []sdk.Event{eventOf(name, delivery, r)}, nil
}

// payloadOf returns the JSON of a request. The API makes hooks that send forms
// unless told otherwise, so both content types are common.
func payloadOf(req sdk.Request) ([]byte, error) {
	mediaType, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded") {
		return req.Body, nil
	}
	// Within a field "&" is escaped. GitHub sends no second field, and two
	// payloads could be read differently by others.
	field, ok := bytes.CutPrefix(req.Body, []byte("payload="))
	if !ok || bytes.IndexByte(field, '&') >= 0 {
		return nil, sdk.Unparseable("the form is not one field named payload")
	}
	payload, ok := unescape(field)
	if !ok {
		return nil, sdk.Unparseable("the form is not percent-encoded")
	}
	return payload, nil
}

// unescape is url.QueryUnescape for bytes, in half its time: a quarter of a
// form is escapes, and without the copies to a string and back.
func unescape(field []byte) ([]byte, bool) {
	out := make([]byte, 0, len(field))
	for i := 0; i < len(field); i++ {
		switch c := field[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			var b [1]byte
			if i+3 > len(field) {
				return nil, false
			}
			if _, err := hex.Decode(b[:], field[i+1:i+3]); err != nil {
				return nil, false
			}
			out = append(out, b[0])
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out, true
}
