package sdk_test

import (
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

func validDescriptor() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "acme-2",
		Credential: sdk.Credential{
			Type:   "acme_webhook_secret",
			Fields: []sdk.Field{{Name: "secret", Aliases: []string{"signing-key"}, Pattern: "^[0-9a-f]+$"}},
		},
		SignatureHeaders: []string{"X-Acme-Signature"},
		DeliveryIDHeader: "X-Acme-Delivery",
		Filters: []sdk.Filter{
			{Name: "events", Attribute: "event", Values: []string{"opened", "closed"}},
			{Name: "org", Kind: sdk.String, Attribute: "org"},
			{Name: "orgs", Attribute: "org"},
			{Name: "branches", Attribute: "branch", PassAbsent: true, MatchCase: true},
		},
		Example: map[string][]string{"events": {"Opened"}, "org": {"acme"}},
	}
}

func TestAnAuthorIsToldWhatIsWrongWithADescriptor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*sdk.Descriptor)
		want   string // part of the error; empty for none
	}{
		"nothing":                       {func(*sdk.Descriptor) {}, ""},
		"a provider without verify":     {func(d *sdk.Descriptor) { d.Credential, d.SignatureHeaders = sdk.Credential{}, nil }, ""},
		"a provider without filters":    {func(d *sdk.Descriptor) { d.Filters, d.Example = nil, nil }, ""},
		"no type":                       {func(d *sdk.Descriptor) { d.Type = "" }, `type ""`},
		"type in capitals":              {func(d *sdk.Descriptor) { d.Type = "Acme" }, `type "Acme"`},
		"type starts with a digit":      {func(d *sdk.Descriptor) { d.Type = "2acme" }, `type "2acme"`},
		"type is a path":                {func(d *sdk.Descriptor) { d.Type = "a/../b" }, `type "a/../b"`},
		"type of 33 characters":         {func(d *sdk.Descriptor) { d.Type = strings.Repeat("a", 33) }, "at most 32"},
		"type of 32 characters":         {func(d *sdk.Descriptor) { d.Type = strings.Repeat("a", 32) }, ""},
		"credential type":               {func(d *sdk.Descriptor) { d.Credential.Type = "acme-secret" }, `credential type "acme-secret"`},
		"field is a path":               {func(d *sdk.Descriptor) { d.Credential.Fields[0].Name = "../secret" }, `credential field "../secret"`},
		"alias is a path":               {func(d *sdk.Descriptor) { d.Credential.Fields[0].Aliases = []string{"a/b"} }, `credential field "a/b"`},
		"alias repeats its field":       {func(d *sdk.Descriptor) { d.Credential.Fields[0].Aliases = []string{"secret"} }, `"secret" is there twice`},
		"pattern":                       {func(d *sdk.Descriptor) { d.Credential.Fields[0].Pattern = "(" }, `"secret": pattern`},
		"verifies without header":       {func(d *sdk.Descriptor) { d.SignatureHeaders = nil }, "signature headers are missing"},
		"header without credential":     {func(d *sdk.Descriptor) { d.Credential = sdk.Credential{} }, "credential has no fields"},
		"signature header":              {func(d *sdk.Descriptor) { d.SignatureHeaders = []string{"X Acme"} }, `signature header "X Acme"`},
		"delivery id header":            {func(d *sdk.Descriptor) { d.DeliveryIDHeader = "X:Acme" }, `delivery id header "X:Acme"`},
		"filter without name":           {func(d *sdk.Descriptor) { d.Filters[3].Name = "" }, `filter ""`},
		"filter with a dot":             {func(d *sdk.Descriptor) { d.Filters[3].Name = "a.b" }, `filter "a.b"`},
		"filter hides a trigger's key":  {func(d *sdk.Descriptor) { d.Filters[3].Name = "source" }, `filter "source" is a key`},
		"filter twice":                  {func(d *sdk.Descriptor) { d.Filters[3].Name = "orgs" }, `filter "orgs" is there twice`},
		"filter of no kind":             {func(d *sdk.Descriptor) { d.Filters[0].Kind = 7 }, `filter "events": kind 7`},
		"filter looks at nothing":       {func(d *sdk.Descriptor) { d.Filters[0].Attribute = "" }, `filter "events": attribute is empty`},
		"empty known value":             {func(d *sdk.Descriptor) { d.Filters[0].Values = []string{"opened", ""} }, `filter "events": an empty string`},
		"disagreement on absence":       {func(d *sdk.Descriptor) { d.Filters[2].PassAbsent = true }, `filters "org" and "orgs" look at attribute "org" and must agree on PassAbsent`},
		"disagreement on case":          {func(d *sdk.Descriptor) { d.Filters[2].MatchCase = true }, `must agree on MatchCase`},
		"opt-in values without end":     {func(d *sdk.Descriptor) { d.Filters[3].OptIn = make([]string, 101) }, `filter "branches": 101 opt-in values are more than 100`},
		"empty opt-in value":            {func(d *sdk.Descriptor) { d.Filters[3].OptIn = []string{""} }, `filter "branches": an empty string`},
		"opt-in value twice":            {func(d *sdk.Descriptor) { d.Filters[0].OptIn = []string{"closed", "Closed"} }, `filter "events": the opt-in value "Closed" is there twice`},
		"unknown opt-in value":          {func(d *sdk.Descriptor) { d.Filters[0].OptIn = []string{"reopened"} }, `the opt-in value "reopened" is not among`},
		"known opt-in value":            {func(d *sdk.Descriptor) { d.Filters[0].OptIn = []string{"Closed"} }, ""},
		"opt-in where nothing is known": {func(d *sdk.Descriptor) { d.Filters[3].OptIn = []string{"main"} }, ""},
		"disagreement on opt-in":        {func(d *sdk.Descriptor) { d.Filters[2].OptIn = []string{"acme"} }, `filters "org" and "orgs" look at attribute "org" and must agree on OptIn`},
		"agreement on opt-in": {func(d *sdk.Descriptor) {
			d.Filters[1].OptIn, d.Filters[2].OptIn = []string{"a", "b"}, []string{"b", "a"}
		}, ""},
		"sample with a blank":        {func(d *sdk.Descriptor) { d.Samples = []sdk.Sample{{Name: "a b"}} }, `sample "a b"`},
		"sample twice":               {func(d *sdk.Descriptor) { d.Samples = []sdk.Sample{{Name: "a.b"}, {Name: "a.b"}} }, `sample "a.b" is there twice`},
		"example of no filter":       {func(d *sdk.Descriptor) { d.Example["nope"] = []string{"x"} }, `example uses "nope"`},
		"example without value":      {func(d *sdk.Descriptor) { d.Example["events"] = nil }, `example gives "events" no value`},
		"example with many":          {func(d *sdk.Descriptor) { d.Example["org"] = []string{"a", "b"} }, `example gives "org" 2 values`},
		"example with unknown value": {func(d *sdk.Descriptor) { d.Example["events"] = []string{"reopened"} }, `the value "reopened"`},
		"example in the wrong case": {func(d *sdk.Descriptor) {
			d.Filters[0].MatchCase = true
		}, `the value "Opened"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := validDescriptor()
			tt.change(&d)
			err := d.Validate()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && err == nil:
				t.Errorf("accepted, want an error with %q", tt.want)
			case tt.want != "" && !strings.Contains(err.Error(), tt.want):
				t.Errorf("error is %q, want %q in it", err, tt.want)
			case tt.want != "" && strings.Contains(err.Error(), "\n"):
				t.Errorf("one fault, but several errors: %q", err)
			}
		})
	}
}

func TestAllFaultsOfADescriptorShowAtOnce(t *testing.T) {
	t.Parallel()
	d := validDescriptor()
	d.Type = "Acme"
	d.Filters[0].Attribute = ""
	d.DeliveryIDHeader = "a b"
	if got := strings.Count(d.Validate().Error(), "\n") + 1; got != 3 {
		t.Errorf("%d lines, want 3: %v", got, d.Validate())
	}
}
