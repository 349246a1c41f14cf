// Package provider reads what senders post of whom only the source's settings
// say how they sign, and where in a body something is. It knows no vendor.
package provider

import (
	"context"
	"crypto/sha1" // as a MAC it is not broken, and some senders have nothing else
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// Provider implements sdk.Provider. It has no state.
type Provider struct {
	version string
}

var (
	_ sdk.Sampler         = (*Provider)(nil)
	_ sdk.SettingsChecker = (*Provider)(nil)
)

// New returns a provider of the given version.
func New(version string) *Provider { return &Provider{version: version} }

// Verify says whose secret signed the request, in the way that the settings say.
func (p *Provider) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	s := req.Settings
	header := s.Text(setHeader)
	switch s.Text(setScheme) {
	case schemeHMAC:
		return verifyHMAC(req, secrets)
	case schemeTimestamped:
		return sdk.VerifyTimestampedHMAC(req, secrets, secretField, header, s.Duration(setTolerance))
	case schemeStandard:
		return sdk.VerifyStandardWebhooks(standard(req), secrets, secretField, s.Duration(setTolerance))
	case schemeToken:
		return sdk.VerifyToken(req.Header, secrets, secretField, header, s.Text(setPrefix))
	case schemeBasic:
		return sdk.VerifyBasicAuth(req.Header, secrets, userField, secretField)
	default: // the host checks it, so this is a host's fault
		return nil, fmt.Errorf("%w: the setting %s is none of this version", sdk.ErrCredential, setScheme)
	}
}

func verifyHMAC(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	s := req.Settings
	read := sdk.HexSignature
	if s.Text(setEncoding) == encodingBase64 {
		read = sdk.Base64Signature
	}
	signature, err := read(req.Header, s.Text(setHeader), s.Text(setPrefix))
	if err != nil {
		return nil, err
	}
	message, err := signedText(req.Header, s, req.Body)
	if err != nil {
		return nil, err
	}
	which, err := hmacOf(s).Verify(secrets, secretField, signature, message...)
	if err != nil || !s.Has(setTimestamp) {
		return which, err
	}
	return which, checkTime(req.Header.Get(s.Text(setTimestamp)), s, req.ReceivedAt)
}

// hmacOf is the way to sign that settings describe.
func hmacOf(s sdk.Settings) sdk.HMAC {
	h := sdk.HMAC{Hash: sha256.New}
	switch s.Text(setAlgorithm) {
	case "sha1":
		h.Hash = func() hash.Hash { return sha1.New() }
	case "sha512":
		h.Hash = sha512.New
	}
	// What the decoders say of a secret quotes it.
	switch s.Text(setSecretEncoding) {
	case encodingHex:
		h.Key = func(secret string) ([]byte, error) {
			key, err := hex.DecodeString(secret)
			if err != nil || len(key) == 0 {
				return nil, errors.New("not hex, which the setting secretEncoding says")
			}
			return key, nil
		}
	case encodingBase64:
		h.Key = func(secret string) ([]byte, error) {
			key, err := base64.StdEncoding.DecodeString(secret)
			if err != nil || len(key) == 0 {
				return nil, errors.New("not base64, which the setting secretEncoding says")
			}
			return key, nil
		}
	}
	return h
}

const (
	markBody      = "{body}"
	markTimestamp = "{timestamp}"
	markID        = "{id}"
)

// signedText puts together what is signed, as the setting signed says, without
// copying the body.
func signedText(h http.Header, s sdk.Settings, body []byte) ([][]byte, error) {
	before, behind, _ := strings.Cut(s.Text(setSigned), markBody)
	var values []string
	for mark, name := range map[string]string{markTimestamp: s.Text(setTimestamp), markID: headerOf(s.Text(setDeliveryID))} {
		if !strings.Contains(s.Text(setSigned), mark) {
			continue
		}
		value, err := sdk.SignedHeader(h, name)
		if err != nil {
			return nil, err
		}
		values = append(values, mark, value)
	}
	fill := strings.NewReplacer(values...)
	return [][]byte{[]byte(fill.Replace(before)), body, []byte(fill.Replace(behind))}, nil
}

// checkTime judges a time that is signed.
func checkTime(text string, s sdk.Settings, receivedAt time.Time) error {
	switch s.Text(setTimestampFormat) {
	case formatMillis:
		n, err := strconv.ParseUint(text, 10, 50)
		if err != nil {
			return fmt.Errorf("%w: the signed timestamp is not a number of milliseconds", sdk.ErrBadSignature)
		}
		text = strconv.FormatUint(n/1000, 10)
	case formatRFC3339:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || at.Unix() < 0 {
			return fmt.Errorf("%w: the signed timestamp is not a time as in 2026-03-01T12:30:00Z", sdk.ErrBadSignature)
		}
		text = strconv.FormatInt(at.Unix(), 10)
	}
	return sdk.CheckTimestamp(text, receivedAt, s.Duration(setTolerance))
}

// The headers of Standard Webhooks, behind what senders begin them with.
const (
	standardID        = "Id"
	standardTimestamp = "Timestamp"
	standardSignature = "Signature"
)

// standardPrefix is what the names of the headers begin with: Webhook- in the
// specification, Svix- and others with those who had them before.
func standardPrefix(s sdk.Settings) (string, bool) {
	name := http.CanonicalHeaderKey(s.Text(setHeader))
	prefix, ok := strings.CutSuffix(name, standardSignature)
	return prefix, ok && strings.HasSuffix(prefix, "-")
}

// standard gives the headers the names of the specification.
func standard(req sdk.Request) sdk.Request {
	prefix, _ := standardPrefix(req.Settings)
	h := http.Header{}
	for _, name := range []string{standardID, standardTimestamp, standardSignature} {
		if values := req.Header.Values(prefix + name); len(values) > 0 {
			h["Webhook-"+name] = values
		}
	}
	req.Header = h
	return req
}
