package provider

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

const testSecret = "example-consumer-secret"

// Computed apart from this code.
func TestVerifyVectors(t *testing.T) {
	t.Parallel()
	const utf8 = `{"data":{"event_uuid":"-2781149976877970683","filter":{"user_id":"1111111111111111111"},"event_type":"post.create","payload":{"id":"2080761390344937796","author_id":"1111111111111111111","text":"𝕏 café"}}}`
	for signature, body := range map[string]string{
		deletionSigned: deletion,
		"sha256=+DZ4C/9yQhrqbSTp8itNkYa3HUmYr43BPkSY//0Wdeo=": utf8,
	} {
		req := delivery([]byte(body))
		req.Header.Set(signatureHeader, signature)
		which, err := New("test").Verify(t.Context(), req, secretsOf(testSecret))
		if err != nil || !slices.Equal(which, sdk.Which{0}) {
			t.Errorf("%s: %v, %v", body, which, err)
		}
	}
	for token, want := range map[string]string{
		"foo":                              "sha256=zmXwZkc75rOAEHtwH6+v3KLQHyuOpnJAKNtXo2lK9gY=",
		"MTcwMDAwMDAwMC1leGFtcGxlLWNyYw==": "sha256=teNHeQQB3Q+Y7huNYeYOiKWhu6T9sXrZCgqrnvQheFI=",
	} {
		if got := responseTo(t, token); got != want {
			t.Errorf("%s: %s", token, got)
		}
	}
}

// The kit changes headers, bytes and secrets; these are the ways in which other
// vendors' signatures, and X's older ones, look.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	bare := strings.TrimPrefix(deletionSigned, "sha256=")
	for name, values := range map[string][]string{
		"missing":           nil,
		"empty":             {""},
		"prefix only":       {"sha256="},
		"no prefix":         {bare},
		"upper-case prefix": {"SHA256=" + bare},
		"not padded":        {strings.TrimSuffix(deletionSigned, "=")},
		"url alphabet":      {strings.NewReplacer("/", "_", "+", "-").Replace(deletionSigned)},
		"hex":               {sdk.SignHMACSHA256("sha256=", testSecret, []byte(deletion))},
		"doubled":           {deletionSigned, deletionSigned},
		"two in one":        {deletionSigned + "," + deletionSigned},
		"short":             {"sha256=H8ZT"},
		"line end":          {deletionSigned + "\n"},
		"of another app":    {sign("secret-of-another-app", []byte(deletion))},
		"with the api key":  {sign("example-consumer-key", []byte(deletion))},
		"of other bytes":    {sign(testSecret, []byte(deletion+"\n"))},
	} {
		req := delivery([]byte(deletion))
		if values != nil {
			req.Header[signatureHeader] = values
		}
		secrets := secretsOf(testSecret)
		secrets[0].Fields["consumer_key"] = "example-consumer-key"
		if which, err := New("test").Verify(t.Context(), req, secrets); !errors.Is(err, sdk.ErrBadSignature) || which != nil {
			t.Errorf("%s: %v, %v", name, which, err)
		}
	}
}

func TestVerifySecrets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		secrets []sdk.Secret
		want    sdk.Which
		err     error
	}{
		{"second of three", secretsOf("old", testSecret, "other"), sdk.Which{1}, nil},
		{"two sources share it", secretsOf(testSecret, "other", testSecret), sdk.Which{0, 2}, nil},
		{"an empty one beside it", secretsOf("", testSecret), sdk.Which{1}, nil},
		{"none", nil, nil, sdk.ErrBadSignature},
		{"none fits", secretsOf("old", "other"), nil, sdk.ErrBadSignature},
		{"empty", secretsOf(""), nil, sdk.ErrCredential},
		{"other fields", []sdk.Secret{{Source: "bot", Fields: map[string]string{"bearer_token": testSecret}}}, nil, sdk.ErrCredential},
	} {
		req := delivery([]byte(deletion))
		req.Header.Set(signatureHeader, deletionSigned)
		which, err := New("test").Verify(t.Context(), req, tt.secrets)
		if !slices.Equal(which, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, %v; want %v, %v", tt.name, which, err, tt.want, tt.err)
		}
	}
}

// A source without a credential takes unsigned deliveries, and answers them as
// X wants, but no bad signature.
func TestUnsigned(t *testing.T) {
	t.Parallel()
	allowed := sdk.DeliverOptions{AllowUnsigned: true}
	d, err := sdk.Deliver(t.Context(), New("test"), delivery([]byte(deletion)), nil, allowed)
	if err != nil || !d.Unsigned || len(d.Events) != 1 || d.Events[0].Taken == nil {
		t.Errorf("unsigned: %+v, %v", d, err)
	}
	d, err = sdk.Deliver(t.Context(), New("test"), delivery([]byte(`{"tweet_create_events":[]}`)), nil, allowed)
	if err != nil || d.Reply == nil || d.Reply.Status != http.StatusOK {
		t.Errorf("unsigned and quiet: %+v, %v", d, err)
	}
	req := delivery([]byte(deletion + " "))
	req.Header.Set(signatureHeader, deletionSigned)
	if _, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), allowed); !errors.Is(err, sdk.ErrBadSignature) {
		t.Errorf("badly signed: %v", err)
	}
}

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
