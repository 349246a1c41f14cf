package provider

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"hash"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "sign the cases in testdata again and rewrite their want.json")

// The cases are senders as there are many, each with the settings for it. The
// kit delivers them, and what hostile senders would make of them. Those that
// sign a time are in a folder of their own.
func TestProvider(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "hmac")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary, err := providertest.Build(t.Context(), dir, "..", "hmac")
	if err != nil {
		t.Fatal(err)
	}
	for name, tolerance := range map[string]time.Duration{"plain": 0, "timed": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Options{
				New:       func() sdk.Provider { return New("test") },
				Binary:    binary,
				Cases:     "testdata/" + name,
				Update:    *update,
				Short:     testing.Short(),
				Sign:      signLikeSender,
				Tolerance: tolerance,
			})
		})
	}
}

// signLikeSender signs without any of the provider's code.
func signLikeSender(req *sdk.Request, secret map[string]string) {
	s, at := req.Settings, req.ReceivedAt
	header := s.Text("signatureHeader")
	key := []byte(secret["secret"])
	switch s.Text("scheme") {
	case "token":
		req.Header.Set(header, s.Text("prefix")+secret["secret"])
		return
	case "basic":
		req.Header.Set(header, "Basic "+base64.StdEncoding.EncodeToString([]byte(secret["user"]+":"+secret["secret"])))
		return
	case "timestamped":
		req.Header.Set(header, fmt.Sprintf("t=%d,v1=%x", at.Unix(), macOf(sha256.New, key, fmt.Sprint(at.Unix()), ".", string(req.Body))))
		return
	case "standard-webhooks":
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret["secret"], "whsec_"))
		if err != nil || len(key) == 0 {
			panic("nobody can sign with that") // as a signer says to the kit
		}
		prefix := strings.TrimSuffix(header, "signature")
		req.Header.Set(prefix+"id", "msg_1")
		req.Header.Set(prefix+"timestamp", fmt.Sprint(at.Unix()))
		sum := macOf(sha256.New, key, "msg_1.", fmt.Sprint(at.Unix()), ".", string(req.Body))
		req.Header.Set(header, "v1,"+base64.StdEncoding.EncodeToString(sum))
		return
	}
	var err error
	switch s.Text("secretEncoding") {
	case "hex":
		key, err = hex.DecodeString(secret["secret"])
	case "base64":
		key, err = base64.StdEncoding.DecodeString(secret["secret"])
	}
	if err != nil || s.Text("secretEncoding") != "text" && len(key) == 0 {
		panic("nobody can sign with that") // as a signer says to the kit
	}
	when := map[string]string{
		"seconds": fmt.Sprint(at.Unix()), "milliseconds": fmt.Sprint(at.UnixMilli()), "rfc3339": at.UTC().Format(time.RFC3339),
	}[s.Text("timestampFormat")]
	if name := s.Text("timestampHeader"); name != "" {
		req.Header.Set(name, when)
	}
	text := strings.NewReplacer("{timestamp}", when, "{id}", req.Header.Get("X-Id"), "{body}", string(req.Body)).Replace(s.Text("signed"))
	newHash := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}[s.Text("algorithm")]
	sum := macOf(newHash, key, text)
	written := hex.EncodeToString(sum)
	if s.Text("encoding") == "base64" {
		written = base64.StdEncoding.EncodeToString(sum)
	}
	req.Header.Set(header, s.Text("prefix")+written)
}

func macOf(newHash func() hash.Hash, key []byte, parts ...string) []byte {
	mac := hmac.New(newHash, key)
	for _, part := range parts {
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}
