package sdk_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// shop takes what any shop sends: the header with its token and the field with
// the kind of event are settings of the source.
type shop struct{}

func (shop) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "shop", Name: "Shop",
		Credential: sdk.Credential{Type: "shop_token", Fields: []sdk.Field{{Name: "token", Secret: true}}},
		Filters:    []sdk.Filter{{Name: "events", Attribute: "event"}},
		Settings: []sdk.Setting{
			{Name: "header", Help: "the header with the token", Required: true, SignatureHeader: true},
			{Name: "event", Default: "sale", Pattern: "[a-z]+"},
			{Name: "attributes", Kind: sdk.TableSetting, Filters: &sdk.Filter{}},
			{Name: "mode", Values: []string{"test", "live"}},
			{Name: "strict", Kind: sdk.BoolSetting, Default: true},
			{Name: "most", Kind: sdk.IntegerSetting, Default: 10},
			{Name: "tolerance", Kind: sdk.DurationSetting, Default: 5 * time.Minute},
			{Name: "names", Kind: sdk.ListSetting, Pattern: "[a-z]+"},
		},
	}
}

func (shop) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	return sdk.VerifyToken(req.Header, secrets, "token", req.Settings.Text("header"), "")
}

func (shop) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	if req.Settings.Text("event") == "broken" {
		return nil, sdk.Unparseable("no event")
	}
	return []sdk.Event{{Name: req.Settings.Text("event")}}, nil
}

func (shop) CheckSettings(context.Context, sdk.Source) ([]sdk.SettingProblem, error) { return nil, nil }

func shopSource(t *testing.T, name string, written map[string]any) sdk.Source {
	t.Helper()
	settings, problems := shop{}.Describe().ReadSettings(written)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return sdk.Source{Name: name, Settings: settings}
}

func token(source, value string) sdk.Secret {
	return sdk.Secret{Source: source, Instance: "default", Fields: map[string]string{"token": value}}
}

func TestARequestIsReadByTheSettingsOfWhoSignedIt(t *testing.T) {
	t.Parallel()
	east := shopSource(t, "east", map[string]any{"header": "X-East", "event": "east"})
	west := shopSource(t, "west", map[string]any{"header": "X-West", "event": "west"})
	same := shopSource(t, "same", map[string]any{"header": "X-West", "event": "west"})
	other := shopSource(t, "other", map[string]any{"header": "X-West", "event": "other"})
	broken := shopSource(t, "broken", map[string]any{"header": "X-West", "event": "broken"})
	open := shopSource(t, "open", map[string]any{"header": "X-Open", "event": "open"})
	open.Unsigned = true
	type events map[string][]string // names of events, and the sources that they are for
	for name, tt := range map[string]struct {
		sources  []sdk.Source
		secrets  []sdk.Secret
		header   http.Header
		unsigned bool
		which    sdk.Which
		events   events
		err      error
	}{
		"by its own header": {
			sources: []sdk.Source{east, west}, secrets: []sdk.Secret{token("east", "e"), token("west", "w")},
			header: http.Header{"X-West": {"w"}}, which: sdk.Which{1}, events: events{"west": nil},
		},
		"a secret is no good in the header of another source": {
			sources: []sdk.Source{east, west}, secrets: []sdk.Secret{token("east", "e"), token("west", "w")},
			header: http.Header{"X-East": {"w"}}, err: sdk.ErrBadSignature,
		},
		"two that agree are one event": {
			sources: []sdk.Source{west, east, same}, secrets: []sdk.Secret{token("west", "w"), token("east", "w"), token("same", "w")},
			header: http.Header{"X-West": {"w"}}, which: sdk.Which{0, 2}, events: events{"west": nil},
		},
		"two that differ are an event each": {
			sources: []sdk.Source{west, other}, secrets: []sdk.Secret{token("west", "w"), token("other", "w")},
			header: http.Header{"X-West": {"w"}}, which: sdk.Which{0, 1}, events: events{"west": {"west"}, "other": {"other"}},
		},
		"one that can not read it does not keep the other from it": {
			sources: []sdk.Source{broken, west}, secrets: []sdk.Secret{token("broken", "w"), token("west", "w")},
			header: http.Header{"X-West": {"w"}}, which: sdk.Which{0, 1}, events: events{"west": {"west"}},
		},
		"none that can read it": {
			sources: []sdk.Source{broken}, secrets: []sdk.Secret{token("broken", "w")},
			header: http.Header{"X-West": {"w"}}, which: sdk.Which{0}, err: sdk.ErrUnparseable,
		},
		"unsigned is read by the settings of who takes that": {
			sources: []sdk.Source{west, open}, secrets: []sdk.Secret{token("west", "w")}, unsigned: true,
			header: http.Header{}, events: events{"open": nil},
		},
		"a wrong signature of one source is never unsigned for another": {
			sources: []sdk.Source{west, open}, secrets: []sdk.Secret{token("west", "w")}, unsigned: true,
			header: http.Header{"X-West": {"wrong"}}, err: sdk.ErrBadSignature,
		},
		"a host that knows no settings gets the defaults": {
			secrets: []sdk.Secret{token("west", "w")}, unsigned: true, header: http.Header{}, events: events{"sale": nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := sdk.Request{Method: http.MethodPost, Header: tt.header, Sources: tt.sources}
			d, err := sdk.Deliver(t.Context(), shop{}, req, tt.secrets, sdk.DeliverOptions{AllowUnsigned: tt.unsigned})
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Fatalf("error %v; want %v", err, tt.err)
			}
			if !reflect.DeepEqual(d.Which, tt.which) {
				t.Errorf("which %v; want %v", d.Which, tt.which)
			}
			var got events
			for _, e := range d.Events {
				if got == nil {
					got = events{}
				}
				got[e.Name] = e.Sources
			}
			if !reflect.DeepEqual(got, tt.events) {
				t.Errorf("events %v; want %v", got, tt.events)
			}
		})
	}
}

