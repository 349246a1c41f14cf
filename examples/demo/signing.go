package main

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

// signer adds what a vendor proves itself with to the headers of a request.
type signer func(h http.Header, key, body []byte, now time.Time)

func signSentry(h http.Header, key, body []byte, now time.Time) {
	h.Set("Sentry-Hook-Timestamp", seconds(now))
	h.Set("Sentry-Hook-Signature", hexHMAC(key, body))
}

// The time that counts at Linear is in the body.
func signLinear(h http.Header, key, body []byte, now time.Time) {
	h.Set("Linear-Timestamp", strconv.FormatInt(now.UnixMilli(), 10))
	h.Set("Linear-Signature", hexHMAC(key, body))
}

func signSlack(h http.Header, key, body []byte, now time.Time) {
	h.Set("X-Slack-Request-Timestamp", seconds(now))
	h.Set("X-Slack-Signature", "v0="+hexHMAC(key, []byte("v0:"+seconds(now)+":"), body))
}

// The key is a private one, and the gateway only knows the public one.
func signDiscord(h http.Header, key, body []byte, now time.Time) {
	h.Set("X-Signature-Timestamp", seconds(now))
	signature := ed25519.Sign(key, append([]byte(seconds(now)), body...))
	h.Set("X-Signature-Ed25519", hex.EncodeToString(signature))
}

func signTwitter(h http.Header, key, body []byte, _ time.Time) {
	h.Set("X-Twitter-Webhooks-Signature", "sha256="+base64HMAC(key, body))
}

func signMintlify(h http.Header, key, body []byte, _ time.Time) {
	h.Set("X-Mintlify-Signature", hexHMAC(key, body))
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func hexHMAC(key []byte, message ...[]byte) string {
	return hex.EncodeToString(hmacSHA256(key, message...))
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
