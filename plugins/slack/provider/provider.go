// Package provider reads what Slack sends to a request URL: events, slash
// commands and interactions. It is apart from the command so that it can run in
// another process than a plugin's: in benchmarks, and in the tests of other
// modules.
package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	signatureHeader = "X-Slack-Signature"
	timestampHeader = "X-Slack-Request-Timestamp"

	tolerance = 5 * time.Minute // as Slack documents and its own libraries have it

	// maxProbe bounds the one body that is read without a signature. Slack's
	// probe has two short fields.
	maxProbe = 16 << 10
)

// Provider reads Slack's requests. It is never changed once it is made.
type Provider struct {
	version string
	decoder decoder
}

// New returns the provider; version is what it says of itself.
func New(version string) *Provider {
	return &Provider{version: version, decoder: newDecoder()}
}

// Verify takes the v0 signature over the timestamp and the raw body. The one
// request that Slack does not sign is its probe of the TLS certificate.
func (p *Provider) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	if len(req.Header.Values(signatureHeader)) == 0 && len(req.Body) <= maxProbe && isProbe(req) {
		return nil, nil
	}
	signature, err := sdk.HexSignature(req.Header, signatureHeader, "v0=")
	if err != nil {
		return nil, err
	}
	at, err := sdk.SignedHeader(req.Header, timestampHeader)
	if err != nil {
		return nil, err
	}
	which, err := sdk.VerifyHMACSHA256(secrets, secretField, signature, []byte("v0:"), []byte(at), []byte(":"), req.Body)
	if err != nil {
		return nil, err
	}
	if err := sdk.CheckTimestamp(at, req.ReceivedAt, tolerance); err != nil {
		return nil, err
	}
	return which, nil
}

// Challenge answers what starts nothing: the check of a request URL, the probe
// of its certificate, and the notice that Slack holds events back.
func (p *Provider) Challenge(_ context.Context, req sdk.Request, _ []sdk.Secret) (*sdk.Reply, error) {
	if isProbe(req) {
		return empty(), nil
	}
	// Nearly every request is none of these: they are not read twice for it.
	// A message that talks of them is, and comes out as what it is.
	if isForm(req) || !bytes.Contains(req.Body, []byte(typeVerification)) && !bytes.Contains(req.Body, []byte(typeRateLimited)) {
		return nil, nil
	}
	var notice struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if err := p.decoder.read(req.Body, &notice); err != nil {
		return nil, err
	}
	switch notice.Type {
	case typeRateLimited:
		return empty(), nil
	case typeVerification:
		if notice.Challenge == "" {
			return nil, sdk.Unparseable("%s has no challenge", typeVerification)
		}
		body, err := json.Marshal(map[string]string{"challenge": notice.Challenge})
		if err != nil {
			return nil, sdk.Unparseable("the challenge is no text")
		}
		return jsonReply(body), nil
	}
	return nil, nil
}

// Parse makes one event of a request, and none of those that Challenge answers.
func (p *Provider) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	if !isForm(req) {
		return p.callback(req)
	}
	f, err := readForm(req.Body)
	if err != nil {
		return nil, err
	}
	switch {
	case f["ssl_check"] == "1":
		return nil, nil
	case f["payload"] != "":
		return p.interaction(req, f["payload"])
	case f["command"] != "":
		return []sdk.Event{command(req, f)}, nil
	default:
		return nil, sdk.Unparseable("the form has neither a payload nor a command")
	}
}

// empty is the answer that Slack wants nearly always. For view_submission it is
// the only one: any body keeps the modal open and shows an error.
func empty() *sdk.Reply { return &sdk.Reply{Status: http.StatusOK} }

func jsonReply(body []byte) *sdk.Reply {
	return &sdk.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}
