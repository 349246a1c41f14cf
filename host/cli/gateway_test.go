package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Which gateway a call means, by its flags and its environment.
func TestFind(t *testing.T) {
	t.Parallel()
	const key = "s3cret"
	for name, tt := range map[string]struct {
		args []string
		env  map[string]string
		url  string // of the client; empty for a project of this machine
		bad  string // what the usage error says
		said string // on stderr
	}{
		"nothing said":             {},
		"project":                  {args: []string{"-p", "x"}},
		"flag":                     {args: []string{"--url", "https://gw.example.com/"}, env: map[string]string{"AL_API_KEY": key}, url: "https://gw.example.com"},
		"path":                     {args: []string{"--url", "https://example.com/al/"}, env: map[string]string{"AL_API_KEY": key}, url: "https://example.com/al"},
		"environment":              {env: map[string]string{"AL_URL": "https://gw.example.com", "AL_API_KEY": key}, url: "https://gw.example.com"},
		"flag before environment":  {args: []string{"--url", "https://a.example"}, env: map[string]string{"AL_URL": "https://b.example", "AL_API_KEY": key}, url: "https://a.example"},
		"-p before environment":    {args: []string{"-p", "x"}, env: map[string]string{"AL_URL": "https://b.example", "AL_API_KEY": key}},
		"both flags":               {args: []string{"-p", "x", "--url", "https://a.example"}, bad: "project url"},
		"no key":                   {args: []string{"--url", "https://a.example"}, bad: "AL_API_KEY"},
		"no scheme":                {args: []string{"--url", "gw.example.com:8080"}, env: map[string]string{"AL_API_KEY": key}, bad: "looks like https://"},
		"another scheme":           {args: []string{"--url", "ftp://gw.example.com"}, env: map[string]string{"AL_API_KEY": key}, bad: "looks like https://"},
		"no URL at all":            {args: []string{"--url", "https://a b"}, env: map[string]string{"AL_API_KEY": key}, bad: "looks like https://"},
		"a password in no URL":     {args: []string{"--url", "https://al:hunter2@a b"}, bad: "looks like https://"},
		"a password in it":         {args: []string{"--url", "https://al:hunter2@gw.example.com"}, bad: "holds no password"},
		"a query":                  {args: []string{"--url", "https://gw.example.com?x=1"}, bad: "leave out"},
		"in the clear":             {args: []string{"--url", "http://gw.example.com"}, env: map[string]string{"AL_API_KEY": key}, url: "http://gw.example.com", said: "unencrypted"},
		"in the clear, to oneself": {args: []string{"--url", "http://127.0.0.1:8080"}, env: map[string]string{"AL_API_KEY": key}, url: "http://127.0.0.1:8080"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			s := Streams{Err: &said, Getenv: func(name string) string { return tt.env[name] }}
			var w where
			var got gateway
			cmd := &cobra.Command{
				Args: words(cobra.NoArgs), SilenceErrors: true, SilenceUsage: true,
				RunE: func(cmd *cobra.Command, _ []string) (err error) {
					got, err = w.find(cmd, s)
					return err
				},
			}
			gatewayFlags(cmd, &w)
			cmd.SetArgs(append([]string{}, tt.args...))
			err := cmd.Execute()
			if tt.bad != "" { // in the words of the call, but for what is in the environment
				var usage *usageError
				if errors.As(err, &usage) == (name == "no key") || !strings.Contains(err.Error(), tt.bad) || strings.Contains(err.Error(), "hunter2") {
					t.Fatalf("got %v; want an error with %q", err, tt.bad)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if (tt.said == "") != (said.Len() == 0) || !strings.Contains(said.String(), tt.said) || strings.Contains(said.String(), key) {
				t.Errorf("said %q; want %q", said.String(), tt.said)
			}
			switch {
			case got.local() && tt.url != "":
				t.Errorf("found a project; want %s", tt.url)
			case !got.local() && (got.remote.URL != tt.url || got.remote.Key != key):
				t.Errorf("found %s with key %q; want %s", got.remote.URL, got.remote.Key, tt.url)
			}
		})
	}
}