func TestSettingsAreReadAndCompleted(t *testing.T) {
	t.Parallel()
	got, problems := shop{}.Describe().ReadSettings(map[string]any{
		"header": "X-Shop", "attributes": map[string]any{"status": "data.status"}, "most": int64(3), "tolerance": "1m30s", "names": "a",
	})
	want := sdk.Settings{
		"header": "X-Shop", "event": "sale", "attributes": map[string]string{"status": "data.status"},
		"strict": true, "most": int64(3), "tolerance": 90 * time.Second, "names": []string{"a"},
	}
	if len(problems) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, problems, want)
	}
	if got.Has("mode") || got.Text("mode") != "" || !got.Has("event") {
		t.Error("what is not written and has no default is not there")
	}

	d := shop{}.Describe().With(got)
	if !reflect.DeepEqual(d.SignatureHeaders, []string{"X-Shop"}) {
		t.Errorf("signature headers %q", d.SignatureHeaders)
	}
	if len(d.Filters) != 2 || d.Filters[1].Name != "status" || d.Filters[1].Attribute != "status" {
		t.Errorf("filters %+v", d.Filters)
	}
	if again := (shop{}).Describe(); len(again.SignatureHeaders) != 0 || len(again.Filters) != 1 {
		t.Error("the descriptor of the type has changed")
	}
}

