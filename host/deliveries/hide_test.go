package deliveries

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/sdk"
)

func hiderFor(values ...any) hider {
	return hiderOf([]sdk.Event{{Extra: map[string]any{"hidden": values}, Sensitive: []string{"hidden"}}})
}

func TestABodyIsShownWithoutWhatIsSensitive(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	for name, tt := range map[string]struct {
		contentType, raw string
		want             Body
	}{
		"JSON, indented, in its own order": {
			"application/json", `{"b":1,"a":[true,null,"x"],"e":{},"l":[]}`,
			Body{Format: "json", Text: "{\n  \"b\": 1,\n  \"a\": [\n    true,\n    null,\n    \"x\"\n  ],\n  \"e\": {},\n  \"l\": []\n}"},
		},
		"JSON that is one value": {"", ` "x" `, Body{Format: "json", Text: `"x"`}},
		"numbers as they came":   {"", `[9007199254740993,1.50,-0]`, Body{Format: "json", Text: "[\n  9007199254740993,\n  1.50,\n  -0\n]"}},
		"a value that is sensitive, wherever it is": {
			"", `{"a":"s3cr<t","url":"https://x.example/s3cr%3Ct/go","n":4711,"list":["ok","s3cr<t"],"id":"47115"}`,
			Body{Format: "json", Text: "{\n  \"a\": \"***\",\n  \"url\": \"https://x.example/***/go\",\n  \"n\": \"***\",\n  \"list\": [\n    \"ok\",\n    \"***\"\n  ],\n  \"id\": \"***5\"\n}"},
		},
		"a short value that is sensitive, where it is all": {"", `["no","none"]`, Body{Format: "json", Text: "[\n  \"***\",\n  \"none\"\n]"}},
		"what is called a secret": {
			"", `{"token":"a","access_token":"b","clientSecret":7,"tokens":[{"id":"c","n":1}],"token_count":"d","api":{"key":"e"},"apiKey":"f","empty_token":"","no_token":null}`,
			Body{Format: "json", Text: strings.Join([]string{
				`{`, `  "token": "***",`, `  "access_token": "***",`, `  "clientSecret": "***",`,
				`  "tokens": [`, `    {`, `      "id": "***",`, `      "n": "***"`, `    }`, `  ],`,
				`  "token_count": "d",`, `  "api": {`, `    "key": "e"`, `  },`, `  "apiKey": "***",`, `  "empty_token": "",`, `  "no_token": null`, `}`,
			}, "\n")},
		},
		"a form, field by field": {
			form + "; charset=utf-8", `token=abc&payload=%7B%22a%22%3A%22s3cr%3Ct%22%7D&text=say+s3cr%3Ct&odd=%zz&flag`,
			Body{Format: "form", Text: "token = ***\npayload = {\n  \"a\": \"***\"\n}\ntext = say ***\nodd = %zz\nflag = \n"},
		},
		"text":            {"text/plain", "it is s3cr<t, or s3cr%3Ct", Body{Format: "text", Text: "it is ***, or ***"}},
		"JSON and more":   {"application/json", `{"a":"s3cr<t"} x`, Body{Format: "text", Text: `{"a":"***"} x`}},
		"JSON cut off":    {"application/json", `{"a":"s3cr<t`, Body{Format: "text", Text: `{"a":"***`}},
		"two JSON values": {"application/json", `{} {}`, Body{Format: "text", Text: `{} {}`}},
		"bytes":           {"", "\xff\xfe", Body{Format: "binary"}},
		"nothing":         {"", "", Body{Format: "empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hiderFor("s3cr<t", json.Number("4711"), "no")
			if diff := cmp.Diff(tt.want, h.body(tt.contentType, []byte(tt.raw))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestALargeBodyIsCut(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("s3cret", 20)
	h := hiderFor(secret)
	for name, tt := range map[string]struct {
		raw string
		cut bool
	}{
		"JSON": {`{"a":"` + strings.Repeat("x", 2*maxShown) + `","token":"` + secret + `"}`, true},
		// The end of what is shown lies within the secret, whatever its exact place.
		"text":        {strings.Repeat("x", maxShown-50) + secret + strings.Repeat("x", maxShown), true},
		"deeply":      {strings.Repeat("[", 5000) + strings.Repeat("]", 5000), true},
		"too deeply":  {strings.Repeat("[", 20000), true},
		"many values": {"[" + strings.Repeat(`"`+secret+`",`, 20000) + "0]", false},
	} {
		got := h.body("", []byte(tt.raw))
		if len(got.Text) > maxShown || got.Truncated != tt.cut {
			t.Errorf("%s: %d bytes shown, cut: %v", name, len(got.Text), got.Truncated)
		}
		if strings.Contains(got.Text, "s3cret") {
			t.Errorf("%s: part of a secret is shown", name)
		}
	}
}

func TestHeadersAndQueriesAreShownWithoutWhatIsSensitive(t *testing.T) {
	t.Parallel()
	h := hiderFor("s3cr<t")
	got := h.header(http.Header{
		"X-Event": {"push", "s3cr<t"}, "X-Vendor-Token": {"abc"}, "X-Api-Key": {"def"}, "Content-Type": {"text/plain"},
	})
	want := http.Header{"X-Event": {"push", "***"}, "X-Vendor-Token": {"***"}, "X-Api-Key": {"***"}, "Content-Type": {"text/plain"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if got, want := h.query("a=%20b&token=x%20y&c=s3cr%3Ct&d"), "a=%20b&token=***&c=***&d"; got != want {
		t.Errorf("query %q, want %q", got, want)
	}
}

func TestNamesOfSecrets(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"token", "TOKEN", "x-auth-token", "accessToken", "client_secret", "Password", "set-cookie", "apiKey", "api_key", "private-key", "X-Hub-Signature", "response_url"} {
		if !isSecretName(name) {
			t.Errorf("%s: is shown", name)
		}
	}
	for _, name := range []string{"", "tokenize", "token_count", "key", "keyword", "secretary", "monkey", "cookies_accepted", "url", "html_url", "signature_url"} {
		if isSecretName(name) {
			t.Errorf("%s: is hidden", name)
		}
	}
}

// Whatever a stranger sends, what is shown is bounded, valid and without the
// secret.
func FuzzBody(f *testing.F) {
	f.Add("application/json", `{"a":"b","token":["hidden-value"]}`)
	f.Add("application/x-www-form-urlencoded", "a=b&payload=%7B%22a%22%3A%22hidden-value%22%7D")
	f.Add("text/plain", "hidden-value\xff")
	h := hiderFor("hidden-value")
	f.Fuzz(func(t *testing.T, contentType, raw string) {
		got := h.body(contentType, []byte(raw))
		if strings.Contains(got.Text, "hidden-value") {
			t.Errorf("shows the secret: %q", got.Text)
		}
		if len(got.Text) > maxShown {
			t.Errorf("%d bytes", len(got.Text))
		}
		if got.Format == jsonFormat && !got.Truncated && !json.Valid([]byte(got.Text)) {
			t.Errorf("no JSON any more: %q", got.Text)
		}
	})
}
