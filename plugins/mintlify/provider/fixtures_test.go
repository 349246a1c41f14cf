package provider

import (
	"flag"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "sign the cases in testdata again and rewrite their want.json")

const testSecret = "mintlify-test-secret"

// The cases are requests in the shape that users of the original have, and what
// Mintlify's API says of a deployment. The kit delivers them, and what hostile
// senders would make of them.
func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Options{
		New:     func() sdk.Provider { return New("test") },
		Package: "..",
		Update:  *update,
		Short:   testing.Short(),
		Sign: func(req *sdk.Request, secret map[string]string) {
			signature := sdk.SignHMACSHA256("", secret[secretField], req.Body)
			signed := false
			for _, name := range signatureHeaders() {
				if len(req.Header.Values(name)) > 0 {
					req.Header.Set(name, signature)
					signed = true
				}
			}
			if !signed {
				req.Header.Set(signatureHeader, signature)
			}
		},
		Events:        []string{"build"},
		AlwaysPresent: map[string]string{"action": "a body without an action is no event"},
	})
}

func cases(t testing.TB) []*providertest.Case {
	t.Helper()
	all, err := providertest.ReadCases("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return all
}
