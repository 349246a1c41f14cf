package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/sdk"
)

// shop is a provider whose sources say by their settings which header has the
// token, and what happened.
type shop struct{}

func (shop) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "shop", Credential: sdk.Credential{Type: "shop_token", Fields: []sdk.Field{{Name: "secret"}}},
		Filters:  []sdk.Filter{{Name: "events", Attribute: "event"}},
		Settings: []sdk.Setting{{Name: "header", SignatureHeader: true}, {Name: "event", Default: "sale"}},
	}
}

func (shop) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	return sdk.VerifyToken(req.Header, secrets, "secret", req.Settings.Text("header"), "")
}

func (shop) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	name := req.Settings.Text("event")
	return []sdk.Event{{Name: name, DeliveryID: "1", Attributes: map[string][]string{"event": {name}}}}, nil
}

func shopRoutes(t *testing.T, provider sdk.Provider) *ingest.Routes {
	t.Helper()
	d := sdk.Describe(shop{})
	route := &ingest.Route{Provider: provider, Descriptor: d}
	descriptors := map[string]sdk.Descriptor{}
	var triggers []match.Trigger
	for name, settings := range map[string]sdk.Settings{
		"east":  {"header": "X-East", "event": "sale"},
		"west":  {"header": "X-West", "event": "return"},
		"twin":  {"header": "X-West", "event": "return"},
		"other": {"header": "X-West", "event": "complaint"},
	} {
		secret := sdk.Secret{Source: name, Instance: "default", Fields: map[string]string{"secret": "shared"}}
		if name == "east" {
			secret.Fields["secret"] = "s-east"
		}
		route.Sources = append(route.Sources, ingest.Source{Name: name, Settings: settings, Secrets: []sdk.Secret{secret}})
		descriptors[name] = d.With(settings)
		triggers = append(triggers, match.Trigger{Agent: "for-" + name, Source: name})
	}
	slices.SortFunc(route.Sources, func(a, b ingest.Source) int { return strings.Compare(a.Name, b.Name) })
	matcher, problems := match.Compile(triggers, descriptors)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return &ingest.Routes{Matcher: matcher, Types: map[string]*ingest.Route{"shop": route}}
}

// started lists the jobs of an acceptance: agent, source and event.
func started(f *fixture, n int) []string {
	f.Helper()
	var out []string
	for _, j := range f.store.accepted[n].Jobs {
		out = append(out, fmt.Sprintf("%s %s %s %s", j.Agent, j.Source, j.Event, j.Key))
	}
	slices.Sort(out)
	return out
}

func (f *fixture) shop(path, header, token string) answered {
	f.Helper()
	req := httptest.NewRequestWithContext(f.Context(), http.MethodPost, path, strings.NewReader("{}"))
	req.Header.Set(header, token)
	return f.do(req)
}

func TestEachSourceIsReadByItsOwnSettings(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	f.handler.Update(shopRoutes(t, shop{}))
	if a := f.shop("/webhooks/shop", "X-East", "s-east"); a.code != http.StatusOK {
		t.Fatalf("answered %d %s", a.code, a.body)
	}
	if got, want := started(f, 0), []string{"for-east east sale 1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("started %q; want %q", got, want)
	}
	for _, header := range []string{"X-West", "X-Sig"} { // it is the token of another header
		if a := f.shop("/webhooks/shop", header, "s-east"); a.code != http.StatusUnauthorized {
			t.Errorf("the token of another header: %d %s", a.code, a.body)
		}
	}

	// Three sources have one token; what they make of the request is theirs.
	if a := f.shop("/webhooks/shop", "X-West", "shared"); a.code != http.StatusOK || !strings.Contains(a.body, `"events":2`) {
		t.Fatalf("answered %d %s", a.code, a.body)
	}
	want := []string{"for-other other complaint 1", "for-twin twin return 1", "for-west west return 1"}
	if got := started(f, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("started %q; want %q", got, want)
	}
	r := f.store.accepted[1].Receipt
	if len(r.Header["X-West"]) > 0 || !reflect.DeepEqual(r.Sources, []string{"other", "twin", "west"}) {
		t.Errorf("receipt %+v: wants the sources that signed, and no token", r)
	}

	// An event counts for the sources that it is for, not for all that signed.
	counts := "# HELP al_source_events_total Events that a source was proved to have sent.\n# TYPE al_source_events_total counter\n"
	for _, source := range []string{"east", "other", "twin", "west"} {
		counts += fmt.Sprintf("al_source_events_total{provider=\"shop\",source=%q} 1\n", source)
	}
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(counts), "al_source_events_total"); err != nil {
		t.Error(err)
	}

	sum, err := f.handler.Replay(t.Context(), job.Receipt{ID: "old", Provider: "shop", Sources: []string{"west", "other"}, Body: []byte("{}")})
	if err != nil || sum.Matched != 2 {
		t.Fatalf("replay: %+v, %v", sum, err)
	}
	if got := started(f, 2); !reflect.DeepEqual(got, []string{want[0], want[2]}) {
		t.Errorf("a replay started %q", got)
	}
}

func TestASourceWhoseSettingsMakeNoSenseTakesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	routes := shopRoutes(t, shop{})
	route := routes.Types["shop"]
	route.Sources[0] = ingest.Source{Name: "east", Unsettled: true, Unusable: errors.New("webhooks.east.header is missing")}
	f.handler.Update(routes)
	if a := f.shop("/webhooks/shop/east", "X-East", "s-east"); a.code != http.StatusServiceUnavailable {
		t.Errorf("answered %d %s; it may well be signed", a.code, a.body)
	}
	if a := f.shop("/webhooks/shop", "X-West", "shared"); a.code != http.StatusOK {
		t.Errorf("the others: %d %s", a.code, a.body)
	}
}

// thief has an event for a source that did not sign.
type thief struct{ shop }

func (thief) Deliver(context.Context, sdk.Request, []sdk.Secret, sdk.DeliverOptions) (sdk.Delivery, error) {
	return sdk.Delivery{Which: sdk.Which{0}, Events: []sdk.Event{{Name: "sale", Sources: []string{"east", "west"}}}}, nil
}

func TestAnEventForASourceThatDidNotSignStartsNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	f.handler.Update(shopRoutes(t, thief{}))
	a := f.shop("/webhooks/shop", "X-East", "s-east")
	if a.code != http.StatusServiceUnavailable || len(f.store.accepted) > 0 {
		t.Errorf("answered %d %s, accepted %d", a.code, a.body, len(f.store.accepted))
	}
	if !strings.Contains(f.log.String(), `which did not sign`) {
		t.Errorf("the log does not say so: %s", f.log)
	}
}
