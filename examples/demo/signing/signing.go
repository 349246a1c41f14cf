// Package signing signs requests as the vendors do, for the programs of this
// repository that send deliveries: the demo, the benchmarks and the end-to-end
// tests. It is written after the vendors' documentation and shares no code with
// the providers, which check the same: a mistake in one of them shows.
package signing

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// Signer adds what a vendor proves itself with to the headers of a request.
type Signer func(h http.Header, key, body []byte, now time.Time)

// For returns the signer of a provider type.
func For(typ string) (Signer, bool) {
	s, ok := map[string]Signer{
		"github": GitHub, "sentry": Sentry, "linear": Linear, "slack": Slack,
		"discord": Discord, "twitter": Twitter, "mintlify": Mintlify,
	}[typ]
	return s, ok
}

// GitHub signs the body alone.
func GitHub(h http.Header, key, body []byte, _ time.Time) {
	h.Set("X-Hub-Signature-256", "sha256="+hexHMAC(key, body))
}

// Sentry signs the body; the timestamp beside it is not signed.
func Sentry(h http.Header, key, body []byte, now time.Time) {
	h.Set("Sentry-Hook-Timestamp", seconds(now))
	h.Set("Sentry-Hook-Signature", hexHMAC(key, body))
}

// Linear signs the body, which holds the time that counts.
func Linear(h http.Header, key, body []byte, now time.Time) {
	h.Set("Linear-Timestamp", strconv.FormatInt(now.UnixMilli(), 10))
	h.Set("Linear-Signature", hexHMAC(key, body))
}

// Slack signs version, time and body.
func Slack(h http.Header, key, body []byte, now time.Time) {
	h.Set("X-Slack-Request-Timestamp", seconds(now))
	h.Set("X-Slack-Signature", "v0="+hexHMAC(key, []byte("v0:"+seconds(now)+":"), body))
}

// Discord signs time and body with a private key, of which the gateway knows
// only the public one.
func Discord(h http.Header, key, body []byte, now time.Time) {
	h.Set("X-Signature-Timestamp", seconds(now))
	signature := ed25519.Sign(key, append([]byte(seconds(now)), body...))
	h.Set("X-Signature-Ed25519", hex.EncodeToString(signature))
}

// Twitter signs the body, in base64.
func Twitter(h http.Header, key, body []byte, _ time.Time) {
	h.Set("X-Twitter-Webhooks-Signature", "sha256="+base64HMAC(key, body))
}

// Mintlify, or rather a relay in its name, signs the body.
func Mintlify(h http.Header, key, body []byte, _ time.Time) {
	h.Set("X-Mintlify-Signature", hexHMAC(key, body))
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func hexHMAC(key []byte, message ...[]byte) string {
	return hex.EncodeToString(hmacSHA256(key, message...))
}

// ChallengeResponse is what X expects for a crc_token.
func ChallengeResponse(key []byte, token string) string {
	return "sha256=" + base64HMAC(key, []byte(token))
}

func base64HMAC(key []byte, message ...[]byte) string {
	return base64.StdEncoding.EncodeToString(hmacSHA256(key, message...))
}

func hmacSHA256(key []byte, message ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range message {
		mac.Write(part)
	}
	return mac.Sum(nil)
}
