package provider

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

func TestPaths(t *testing.T) {
	t.Parallel()
	body := `{"a":{"b":"deep","n":12345678901234567890,"t":true,"e":"","z":null},"list":[{"x":"1"},{"x":"2","y":"3"},"bare"],"*":"star","0":"zero"}`
	for path, want := range map[string][]string{
		"a.b":        {"deep"},
		"a.n":        {"12345678901234567890"}, // digit by digit
		"a.t":        {"true"},
		"a.e":        nil, // empty
		"a.z":        nil,
		"a":          nil, // an object is no value
		"a.b.c":      nil, // nothing is below a text
		"missing":    nil,
		"list.*.x":   {"1", "2"},
		"list.1.x":   {"2"},
		"list.1.*":   {"2", "3"},
		"list.*":     {"bare"},
		"list.3":     nil,
		"a.*":        {"deep", "12345678901234567890", "true"},
		"0":          {"zero"},
		"header:x-a": {"of a header"},
		"header:x-b": nil,
	} {
		f := newFind()
		for _, other := range []string{"a.b", "list.*.x", "list.1.x", "*"} { // paths do not hinder each other
			f.add(other)
		}
		f.add(path)
		if err := f.read([]byte(body)); err != nil {
			t.Fatal(err)
		}
		f.headers(http.Header{"X-A": {"of a header"}})
		if got := f.all(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q; want %q", path, got, want)
		}
	}
}

func TestBodiesThatAreNotRead(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":              "",
		"not json":           "hello",
		"cut off":            `{"secret-text":"a`,
		"two values":         `{} {}`,
		"not utf-8":          "{\"a\":\"\xff\"}",
		"name twice":         `{"a":1,"a":2}`,
		"nested without end": strings.Repeat("[", 1<<20),
		"nested too deep":    strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
	} {
		for _, path := range []string{"a", "*.*.*", "secret-text"} {
			req := sdk.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body), Settings: settle(t, map[string]any{"event": path})}
			events, err := New("test").Parse(t.Context(), req)
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Errorf("%s, %s: %v, %v; want unparseable", name, path, events, err)
			} else if len(err.Error()) > 120 || strings.Contains(err.Error(), "secret-text") {
				t.Errorf("%s: the error quotes the body: %v", name, err)
			}
		}
	}
}

func TestWhatOnePathFindsIsBounded(t *testing.T) {
	t.Parallel()
	body := "[" + strings.Repeat(`"x",`, 10_000) + `"x"]`
	req := sdk.Request{Body: []byte(body), Settings: settle(t, map[string]any{"attributes": map[string]any{"all": "*"}})}
	events, err := New("test").Parse(t.Context(), req)
	if err != nil || len(events[0].Attributes["all"]) != maxValues {
		t.Errorf("%d values, %v", len(events[0].Attributes["all"]), err)
	}
	large := fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", maxPayload))
	if events, err = New("test").Parse(t.Context(), sdk.Request{Body: []byte(large)}); err != nil || events[0].Extra != nil {
		t.Errorf("a large body is handed to agents whole: %v", err)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1767225600":                "2026-01-01T00:00:00Z",
		"1767225600123":             "2026-01-01T00:00:00.123Z",
		"2026-01-01T01:00:00+01:00": "2026-01-01T00:00:00Z",
		"yesterday":                 "0001-01-01T00:00:00Z",
		"99999999999999999":         "0001-01-01T00:00:00Z",
	} {
		if got := timeOf(text).UTC().Format("2006-01-02T15:04:05.999Z07:00"); got != want {
			t.Errorf("%s: %s; want %s", text, got, want)
		}
	}
}

// A secret of the wrong form is the operator's business, and is not quoted.
func TestASecretThatIsNotWhatTheSettingsSay(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"hex", "base64"} {
		req := sdk.Request{
			Header:   http.Header{"X-Signature": {strings.Repeat("0a", 32)}},
			Settings: settle(t, map[string]any{"secretEncoding": encoding}),
		}
		secrets := []sdk.Secret{{Source: "s", Instance: "default", Fields: map[string]string{"secret": "$$not-that$$"}}}
		_, err := New("test").Verify(t.Context(), req, secrets)
		if !errors.Is(err, sdk.ErrCredential) || strings.Contains(err.Error(), "$") || !strings.Contains(err.Error(), encoding) {
			t.Errorf("%s: %v", encoding, err)
		}
	}
}
