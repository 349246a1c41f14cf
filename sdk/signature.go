package sdk

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"time"
)

// HexSignature reads a signature in lower-case hex behind a prefix (which may
// be empty) from the header with the given name. A missing or doubled header,
// another prefix and anything that is not lower-case hex are ErrBadSignature.
func HexSignature(h http.Header, name, prefix string) ([]byte, error) {
	text, err := signatureText(h, name, prefix)
	if err != nil {
		return nil, err
	}
	sig, err := hex.DecodeString(text)
	if err != nil || hex.EncodeToString(sig) != text {
		return nil, fmt.Errorf("%w: header %s is not lower-case hex", ErrBadSignature, name)
	}
	return sig, nil
}

// Base64Signature reads a signature in padded standard base64 behind a prefix.
// See [HexSignature] for what is refused.
func Base64Signature(h http.Header, name, prefix string) ([]byte, error) {
	text, err := signatureText(h, name, prefix)
	if err != nil {
		return nil, err
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(sig) != text {
		return nil, fmt.Errorf("%w: header %s is not base64", ErrBadSignature, name)
	}
	return sig, nil
}

func signatureText(h http.Header, name, prefix string) (string, error) {
	values := h.Values(name)
	switch {
	case len(values) == 0:
		return "", fmt.Errorf("%w: no header %s", ErrBadSignature, name)
	case len(values) > 1:
		return "", fmt.Errorf("%w: header %s comes %d times", ErrBadSignature, name, len(values))
	}
	value := values[0]
	if len(value) <= len(prefix) || value[:len(prefix)] != prefix {
		return "", fmt.Errorf("%w: header %s does not begin with %q", ErrBadSignature, name, prefix)
	}
	return value[len(prefix):], nil
}

// VerifyHMACSHA256 says which secrets made the signature over the parts of a
// message, using the given field of each as key, its bytes as they are. Every
// secret is tried, so that the time taken does not tell which matched.
//
// A secret whose field is missing or empty never matches; when none of them
// can be used the error is ErrCredential.
func VerifyHMACSHA256(secrets []Secret, field string, signature []byte, message ...[]byte) (Which, error) {
	return verify(secrets, field, func(key string) (bool, error) {
		mac := hmac.New(sha256.New, []byte(key))
		for _, part := range message {
			mac.Write(part)
		}
		var sum [sha256.Size]byte
		return hmac.Equal(mac.Sum(sum[:0]), signature), nil
	})
}

// HMAC is a way to sign with a shared secret, for vendors that do not take
// HMAC-SHA256 with the bytes of the secret as key. The zero value is that.
type HMAC struct {
	// Hash makes the hash function, such as sha512.New. Defaults to sha256.New.
	Hash func() hash.Hash
	// Key makes the key of a secret, for vendors whose secrets are base64 or hex.
	// Its error says what the secret is not, and must not quote it. Defaults to
	// the bytes of the secret.
	Key func(secret string) ([]byte, error)
}

// Verify says which secrets made the signature over the parts of a message. See
// [VerifyHMACSHA256]; a secret of which Key makes nothing can not be used.
func (h HMAC) Verify(secrets []Secret, field string, signature []byte, message ...[]byte) (Which, error) {
	return verify(secrets, field, func(secret string) (bool, error) {
		sum, err := h.sum(secret, message)
		return err == nil && hmac.Equal(sum, signature), err
	})
}

// Sign returns the signature that a vendor would send, as bytes. It is for tests
// and for tools that send deliveries. A secret of which Key makes nothing is
// [ErrCredential].
func (h HMAC) Sign(secret string, message ...[]byte) ([]byte, error) {
	sum, err := h.sum(secret, message)
	if err != nil {
		return nil, fmt.Errorf("%w: the secret is %w", ErrCredential, err)
	}
	return sum, nil
}

func (h HMAC) sum(secret string, message [][]byte) ([]byte, error) {
	key := []byte(secret)
	if h.Key != nil {
		var err error
		if key, err = h.Key(secret); err != nil {
			return nil, err
		}
	}
	newHash := h.Hash
	if newHash == nil {
		newHash = sha256.New
	}
	mac := hmac.New(newHash, key)
	for _, part := range message {
		mac.Write(part)
	}
	return mac.Sum(nil), nil
}

// VerifyEd25519 says which public keys, given in hex in a field of each
// secret, belong to the signature over the parts of a message. See
// [VerifyHMACSHA256] for secrets that can not be used; a key of another length
// than 32 bytes is one.
func VerifyEd25519(secrets []Secret, field string, signature []byte, message ...[]byte) (Which, error) {
	whole := message[0]
	if len(message) > 1 {
		whole = nil
		for _, part := range message {
			whole = append(whole, part...)
		}
	}
	return verify(secrets, field, func(key string) (bool, error) {
		public, err := hex.DecodeString(key)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return false, fmt.Errorf("not a public key of %d hex digits", 2*ed25519.PublicKeySize)
		}
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(public, whole, signature), nil
	})
}

func verify(secrets []Secret, field string, matches func(key string) (bool, error)) (Which, error) {
	var which Which
	var unusable error
	usable := 0
	for i, secret := range secrets {
		key := secret.Fields[field]
		if key == "" {
			unusable = fmt.Errorf("%w: source %q, credential %q: field %q is empty", ErrCredential, secret.Source, secret.Instance, field)
			continue
		}
		ok, err := matches(key)
		if err != nil {
			unusable = fmt.Errorf("%w: source %q, credential %q: field %q is %w", ErrCredential, secret.Source, secret.Instance, field, err)
			continue
		}
		usable++
		if ok {
			which = append(which, i)
		}
	}
	switch {
	case len(which) > 0:
		return which, nil
	case usable == 0 && unusable != nil:
		return nil, unusable
	default:
		return nil, fmt.Errorf("%w: none of %d secrets fits", ErrBadSignature, len(secrets))
	}
}

// CheckTimestamp refuses, with [ErrStale], a signed Unix time in decimal
// seconds that differs from the time of receipt by more than the tolerance, in
// either direction. Anything but decimal digits is ErrBadSignature. Call it
// after the signature verified, or a stranger's clock is taken for a vendor's.
func CheckTimestamp(seconds string, receivedAt time.Time, tolerance time.Duration) error {
	n, err := strconv.ParseUint(seconds, 10, 40)
	if err != nil {
		return fmt.Errorf("%w: the signed timestamp is not a number of seconds", ErrBadSignature)
	}
	if off := receivedAt.Sub(time.Unix(int64(n), 0)).Abs(); off > tolerance {
		return fmt.Errorf("%w: off by %s, allowed are %s", ErrStale, off.Round(time.Second), tolerance)
	}
	return nil
}

// SignHMACSHA256 returns the signature that a vendor would send, in lower-case
// hex behind a prefix. It is for tests and for tools that send deliveries.
func SignHMACSHA256(prefix, key string, message ...[]byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	for _, part := range message {
		mac.Write(part)
	}
	return prefix + hex.EncodeToString(mac.Sum(nil))
}
