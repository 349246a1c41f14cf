package provider

import (
	"crypto/hmac"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

const (
	failedBuild  = `{"event":"build","action":"failed","project":"my-docs","branch":"main"}`
	failedSigned = "51ce0d8c300201d5a52a362b72cd0a76ed5406ac1da73e24e361a588f4918c31"
	otherSigned  = "18200f6045901de8958dd577638fc53c7d675ea80abc9b8f7bb2f419dae6fadf"
)

func TestVerifyHeaders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		long, shorter []string
		ok            bool
	}{
		{"long", []string{failedSigned}, nil, true},
		{"shorter", nil, []string{failedSigned}, true},
		{"both", []string{failedSigned}, []string{failedSigned}, true},
		{"with a prefix", []string{"sha256=" + failedSigned}, nil, true},
		{"both, one with a prefix", []string{failedSigned}, []string{"sha256=" + failedSigned}, true},
		{"both, the first wrong", []string{otherSigned}, []string{failedSigned}, false},
		{"both, the second wrong", []string{failedSigned}, []string{otherSigned}, false},
		{"both, the second empty", []string{failedSigned}, []string{""}, false},
		{"none", nil, nil, false},
		{"empty", []string{""}, nil, false},
		{"prefix only", []string{"sha256="}, nil, false},
		{"prefix twice", []string{"sha256=sha256=" + failedSigned}, nil, false},
		{"other prefix", []string{"sha1=" + failedSigned}, nil, false},
		{"upper case", []string{strings.ToUpper(failedSigned)}, nil, false},
		{"doubled", []string{failedSigned, failedSigned}, nil, false},
		{"doubled shorter", nil, []string{failedSigned, otherSigned}, false},
		{"cut off", []string{failedSigned[:62]}, nil, false},
	} {
		req := delivery([]byte(failedBuild))
		for name, values := range map[string][]string{signatureHeader: tt.long, shorterHeader: tt.shorter} {
			if values != nil {
				req.Header[name] = values
			}
		}
		which, err := New("test").Verify(t.Context(), req, secretsOf("other", testSecret))
		if tt.ok && (err != nil || !slices.Equal(which, sdk.Which{1})) || !tt.ok && (!errors.Is(err, sdk.ErrBadSignature) || which != nil) {
			t.Errorf("%s: %v, %v", tt.name, which, err)
		}
	}
}

// Should Mintlify ever sign webhooks of its own, they are refused until somebody
// has read how: also by a source that takes unsigned requests.
func TestUnknownSignatures(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{
		"X-Mintlify-Webhook-Signature": true,
		"mintlify-signature-v2":        true,
		"X-Mintlify-Delivery":          false,
		"Signature-Input":              false, // a proxy's
	} {
		req := delivery([]byte(failedBuild))
		req.Header[name] = []string{"v1=abc"}
		d, err := sdk.Deliver(t.Context(), New("test"), req, nil, sdk.DeliverOptions{AllowUnsigned: true})
		if refused != errors.Is(err, sdk.ErrUnparseable) || refused == (len(d.Events) == 1) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
		if _, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{}); !errors.Is(err, sdk.ErrBadSignature) {
			t.Errorf("%s, where a signature is needed: %v", name, err)
		}
	}
}

// A signature is taken exactly when it is the one that the secret makes.
func FuzzVerify(f *testing.F) {
	f.Add(testSecret, failedSigned, "", []byte(failedBuild))
	f.Add(testSecret, "sha256="+failedSigned, failedSigned, []byte(failedBuild))
	f.Add("", sdk.SignHMACSHA256("", "", nil), "", []byte{})
	p := New("test")
	f.Fuzz(func(t *testing.T, secret, long, shorter string, body []byte) {
		mine := sdk.SignHMACSHA256("", secret, body)
		for _, headers := range [][2]string{{long, shorter}, {mine, shorter}, {mine, mine}} {
			req := delivery(body)
			good := secret != ""
			any := false
			for i, name := range signatureHeaders() {
				if headers[i] == "" {
					continue
				}
				req.Header.Set(name, headers[i])
				any = true
				good = good && hmac.Equal([]byte(strings.TrimPrefix(headers[i], "sha256=")), []byte(mine))
			}
			good = good && any
			which, err := p.Verify(t.Context(), req, secretsOf(secret))
			switch {
			case good && (err != nil || len(which) != 1):
				t.Fatalf("refused: %v", err)
			case !good && !errors.Is(err, sdk.ErrBadSignature) && (secret != "" || !errors.Is(err, sdk.ErrCredential)):
				t.Fatalf("which %v, error %v", which, err)
			}
		}
	})
}

func secretsOf(texts ...string) []sdk.Secret {
	var secrets []sdk.Secret
	for _, text := range texts {
		secrets = append(secrets, sdk.Secret{Source: "docs", Instance: "default", Fields: map[string]string{secretField: text}})
	}
	return secrets
}

// delivery is an unsigned request.
func delivery(body []byte) sdk.Request {
	req := sdk.Request{Method: http.MethodPost, Path: "/webhooks/mintlify", Header: http.Header{}, Body: body}
	req.Header.Set("Content-Type", "application/json")
	return req
}
