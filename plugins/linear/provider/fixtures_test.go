package provider

import (
	"flag"
	"slices"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "sign the cases in testdata again and rewrite their want.json")

// The cases are requests after Linear's documentation, most of them received
// 750 ms after they were sent. Linear publishes no complete vector: those that
// are named so were computed with another program.
func TestProvider(t *testing.T) {
	t.Parallel()
	var events []string
	for _, k := range kinds() {
		events = append(events, k.name)
	}
	providertest.Run(t, providertest.Options{
		New:       func() sdk.Provider { return New("test") },
		Package:   "..",
		Update:    *update,
		Short:     testing.Short(),
		Tolerance: tolerance,
		Sign: func(req *sdk.Request, secret map[string]string) { // the time is in the body
			req.Header.Set(signatureHeader, sign(secret[secretField], req.Body))
		},
		Events: events,
		// It has our name and, where it is another, Linear's.
		AlwaysPresent: map[string]string{"event": "every delivery has a type, which names the event"},
	})
}

// Every type that Linear documents has a case.
func TestCasesCoverEveryType(t *testing.T) {
	t.Parallel()
	seen := map[any]bool{}
	for _, c := range cases(t) {
		for _, e := range eventsOf(t, c) {
			seen[e.Extra["type"]] = true
		}
	}
	for _, k := range kinds() {
		if !seen[k.typ] {
			t.Errorf("no case for type %s", k.typ)
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

// eventsOf returns none for what is refused; TestProvider says what that is.
func eventsOf(t testing.TB, c *providertest.Case) []sdk.Event {
	t.Helper()
	d, err := sdk.Deliver(t.Context(), New("test"), c.Request, c.Secrets, sdk.DeliverOptions{AllowUnsigned: c.AllowUnsigned})
	if err != nil {
		return nil
	}
	return d.Events
}
