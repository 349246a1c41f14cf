package provider

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// X checks from time to time who listens: it sends a token by GET and wants it
// signed. That makes every listener sign whatever a stranger asks for, with the
// same key and in the same form that deliveries are signed. So that nobody can
// have a delivery signed, only texts are signed that no delivery consists of.

const (
	signaturePrefix = "sha256="
	// X's tokens have about 50 characters.
	maxToken = 256
)

// isToken says that the challenge would sign a text. A JSON object needs braces
// and so is none.
func isToken[T string | []byte](text T) bool {
	if len(text) == 0 || len(text) > maxToken {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case strings.IndexByte("+/=_-.~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// tokenOf returns the token of a challenge.
func tokenOf(query string) (string, bool) {
	values, err := url.ParseQuery(query)
	if err != nil || len(values["crc_token"]) != 1 {
		return "", false
	}
	// A "+" that was not escaped has become a space, which no token has.
	token := strings.ReplaceAll(values["crc_token"][0], " ", "+")
	return token, isToken(token)
}

func answer(req sdk.Request, secrets []sdk.Secret) (*sdk.Reply, error) {
	token, ok := tokenOf(req.Query)
	if !ok {
		return &sdk.Reply{
			Status: http.StatusBadRequest,
			Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
			Body:   []byte("GET is for X's challenge, with one crc_token of up to 256 letters, digits and + / = _ - . ~\n"),
		}, nil
	}
	key, err := keyFor(req, secrets)
	if err != nil {
		return nil, err
	}
	return &sdk.Reply{
		Status: http.StatusOK,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   []byte(`{"response_token":"` + sign(key, []byte(token)) + `"}`),
	}, nil
}

// keyFor returns the secret that a challenge is about. X does not say which of
// several apps asks, unless it signs the question, which it does not always do.
// A wrong answer has it stop deliveries at once, no answer only after a day: so
// between apps there is no guessing.
//
// Several secrets of one source are no guess. They are one app's while its
// secret is replaced, in the order of the configuration, and X made the last of
// them: it voids the one before at once. For what a stranger can do with the
// answer it makes no difference which it is. What is signed is never taken for
// a delivery, by none of the secrets.
//
// A signature that fits none is no reason to refuse. It can be left out just as
// well, and X does not say well enough what it would sign.
func keyFor(req sdk.Request, secrets []sdk.Secret) (string, error) {
	usable := slices.DeleteFunc(slices.Clone(secrets), func(s sdk.Secret) bool { return s.Fields[secretField] == "" })
	if len(usable) == 0 {
		if len(secrets) > 0 {
			return "", fmt.Errorf("%w: the challenge can not be answered: field %q of %q is empty", sdk.ErrCredential, secretField, credentialType)
		}
		return "", fmt.Errorf("%w: the challenge can not be answered without a credential %q", sdk.ErrBadSignature, credentialType)
	}
	if signature, err := sdk.Base64Signature(req.Header, signatureHeader, signaturePrefix); err == nil {
		for _, s := range usable {
			if key := s.Fields[secretField]; hmac.Equal(signature, sum(key, []byte(req.Query))) {
				return key, nil
			}
		}
	}
	newest := map[string]string{} // by source
	for _, s := range usable {
		newest[s.Source] = s.Fields[secretField]
	}
	last := usable[len(usable)-1].Fields[secretField]
	for _, key := range newest {
		if key != last {
			return "", fmt.Errorf("%w: the challenge is for one of %d sources and does not say which; register the address of one source (/webhooks/twitter/<source>) for each app", sdk.ErrBadSignature, len(newest))
		}
	}
	return last, nil
}

func sign(key string, text []byte) string {
	return signaturePrefix + base64.StdEncoding.EncodeToString(sum(key, text))
}

func sum(key string, text []byte) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(text)
	return mac.Sum(nil)
}
