package sdk_test

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

func secret(source, value string) sdk.Secret {
	return sdk.Secret{Source: source, Instance: "default", Fields: map[string]string{"secret": value}}
}

func TestHexSignatureTakesOnlyTheExactForm(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("0a", 32)
	for name, tt := range map[string]struct {
		values []string
		ok     bool
	}{
		"exact":          {[]string{"sha256=" + good}, true},
		"missing":        {nil, false},
		"empty":          {[]string{""}, false},
		"prefix only":    {[]string{"sha256="}, false},
		"doubled":        {[]string{"sha256=" + good, "sha256=" + good}, false},
		"other prefix":   {[]string{"sha1=" + good}, false},
		"no prefix":      {[]string{good}, false},
		"upper case":     {[]string{"sha256=" + strings.ToUpper(good)}, false},
		"odd length":     {[]string{"sha256=" + good[1:]}, false},
		"not hex":        {[]string{"sha256=" + strings.Repeat("zz", 32)}, false},
		"trailing space": {[]string{"sha256=" + good + " "}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sig, err := sdk.HexSignature(http.Header{"X-Sig": tt.values}, "X-Sig", "sha256=")
			if tt.ok && (err != nil || len(sig) != 32) {
				t.Fatalf("refused: %v", err)
			}
			if !tt.ok && !errors.Is(err, sdk.ErrBadSignature) {
				t.Fatalf("got %x, %v; want ErrBadSignature", sig, err)
			}
		})
	}
}

func TestBase64SignatureTakesOnlyTheExactForm(t *testing.T) {
	t.Parallel()
	raw := []byte("0123456789abcdef0123456789abcdef")
	good := base64.StdEncoding.EncodeToString(raw)
	if sig, err := sdk.Base64Signature(http.Header{"X-Sig": {"sha256=" + good}}, "X-Sig", "sha256="); err != nil || string(sig) != string(raw) {
		t.Fatalf("got %q, %v", sig, err)
	}
	for _, bad := range []string{strings.TrimRight(good, "="), good + "\n", good[:len(good)-2] + "B=", base64.URLEncoding.EncodeToString([]byte("\xff\xff\xff"))} {
		if _, err := sdk.Base64Signature(http.Header{"X-Sig": {"sha256=" + bad}}, "X-Sig", "sha256="); !errors.Is(err, sdk.ErrBadSignature) {
			t.Errorf("%q: got %v; want ErrBadSignature", bad, err)
		}
	}
}

// GitHub's published vector, "Validating webhook deliveries".
func TestHMACMatchesAPublishedVector(t *testing.T) {
	t.Parallel()
	const want = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	body := []byte("Hello, World!")
	if got := sdk.SignHMACSHA256("", "It's a Secret to Everybody", body); got != want {
		t.Fatalf("signed %s", got)
	}
	sig, _ := hex.DecodeString(want)
	secrets := []sdk.Secret{secret("a", "another"), secret("b", "It's a Secret to Everybody"), secret("c", "It's a Secret to Everybody")}
	which, err := sdk.VerifyHMACSHA256(secrets, "secret", sig, body[:5], body[5:])
	if err != nil || !reflect.DeepEqual(which, sdk.Which{1, 2}) {
		t.Fatalf("got %v, %v; want both that fit", which, err)
	}
}

func TestEmptySecretNeverMatches(t *testing.T) {
	t.Parallel()
	body := []byte("x")
	sig, _ := hex.DecodeString(sdk.SignHMACSHA256("", "", body))
	if which, err := sdk.VerifyHMACSHA256([]sdk.Secret{secret("a", "")}, "secret", sig, body); !errors.Is(err, sdk.ErrCredential) {
		t.Errorf("alone: got %v, %v; want ErrCredential", which, err)
	}
	if which, err := sdk.VerifyHMACSHA256([]sdk.Secret{secret("a", ""), secret("b", "real")}, "secret", sig, body); !errors.Is(err, sdk.ErrBadSignature) {
		t.Errorf("beside another: got %v, %v; want ErrBadSignature", which, err)
	}
	if which, err := sdk.VerifyHMACSHA256(nil, "secret", sig, body); !errors.Is(err, sdk.ErrBadSignature) {
		t.Errorf("without secrets: got %v, %v; want ErrBadSignature", which, err)
	}
}

