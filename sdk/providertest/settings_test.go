package providertest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// kiosk takes what its sources' settings say, and can be made to forget them.
type kiosk struct{ forget bool }

func (kiosk) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "kiosk", Name: "Kiosk", Version: "1",
		Credential: sdk.Credential{Type: "kiosk_secret", Fields: []sdk.Field{{Name: "secret", Secret: true}}},
		Settings: []sdk.Setting{
			{Name: "header", Required: true, SignatureHeader: true},
			{Name: "attributes", Kind: sdk.TableSetting, Filters: &sdk.Filter{}},
		},
	}
}

func (k kiosk) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	header := req.Settings.Text("header")
	if k.forget { // any header will do
		for name := range req.Header {
			if strings.HasPrefix(name, "X-") {
				header = name
			}
		}
	}
	signature, err := sdk.HexSignature(req.Header, header, "")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, "secret", signature, req.Body)
}

func (kiosk) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	e := sdk.Event{Name: "sale", Attributes: map[string][]string{}}
	for name, value := range req.Settings.Table("attributes") {
		e.Attributes[name] = []string{value}
	}
	return []sdk.Event{e}, nil
}

func kioskSuite(t *testing.T, settings, want string) *providertest.Suite {
	t.Helper()
	body := `{"n":1}`
	text := "-- request.http --\nPOST /webhooks/kiosk HTTP/1.1\nContent-Type: application/json\nX-North: " +
		sdk.SignHMACSHA256("", "the-secret-of-the-north", []byte(body)) + "\n\n" + body + "\n" +
		"-- secrets --\nnorth secret=the-secret-of-the-north\nsouth secret=the-secret-of-the-north\n" +
		"-- settings --\n" + settings +
		"-- filters --\npass place = [\"north\"]\nhold place = [\"south\"]\n" +
		"-- want.json --\n" + want
	c, err := providertest.ParseCase("sale", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &providertest.Suite{Cases: []*providertest.Case{c}, Short: true}
}

const (
	kioskSettings = "north header = \"X-North\"\nnorth attributes = {\"place\": \"north\"}\nsouth header = \"X-South\"\n"
	kioskWant     = `{"which": [0], "events": [{"event": "sale", "attributes": {"place": ["north"]}}]}`
)

func TestCasesHaveSettings(t *testing.T) {
	t.Parallel()
	for _, f := range kioskSuite(t, kioskSettings, kioskWant).Check(t.Context(), providertest.Direct(kiosk{})) {
		t.Error(f)
	}
	target, err := providertest.Loopback(t.Context(), kiosk{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range kioskSuite(t, kioskSettings, kioskWant).Check(t.Context(), target) {
		t.Error(f)
	}
}

func TestAProviderThatForgetsSettingsIsFound(t *testing.T) {
	t.Parallel()
	if found := kioskSuite(t, kioskSettings, kioskWant).Check(t.Context(), providertest.Direct(kiosk{forget: true})); len(found) == 0 {
		t.Errorf("a provider that takes the signature out of any header (%s) passes", http.CanonicalHeaderKey("x-north"))
	}
	// So are settings that the provider does not take.
	found := kioskSuite(t, "north header = 1\n", kioskWant).Check(t.Context(), providertest.Direct(kiosk{}))
	if text := strings.Join(findings(found), "\n"); !strings.Contains(text, "source north: header must be a string, got integer") ||
		!strings.Contains(text, "source south: header is missing") {
		t.Errorf("findings:\n%s", text)
	}
}

func findings(all []providertest.Finding) []string {
	var out []string
	for _, f := range all {
		out = append(out, f.String())
	}
	return out
}
