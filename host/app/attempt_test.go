package app

import (
	"errors"
	"testing"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/sdk"
)

// A provider that comes back while somebody is just writing its credential goes
// on with what was read before.
func TestKeepSecrets(t *testing.T) {
	t.Parallel()
	routes := func(sources ...ingest.Source) *ingest.Routes {
		return &ingest.Routes{Types: map[string]*ingest.Route{"bell": {Sources: sources}}}
	}
	good := func(name, secret string) ingest.Source {
		return ingest.Source{Name: name, Secrets: []sdk.Secret{{Source: name, Instance: "home", Fields: map[string]string{"secret": secret}}}}
	}
	bad := func(name string) ingest.Source { return ingest.Source{Name: name, Unusable: errors.New("is empty")} }
	before := routes(good("kept", "old"), good("renewed", "old"), bad("never"))
	next := routes(bad("never"), good("renewed", "new"), bad("kept"), bad("added"))
	keepSecrets(next, before)
	for i, want := range []string{"", "new", "old", ""} {
		source := next.Types["bell"].Sources[i]
		got := ""
		if len(source.Secrets) > 0 {
			got = source.Secrets[0].Fields["secret"]
		}
		if got != want || (want == "") != (source.Unusable != nil) {
			t.Errorf("%s: %q, %v; want %q", source.Name, got, source.Unusable, want)
		}
	}
}
