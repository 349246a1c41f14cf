package cli_test

import (
	"context"

	"github.com/action-llama/gateway/sdk"
)

// chime is a provider whose vendor hands out a credential of several fields.
type chime struct{ bell }

func (chime) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "chime", Name: "Chime", Version: "0.1.0",
		Credential: sdk.Credential{Type: "chime_app", Fields: []sdk.Field{
			{Name: "app_id", Label: "App ID", Pattern: "[0-9]{4}", Help: "Four digits, on the app's page."},
			{Name: "token", Label: "Token", Secret: true, Help: "Below the app ID."},
			{Name: "webhook_token", Label: "Second token", Secret: true, Optional: true},
		}},
		SignatureHeaders: []string{"X-Chime-Signature"},
		Filters: []sdk.Filter{
			{Name: "rooms", Attribute: "room"}, {Name: "topic", Kind: sdk.String, Attribute: "topic"},
		},
		Setup:   "Point it to {url}",
		Example: map[string][]string{"topic": {"weather"}},
	}
}

// gullible is a provider that takes whatever anybody signs.
type gullible struct{ bell }

func (gullible) Describe() sdk.Descriptor {
	d := bell{}.Describe()
	d.Type, d.Name, d.Credential.Type = "gullible", "Gullible", "gullible_secret"
	return d
}

func (gullible) Verify(_ context.Context, _ sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	which := make(sdk.Which, len(secrets))
	for i := range secrets {
		which[i] = i
	}
	return which, nil
}
