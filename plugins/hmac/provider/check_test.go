package provider

import (
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// settle reads settings as the host does.
func settle(t testing.TB, written map[string]any) sdk.Settings {
	t.Helper()
	settings, problems := New("test").Describe().ReadSettings(written)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return settings
}

func TestSettingsThatDoNotGoTogether(t *testing.T) {
	t.Parallel()
	type table = map[string]any
	for name, tt := range map[string]struct {
		written       table
		setting, item string
		message       string // part of it; empty for no problem
	}{
		"none at all":                  {table{}, "", "", ""},
		"a signed time":                {table{"timestampHeader": "X-Time", "signed": "{timestamp}.{body}"}, "", "", ""},
		"a time that is not signed":    {table{"timestampHeader": "X-Time"}, "timestampHeader", "", "is not signed"},
		"a signed time without header": {table{"signed": "{timestamp}.{body}"}, "signed", "", "timestampHeader has to name"},
		"no body":                      {table{"signed": "body"}, "signed", "", "has to hold {body} once"},
		"the body twice":               {table{"signed": "{body}{body}"}, "signed", "", "has to hold {body} once"},
		"something else in braces":     {table{"signed": "{url}{body}"}, "signed", "", "nothing else in braces"},
		"an id":                        {table{"signed": "{id}.{body}", "deliveryId": "header:X-Id"}, "", "", ""},
		"an id without header":         {table{"signed": "{id}.{body}"}, "signed", "", `deliveryId has to be "header:"`},
		"an id out of the body":        {table{"signed": "{id}.{body}", "deliveryId": "data.id"}, "signed", "", `deliveryId has to be "header:"`},
		"standard webhooks":            {table{"scheme": "standard-webhooks", "signatureHeader": "webhook-signature"}, "", "", ""},
		"standard webhooks, no header": {table{"scheme": "standard-webhooks"}, "", "", ""}, // X-Signature, X-Id, X-Timestamp
		"standard webhooks, other":     {table{"scheme": "standard-webhooks", "signatureHeader": "X-Hmac"}, "signatureHeader", "", `has to end in "-Signature"`},
		"basic":                        {table{"scheme": "basic", "signatureHeader": "authorization"}, "", "", ""},
		"basic in another header":      {table{"scheme": "basic"}, "signatureHeader", "", `has to be "Authorization"`},
		"a path to the signature":      {table{"extra": table{"proof": "header:x-signature"}}, "extra", "proof", "leads to the header X-Signature"},
		"a path to a token":            {table{"event": "header:Authorization"}, "event", "", "leads to the header Authorization"},
		"unknown field":                {table{"fields": table{"tilte": "a"}}, "fields", "tilte", "is no field of an event; they are action, assignee, author"},
		"attribute of another filter":  {table{"attributes": table{"event": "a"}}, "attributes", "event", "is what the filter events looks at"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, err := New("test").CheckSettings(t.Context(), sdk.Source{Settings: settle(t, tt.written)})
			switch {
			case err != nil:
				t.Fatal(err)
			case tt.message == "" && len(problems) > 0:
				t.Errorf("problems %+v", problems)
			case tt.message == "":
			case len(problems) != 1 || problems[0].Setting != tt.setting || problems[0].Item != tt.item || !strings.Contains(problems[0].Message, tt.message):
				t.Errorf("problems %+v; want %q", problems, tt.message)
			}
		})
	}
}

// What is not a path is refused by the descriptor alone.
func TestPathsThatAreNone(t *testing.T) {
	t.Parallel()
	for path, fine := range map[string]bool{
		"type": true, "data.type": true, "items.*.name": true, "0.x": true, "header:X-Event": true, "@type": true,
		"": false, ".": false, "a.": false, ".a": false, "a..b": false, "a b": false, "header:X Event": false,
	} {
		_, problems := New("test").Describe().ReadSettings(map[string]any{"event": path})
		if (len(problems) == 0) != fine {
			t.Errorf("%q: %v", path, problems)
		}
	}
}
