package provider

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

const testSecret = "example-consumer-secret"

// A signature is taken exactly when it is the one that the secret makes, over
// a body that the challenge does not sign.
func FuzzVerify(f *testing.F) {
	f.Add(testSecret, deletionSigned, []byte(deletion))
	f.Add(testSecret, "sha256=zmXwZkc75rOAEHtwH6+v3KLQHyuOpnJAKNtXo2lK9gY=", []byte("foo"))
	f.Add("", sign("", nil), []byte{})
	f.Add(testSecret, "sha256=", []byte("{}"))
	p := New("test")
	f.Fuzz(func(t *testing.T, secret, signature string, body []byte) {
		for _, header := range []string{signature, sign(secret, body)} {
			req := delivery(body)
			req.Header.Set(signatureHeader, header)
			which, err := p.Verify(t.Context(), req, secretsOf(secret))
			good := secret != "" && hmac.Equal([]byte(header), []byte(sign(secret, body))) && !isToken(body)
			switch {
			case good && (err != nil || len(which) != 1):
				t.Fatalf("refused: %v", err)
			case !good && !errors.Is(err, sdk.ErrBadSignature) && (secret != "" || !errors.Is(err, sdk.ErrCredential)):
				t.Fatalf("which %v, error %v", which, err)
			}
		}
	})
}

func secretsOf(texts ...string) []sdk.Secret { return ofSource("bot", texts...) }

func ofSource(source string, texts ...string) []sdk.Secret {
	var secrets []sdk.Secret
	for i, text := range texts {
		secrets = append(secrets, sdk.Secret{Source: source, Instance: fmt.Sprint("key", i), Fields: map[string]string{secretField: text}})
	}
	return secrets
}

// delivery is an unsigned request.
func delivery(body []byte) sdk.Request {
	req := sdk.Request{Method: http.MethodPost, Path: "/webhooks/twitter", Header: http.Header{}, Body: body}
	req.Header.Set("Content-Type", "application/json")
	return req
}