func TestEd25519(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("1700000000{}")
	sig := ed25519.Sign(private, message)
	keys := []sdk.Secret{secret("short", "abcd"), secret("right", hex.EncodeToString(public))}
	which, err := sdk.VerifyEd25519(keys, "secret", sig, message[:10], message[10:])
	if err != nil || !reflect.DeepEqual(which, sdk.Which{1}) {
		t.Fatalf("got %v, %v", which, err)
	}
	for i := range sig {
		bad := append([]byte(nil), sig...)
		bad[i] ^= 1
		if _, err := sdk.VerifyEd25519(keys, "secret", bad, message); !errors.Is(err, sdk.ErrBadSignature) {
			t.Fatalf("byte %d flipped: got %v", i, err)
		}
	}
	if _, err := sdk.VerifyEd25519(keys, "secret", sig[:63], message); !errors.Is(err, sdk.ErrBadSignature) {
		t.Errorf("short signature: got %v", err)
	}
	if _, err := sdk.VerifyEd25519(keys[:1], "secret", sig, message); !errors.Is(err, sdk.ErrCredential) {
		t.Errorf("key of another length: got %v; want ErrCredential", err)
	}
}

func TestCheckTimestamp(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 0)
	for text, want := range map[string]error{
		"1700000000":           nil,
		"1699999700":           nil,
		"1700000300":           nil,
		"1699999699":           sdk.ErrStale,
		"1700000301":           sdk.ErrStale,
		"":                     sdk.ErrBadSignature,
		"-1700000000":          sdk.ErrBadSignature,
		" 1700000000":          sdk.ErrBadSignature,
		"1.7e9":                sdk.ErrBadSignature,
		"99999999999999999999": sdk.ErrBadSignature,
	} {
		err := sdk.CheckTimestamp(text, at, 5*time.Minute)
		if (want == nil) != (err == nil) || !errors.Is(err, want) {
			t.Errorf("%q: got %v; want %v", text, err, want)
		}
		if err != nil && !errors.Is(err, sdk.ErrBadSignature) {
			t.Errorf("%q: %v is not an ErrBadSignature", text, err)
		}
	}
}

func TestTruncateCutsOnACharacter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"short":                   "short",
		strings.Repeat("é", 4000): strings.Repeat("é", 4000),
		strings.Repeat("é", 4001): strings.Repeat("é", 4000) + "...",
		strings.Repeat("👋", 9000): strings.Repeat("👋", 4000) + "...",
		"bad\xffbyte":             "bad\uFFFDbyte",
	} {
		if got := sdk.Truncate(text); got != want {
			t.Errorf("%.20q… (%d bytes): got %d bytes", text, len(text), len(got))
		}
	}
}

func TestHMACWithAnotherHashAndKey(t *testing.T) {
	t.Parallel()
	// Of RFC 4231, test case 2, with the key written in hex.
	h := sdk.HMAC{Hash: sha512.New, Key: hex.DecodeString}
	key, message := hex.EncodeToString([]byte("Jefe")), []byte("what do ya want for nothing?")
	sum, err := h.Sign(key, message[:4], message[4:])
	if err != nil || !strings.HasPrefix(hex.EncodeToString(sum), "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554") {
		t.Fatalf("got %x, %v", sum, err)
	}
	secrets := []sdk.Secret{secret("a", "not hex"), secret("b", key), secret("c", hex.EncodeToString([]byte("other")))}
	if which, err := h.Verify(secrets, "secret", sum, message); err != nil || !reflect.DeepEqual(which, sdk.Which{1}) {
		t.Errorf("which %v, %v", which, err)
	}
	if _, err := h.Verify(secrets[2:], "secret", sum, message); !errors.Is(err, sdk.ErrBadSignature) {
		t.Errorf("by another secret: %v", err)
	}
	if _, err := h.Verify(secrets[:1], "secret", sum, message); !errors.Is(err, sdk.ErrCredential) {
		t.Errorf("by none that can be used: %v", err)
	}
	if _, err := h.Sign("not hex", message); !errors.Is(err, sdk.ErrCredential) {
		t.Errorf("signed with no key: %v", err)
	}
	// The zero value is what VerifyHMACSHA256 takes.
	sum, _ = sdk.HMAC{}.Sign("k", message)
	if _, err := sdk.VerifyHMACSHA256([]sdk.Secret{secret("a", "k")}, "secret", sum, message); err != nil {
		t.Error(err)
	}
}
