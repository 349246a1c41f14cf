package provider

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "sign the cases in testdata again and rewrite their want.json")

// The cases are requests after Discord's documentation, and vectors that were
// computed with another implementation. The kit delivers them, and what hostile
// senders would make of them.
func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Options{
		New:       func() sdk.Provider { return New("test") },
		Package:   "..",
		Update:    *update,
		Short:     testing.Short(),
		Tolerance: timestampTolerance,
		Sign: func(req *sdk.Request, secret map[string]string) {
			key := otherKey // of a secret that is nobody's
			if secret[keyField] == public(testKey) {
				key = testKey
			}
			timestamp := strconv.FormatInt(req.ReceivedAt.Unix(), 10)
			req.Header.Set(timestampHeader, timestamp)
			req.Header.Set(signatureHeader, sign(key, timestamp, req.Body))
		},
		Events: knownEvents(),
		SampleSecret: map[string]string{
			"application_id": "1390000000000000001",
			keyField:         public(testKey),
			testKeyField:     testKeyPrefix + hex.EncodeToString(testKey.Seed()),
		},
	})
}

// Everything but a bad signature is answered in a form that Discord reads.
func TestAnswersAreThoseThatDiscordReads(t *testing.T) {
	t.Parallel()
	allowed := map[string]map[int]string{ // by event: the type of the reply, and when it is private
		applicationCommand: {5: "", 12: "", 4: "private"},
		messageComponent:   {6: ""},
		autocomplete:       {8: ""},
		modalSubmit:        {5: "", 6: "", 4: "private"},
		"interaction_6":    {4: "private"},
	}
	for _, c := range cases(t) {
		for _, e := range eventsOf(t, c) {
			for _, reply := range []*sdk.Reply{e.Taken, e.Ignored} {
				if reply == nil || reply.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s: reply %+v", c.Name, reply)
					continue
				}
				types, isInteraction := allowed[e.Name]
				if !isInteraction {
					if reply.Status != http.StatusNoContent || len(reply.Body) != 0 {
						t.Errorf("%s: reply %d %q", c.Name, reply.Status, reply.Body)
					}
					continue
				}
				var got struct {
					Type int
					Data struct {
						Content string
						Flags   int
						Choices []any
					}
				}
				if err := json.Unmarshal(reply.Body, &got); err != nil || reply.Status != http.StatusOK {
					t.Errorf("%s: reply %d %q: %v", c.Name, reply.Status, reply.Body, err)
				}
				kind, ok := types[got.Type]
				if !ok || (kind == "private") != (got.Data.Flags == 64 && got.Data.Content != "") || (got.Type == 8) != (got.Data.Choices != nil) {
					t.Errorf("%s: reply %s", c.Name, reply.Body)
				}
			}
		}
	}
}

func cases(t testing.TB) []*providertest.Case {
	t.Helper()
	all, err := providertest.ReadCases("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func caseNamed(t testing.TB, name string) *providertest.Case {
	t.Helper()
	all := cases(t)
	i := slices.IndexFunc(all, func(c *providertest.Case) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no case %s", name)
	}
	return all[i]
}

// eventsOf are none of a case that is there to be refused.
func eventsOf(t testing.TB, c *providertest.Case) []sdk.Event {
	t.Helper()
	if strings.HasPrefix(c.Name, "refused.") {
		return nil
	}
	events, err := New("test").Parse(t.Context(), c.Request)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return events
}

// Keys of the first two tests of RFC 8032.
var (
	testKey  = keyFrom("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	otherKey = keyFrom("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
)

func keyFrom(seed string) ed25519.PrivateKey {
	raw, err := hex.DecodeString(seed)
	if err != nil {
		panic(err)
	}
	return ed25519.NewKeyFromSeed(raw)
}

func public(key ed25519.PrivateKey) string {
	return hex.EncodeToString(key[ed25519.SeedSize:]) // the private key ends with the public one
}

func sign(key ed25519.PrivateKey, timestamp string, body []byte) string {
	return hex.EncodeToString(ed25519.Sign(key, append([]byte(timestamp), body...)))
}
