package sdk

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The schemes by which vendors sign, each as one call, so that a provider
// contains no cryptography of its own. All of them take the raw bytes, compare
// in constant time, try every secret, and report a sender's fault as
// ErrBadSignature.

// maxSignatures bounds how many signatures one header may offer. Vendors send
// one for each live secret, two during a rotation.
const maxSignatures = 10

// VerifyTimestampedHMAC checks a header of the form "t=1700000000,v1=hex", as
// Stripe and its followers send it: HMAC-SHA256 over the time, a dot and the
// body, in lower-case hex. The header may hold several v1 items, of which one
// has to fit; items of other names are passed over. The time may differ from the
// time of receipt by the tolerance, in either direction; beyond, the error is
// [ErrStale]. See [VerifyHMACSHA256] for the secrets.
func VerifyTimestampedHMAC(req Request, secrets []Secret, field, header string, tolerance time.Duration) (Which, error) {
	text, err := signatureText(req.Header, header, "")
	if err != nil {
		return nil, err
	}
	seconds, times := "", 0
	var signatures [][]byte
	for item := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		switch name {
		case "t":
			seconds = value
			times++
		case "v1":
			sig, err := hex.DecodeString(value)
			if err != nil || hex.EncodeToString(sig) != value || len(signatures) == maxSignatures {
				return nil, fmt.Errorf("%w: header %s has an item v1 that is not lower-case hex, or too many of them", ErrBadSignature, header)
			}
			signatures = append(signatures, sig)
		}
	}
	if times != 1 || len(signatures) == 0 {
		return nil, fmt.Errorf("%w: header %s needs one item t and an item v1", ErrBadSignature, header)
	}
	which, err := verifyAny(secrets, field, func(key string) ([]byte, error) { return []byte(key), nil },
		signatures, []byte(seconds), []byte("."), req.Body)
	if err != nil {
		return nil, err
	}
	return which, CheckTimestamp(seconds, req.ReceivedAt, tolerance)
}

// StandardWebhooksTolerance is what the libraries of Standard Webhooks allow
// between the signed time and the time of receipt.
const StandardWebhooksTolerance = 5 * time.Minute

// StandardWebhooksID is the header with the delivery's id, the same on every
// retry. It is among what is signed.
const StandardWebhooksID = "Webhook-Id"

// VerifyStandardWebhooks checks a request that follows Standard Webhooks
// (standardwebhooks.com), version 1 with a shared secret: headers webhook-id,
// webhook-timestamp and webhook-signature, the latter a list "v1,base64
// v1,base64" of which one has to fit, over id, timestamp and body joined by dots.
// The secret is base64, with or without "whsec_" in front; one that is not is
// [ErrCredential]. Signatures of other versions are passed over.
func VerifyStandardWebhooks(req Request, secrets []Secret, field string, tolerance time.Duration) (Which, error) {
	id, err := signatureText(req.Header, StandardWebhooksID, "")
	if err != nil {
		return nil, err
	}
	seconds, err := signatureText(req.Header, "Webhook-Timestamp", "")
	if err != nil {
		return nil, err
	}
	list, err := signatureText(req.Header, "Webhook-Signature", "")
	if err != nil {
		return nil, err
	}
	var signatures [][]byte
	for item := range strings.SplitSeq(list, " ") {
		text, ok := strings.CutPrefix(item, "v1,")
		if !ok {
			continue
		}
		sig, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(signatures) == maxSignatures {
			return nil, fmt.Errorf("%w: header Webhook-Signature has an item that is not base64, or too many of them", ErrBadSignature)
		}
		signatures = append(signatures, sig)
	}
	if len(signatures) == 0 {
		return nil, fmt.Errorf("%w: header Webhook-Signature has no item of version 1", ErrBadSignature)
	}
	which, err := verifyAny(secrets, field, standardWebhooksKey, signatures,
		[]byte(id), []byte("."), []byte(seconds), []byte("."), req.Body)
	if err != nil {
		return nil, err
	}
	return which, CheckTimestamp(seconds, req.ReceivedAt, tolerance)
}

func standardWebhooksKey(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		return nil, errors.New(`not base64, with or without "whsec_" in front`)
	}
	return key, nil
}

// verifyAny says which secrets made one of several signatures by HMAC-SHA256.
func verifyAny(secrets []Secret, field string, keyOf func(string) ([]byte, error), signatures [][]byte, message ...[]byte) (Which, error) {
	return verify(secrets, field, func(secret string) (bool, error) {
		key, err := keyOf(secret)
		if err != nil {
			return false, err
		}
		mac := hmac.New(sha256.New, key)
		for _, part := range message {
			mac.Write(part)
		}
		sum := mac.Sum(nil)
		fits := false
		for _, sig := range signatures {
			fits = hmac.Equal(sum, sig) || fits
		}
		return fits, nil
	})
}

// VerifyToken says which secrets are the token in a header, behind a prefix
// such as "Bearer " (which may be empty). A token proves who knows it, but not
// what was sent: use it only for vendors that offer nothing better. Name the
// header in Descriptor.SignatureHeaders, so that it is not stored.
func VerifyToken(h http.Header, secrets []Secret, field, header, prefix string) (Which, error) {
	token, err := signatureText(h, header, prefix)
	if err != nil {
		return nil, err
	}
	return verify(secrets, field, func(key string) (bool, error) { return sameText(key, token), nil })
}

// VerifyBasicAuth says which secrets are the user and the password that a
// request carries by HTTP Basic authentication. What is said of [VerifyToken]
// holds here, too; the header is Authorization.
func VerifyBasicAuth(h http.Header, secrets []Secret, userField, passwordField string) (Which, error) {
	text, err := signatureText(h, "Authorization", "Basic ")
	if err != nil {
		return nil, err
	}
	given, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: header Authorization is not base64", ErrBadSignature)
	}
	// Joined as they are sent: a user's name can hold no colon.
	joined := make([]Secret, len(secrets))
	for i, s := range secrets {
		joined[i] = Secret{Source: s.Source, Instance: s.Instance}
		if user, password := s.Fields[userField], s.Fields[passwordField]; user != "" && password != "" {
			joined[i].Fields = map[string]string{passwordField: user + ":" + password}
		}
	}
	return verify(joined, passwordField, func(both string) (bool, error) { return sameText(both, string(given)), nil })
}

// sameText compares in a time that tells neither the texts nor their lengths.
func sameText(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// SignTimestampedHMAC returns the header that [VerifyTimestampedHMAC] checks. It
// is for tests and for tools that send deliveries.
func SignTimestampedHMAC(key string, at time.Time, body []byte) string {
	seconds := fmt.Sprint(at.Unix())
	return "t=" + seconds + ",v1=" + SignHMACSHA256("", key, []byte(seconds), []byte("."), body)
}

// SignStandardWebhooks adds the headers that [VerifyStandardWebhooks] checks. It
// is for tests and for tools that send deliveries. A secret that is not base64
// is an error.
func SignStandardWebhooks(h http.Header, secret, id string, at time.Time, body []byte) error {
	key, err := standardWebhooksKey(secret)
	if err != nil {
		return fmt.Errorf("%w: the secret is %w", ErrCredential, err)
	}
	seconds := fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, seconds)
	mac.Write(body)
	h.Set(StandardWebhooksID, id)
	h.Set("Webhook-Timestamp", seconds)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}
