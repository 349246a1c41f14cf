package ingest_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/sdk"
)

// Of several live secrets it is known which one a vendor still signs with; a
// stranger changes nothing about that.
func TestTellsWhichSecretProved(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	var proved []string
	f.handler = ingest.New(ingest.Options{
		Store: f.store, Wake: func() {}, Log: hclog.NewNullLogger(), Registerer: prometheus.NewRegistry(),
		MaxBodyBytes: 1000, MaxInflightBytes: 1 << 20, Now: time.Now,
		Proved: func(typ, instance string, at time.Time) {
			if time.Since(at) > time.Hour {
				t.Errorf("at %s", at)
			}
			proved = append(proved, typ+":"+instance)
		},
	})
	f.mux = http.NewServeMux()
	f.handler.Register(f.mux)
	d := (&bell{}).Describe()
	d.Credential.Type = "bell_secret"
	secret := func(instance, value string) sdk.Secret {
		return sdk.Secret{Source: "home", Instance: instance, Fields: map[string]string{"secret": value}}
	}
	f.handler.Update(&ingest.Routes{Types: map[string]*ingest.Route{"bell": {
		Provider: &bell{}, Descriptor: d, Sources: []ingest.Source{{Name: "home", Secrets: []sdk.Secret{secret("old", "s1"), secret("new", "s2")}}},
	}}})
	f.post("/webhooks/bell", "s2", "1", `"front"`)
	f.post("/webhooks/bell", "s3", "2", `"front"`)
	f.post("/webhooks/bell", "s1", "3", `not JSON, and signed all the same`)
	if want := []string{"bell_secret:new", "bell_secret:old"}; !slices.Equal(proved, want) {
		t.Errorf("got %v, want %v", proved, want)
	}
}
