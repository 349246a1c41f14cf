package providertest_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// letter is a provider whose vendor signs in one of the ways that package sdk
// verifies as a whole.
type letter struct {
	header string
	verify func(sdk.Request, []sdk.Secret) (sdk.Which, error)
	sign   func(req *sdk.Request, key string)
}

func (l letter) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "letter", Name: "Letter", Version: "1.0.0",
		Credential: sdk.Credential{Type: "letter_secret", Fields: []sdk.Field{
			{Name: "secret", Label: "Secret", Secret: true}, {Name: "user", Label: "User", Optional: true},
		}},
		SignatureHeaders: []string{l.header},
	}
}

func (l letter) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	return l.verify(req, secrets)
}

func (l letter) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	if !strings.HasPrefix(string(req.Body), "{") {
		return nil, sdk.Unparseable("body is not an object")
	}
	return []sdk.Event{{Name: "letter"}}, nil
}

const letterKey = "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

func letters() map[string]letter {
	return map[string]letter{
		"timestamped": {
			header: "X-Letter-Signature",
			verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
				return sdk.VerifyTimestampedHMAC(req, secrets, "secret", "X-Letter-Signature", 5*time.Minute)
			},
			sign: func(req *sdk.Request, key string) {
				req.Header.Set("X-Letter-Signature", sdk.SignTimestampedHMAC(key, req.ReceivedAt, req.Body))
			},
		},
		"standard webhooks": {
			header: "Webhook-Signature",
			verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
				return sdk.VerifyStandardWebhooks(req, secrets, "secret", sdk.StandardWebhooksTolerance)
			},
			sign: func(req *sdk.Request, key string) {
				if err := sdk.SignStandardWebhooks(req.Header, key, "msg_1", req.ReceivedAt, req.Body); err != nil {
					panic(err)
				}
			},
		},
		"token": {
			header: "Authorization",
			verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
				return sdk.VerifyToken(req.Header, secrets, "secret", "Authorization", "Bearer ")
			},
			sign: func(req *sdk.Request, key string) { req.Header.Set("Authorization", "Bearer "+key) },
		},
	}
}

// letterCases are one that is signed, and one that is new.
func letterCases(t *testing.T, l letter) (dir string, cases []*providertest.Case) {
	t.Helper()
	dir = t.TempDir()
	req := sdk.Request{Header: http.Header{}, Body: []byte(`{"to":"Ada"}`), ReceivedAt: providertest.DefaultReceivedAt()}
	l.sign(&req, letterKey)
	const end = "\n-- secrets --\nhome secret=" + letterKey + "\n"
	var head strings.Builder
	if err := req.Header.Write(&head); err != nil {
		t.Fatal(err)
	}
	signed := "-- request.http --\nPOST /webhooks/letter HTTP/1.1\n" + strings.ReplaceAll(head.String(), "\r", "") + "\n" + string(req.Body) + end +
		"-- want.json --\n{\"which\":[0],\"events\":[{\"event\":\"letter\",\"attributes\":{}}]}\n"
	fresh := "-- request.http --\nPOST /webhooks/letter HTTP/1.1\n\n{\"to\":\"Bob\"}" + end
	for name, text := range map[string]string{"1-signed": signed, "2-new": fresh} {
		if err := os.WriteFile(filepath.Join(dir, name+".txtar"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cases, err := providertest.ReadCases(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, cases
}

// A tool knows no Options.Sign: a new case is signed as the others are.
func TestANewCaseIsSignedAsTheOthersAre(t *testing.T) {
	t.Parallel()
	for name, l := range letters() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, cases := letterCases(t, l)
			s := &providertest.Suite{Cases: cases, Short: true}
			if err := s.Update(t.Context(), providertest.Direct(l)); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, "2-new.txtar"))
			if err != nil || !strings.Contains(string(text), l.header+": ") || !strings.Contains(string(text), `"which": [`) {
				t.Errorf("%v; the new case is\n%s", err, text)
			}
			for _, f := range s.Check(t.Context(), providertest.Direct(l)) {
				t.Error(f)
			}
		})
	}
}

// What only somebody who can sign finds out is found out: here, that a body
// which nobody understands is called unsigned.
func TestKnownSchemesAreSigned(t *testing.T) {
	t.Parallel()
	for name, l := range letters() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, cases := letterCases(t, l)
			faulty := l
			faulty.verify = func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
				if string(req.Body) == "null" {
					return nil, sdk.ErrBadSignature
				}
				return l.verify(req, secrets)
			}
			s := &providertest.Suite{Cases: cases[:1], Short: true}
			var all []string
			for _, f := range s.Check(t.Context(), providertest.Direct(faulty)) {
				all = append(all, f.String())
			}
			if said := strings.Join(all, "\n"); !strings.Contains(said, "a body that is only null, properly signed: refused") {
				t.Errorf("not found out, but: %s", said)
			}
		})
	}
}
