package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/sdk"
)

// A wrongly signed request has to be refused with 401, and what else is answered
// says what is wrong.
func TestKnock(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		401: "", 200: "answered a wrongly signed request with 200 instead of 401", 302: "with 302 instead",
		404: "runs an older configuration", 503: "can not verify its deliveries (503)",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.URL.Path != "/webhooks/bell/home" || r.Header.Get("X-Sig") == "" || r.Header.Get("X-Other") == "" {
				t.Errorf("asked %s %s %v", r.Method, r.URL, r.Header)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		}))
		got, err := knock(t.Context(), server.URL, config.Source{Name: "home", Type: "bell"}, sdk.Descriptor{SignatureHeaders: []string{"X-Sig", "X-Other"}})
		server.Close()
		if err != nil || (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%d: %q, %v; want %q", code, got, err, want)
		}
	}
	if _, err := knock(t.Context(), "http://127.0.0.1:1", config.Source{Name: "home", Type: "bell"}, sdk.Descriptor{}); err == nil {
		t.Error("nobody is there, and no error")
	}
}

func TestIgnores(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"/.al/\n": true, ".al": true, "# x\n  .al/  \n": true, "**/.al/": true, "/p/.al": false,
		"": false, "al\n": false, "#.al": false, "!.al": false,
	} {
		dir := t.TempDir()
		if err := appendLine(dir+"/.gitignore", text); err != nil {
			t.Fatal(err)
		}
		if got := ignores(dir+"/.gitignore", ".al"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