func TestAPersonIsToldWhatIsWrongWithSettings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		written       map[string]any
		setting, item string
		message       string // part of it
	}{
		"missing":              {map[string]any{}, "header", "", "is missing: the header with the token"},
		"empty":                {map[string]any{"header": ""}, "header", "", "is empty"},
		"unknown":              {map[string]any{"heder": "x", "header": "X"}, "heder", "", "is not a setting of shop"},
		"not a string":         {map[string]any{"header": int64(3)}, "header", "", "must be a string, got integer"},
		"not a header":         {map[string]any{"header": "X Shop"}, "header", "", `"X Shop" is not the name of a header`},
		"pattern":              {map[string]any{"header": "X", "event": "Sale!"}, "event", "", `can not be "Sale!"`},
		"known values":         {map[string]any{"header": "X", "mode": "lvie"}, "mode", "", `must be "test" or "live", got "lvie"`},
		"not a bool":           {map[string]any{"header": "X", "strict": "yes"}, "strict", "", "must be true or false, got string"},
		"not an integer":       {map[string]any{"header": "X", "most": 1.5}, "most", "", "must be an integer, got float"},
		"not a duration":       {map[string]any{"header": "X", "tolerance": "soon"}, "tolerance", "", "must be seconds (90)"},
		"negative duration":    {map[string]any{"header": "X", "tolerance": int64(-1)}, "tolerance", "", "must be seconds (90)"},
		"endless duration":     {map[string]any{"header": "X", "tolerance": int64(1 << 62)}, "tolerance", "", "at most a year"},
		"item of a list":       {map[string]any{"header": "X", "names": []any{"a", int64(1)}}, "names", "1", "must be a string, got integer"},
		"pattern of an item":   {map[string]any{"header": "X", "names": []any{"a", "B"}}, "names", "1", `can not be "B"`},
		"not a table":          {map[string]any{"header": "X", "attributes": "a"}, "attributes", "", "must be a table of strings, got string"},
		"table in a table":     {map[string]any{"header": "X", "attributes": map[string]any{"a": map[string]any{}}}, "attributes", "a", "must be a string, got table"},
		"a filter twice":       {map[string]any{"header": "X", "attributes": map[string]any{"events": "a"}}, "attributes", "events", "is a filter of shop already"},
		"a key of triggers":    {map[string]any{"header": "X", "attributes": map[string]any{"source": "a"}}, "attributes", "source", "is a key that every trigger has"},
		"not a name of filter": {map[string]any{"header": "X", "attributes": map[string]any{"a b": "a"}}, "attributes", "a b", "can not be a filter"},
		"too many":             {map[string]any{"header": "X", "names": make([]any, 1000)}, "names", "", "more than 200"},
		"too long":             {map[string]any{"header": "X", "event": strings.Repeat("a", 10000)}, "event", "", "longer than 2000"},
		"control characters":   {map[string]any{"header": "X", "event": "a\nb"}, "event", "", "control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, problems := shop{}.Describe().ReadSettings(tt.written)
			if len(problems) != 1 {
				t.Fatalf("problems %+v; want one", problems)
			}
			p := problems[0]
			if p.Setting != tt.setting || p.Item != tt.item || !strings.Contains(p.Message, tt.message) {
				t.Errorf("got %+v", p)
			}
			if settings.Has(p.Setting) {
				t.Error("a setting with a problem has a value")
			}
		})
	}
}

func TestAnAuthorIsToldWhatIsWrongWithSettings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		setting sdk.Setting
		want    string
	}{
		"fine":                      {sdk.Setting{Name: "other"}, ""},
		"a key of sources":          {sdk.Setting{Name: "credential"}, `"credential" is a key that every source has`},
		"like a credential's type":  {sdk.Setting{Name: "a_b"}, `"a_b" must be letters and digits`},
		"in capitals":               {sdk.Setting{Name: "Header"}, `"Header" must be letters and digits`},
		"twice":                     {sdk.Setting{Name: "event"}, `"event" is there twice`},
		"kind of the future":        {sdk.Setting{Name: "a", Kind: 17}, `kind 17 is none`},
		"pattern":                   {sdk.Setting{Name: "a", Pattern: "("}, `"a": pattern`},
		"pattern of a number":       {sdk.Setting{Name: "a", Kind: sdk.IntegerSetting, Pattern: "1"}, "only text has a pattern"},
		"header that is a number":   {sdk.Setting{Name: "a", Kind: sdk.IntegerSetting, SignatureHeader: true}, "named by text or by a list"},
		"filters of a text":         {sdk.Setting{Name: "a", Filters: &sdk.Filter{}}, "only a table declares filters"},
		"filters with a name":       {sdk.Setting{Name: "a", Kind: sdk.TableSetting, Filters: &sdk.Filter{Name: "b"}}, "leave both empty"},
		"filters that are none":     {sdk.Setting{Name: "a", Kind: sdk.TableSetting, Filters: &sdk.Filter{Kind: 9}}, "kind 9"},
		"default of another kind":   {sdk.Setting{Name: "a", Default: 1}, "its default must be a string"},
		"default that is not known": {sdk.Setting{Name: "a", Default: "x", Values: []string{"y"}}, `its default must be "y"`},
		"default that clashes":      {sdk.Setting{Name: "a", Kind: sdk.TableSetting, Filters: &sdk.Filter{}, Default: map[string]string{"events": "x"}}, `"events" is a filter`},
		"required with a default":   {sdk.Setting{Name: "a", Required: true, Default: "x"}, "required and has a default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := shop{}.Describe()
			d.Settings = append(d.Settings, tt.setting)
			err := d.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
}
