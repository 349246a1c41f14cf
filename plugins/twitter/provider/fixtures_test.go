package provider

import (
	"flag"
	"net/http"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "sign the cases in testdata again and rewrite their want.json")

// The cases are requests after X's documentation. The kit delivers them, and
// what hostile senders would make of them.
func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Options{
		New:     func() sdk.Provider { return New("test") },
		Package: "..",
		Update:  *update,
		Short:   testing.Short(),
		Sign: func(req *sdk.Request, secret map[string]string) {
			if req.Method == http.MethodPost {
				req.Header.Set(signatureHeader, sign(secret[secretField], req.Body))
			}
		},
		Events: knownEvents(),
		// The challenge signs such bodies for anybody.
		Forgeable: isToken[[]byte],
	})
}

// What X wants to read is the same for all deliveries that are signed: nothing.
func TestEveryReplyIsEmpty(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t) {
		d, err := sdk.Deliver(t.Context(), New("test"), c.Request, c.Secrets, sdk.DeliverOptions{})
		if c.Request.Method == http.MethodGet || err != nil {
			continue
		}
		replies := []*sdk.Reply{d.Reply}
		if len(d.Events) > 0 {
			replies = nil
		}
		for _, e := range d.Events {
			replies = append(replies, e.Taken, e.Ignored)
		}
		for _, r := range replies {
			if r == nil || r.Status != http.StatusOK || len(r.Body) > 0 || len(r.Header) > 0 {
				t.Errorf("%s: reply %+v", c.Name, r)
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
