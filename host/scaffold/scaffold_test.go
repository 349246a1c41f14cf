package scaffold_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/scaffold"
	"github.com/action-llama/gateway/sdk/providertest"
)

func files(t *testing.T, p scaffold.Provider) map[string]string {
	t.Helper()
	list, err := p.Files()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range list {
		all[f.Name] = string(f.Text)
	}
	return all
}

func acme(scheme string) scaffold.Provider {
	return scaffold.Provider{Type: "acme", Language: scaffold.Go, Scheme: scheme, SDKVersion: "v1.4.0", Year: 2026}
}

// What a released al writes needs nothing but the SDK's version.
func TestAModuleOfAReleasedSDK(t *testing.T) {
	t.Parallel()
	all := files(t, acme("hmac-hex"))
	if got, want := all["go.mod"], "module al-provider-acme\n\ngo 1.26.0\n\nrequire github.com/action-llama/gateway/sdk v1.4.0\n"; got != want {
		t.Errorf("go.mod is %q", got)
	}
	sdkMod, err := os.ReadFile("../../sdk/go.mod")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this module is here without its repository")
	}
	if err != nil || !bytes.Contains(sdkMod, []byte("\ngo 1.26.0\n")) {
		t.Errorf("the SDK is of another version of Go than a new provider (%v):\n%s", err, sdkMod)
	}
	for _, name := range []string{"main.go", "provider.go", "provider_test.go", "README.md", "LICENSE", ".gitignore", "Makefile", ".github/workflows/ci.yml", "cases/bad-signature.txtar", "samples/ping.json"} {
		if all[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
}

// Nothing is left to fill in, and every case is one that the kit reads.
func TestFilesAreWhole(t *testing.T) {
	t.Parallel()
	left := regexp.MustCompile(`\[\[\.|\]\]\n\[\[|<no value>|TODO|FIXME`)
	each(t, func(t *testing.T, p scaffold.Provider) {
		for name, text := range files(t, p) {
			if at := left.FindString(text); at != "" {
				t.Errorf("%s has %q in it", name, at)
			}
			if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
				t.Errorf("%s does not end with one line end", name)
			}
			if strings.HasPrefix(name, "cases/") {
				if _, err := providertest.ParseCase(name, []byte(text)); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func each(t *testing.T, f func(*testing.T, scaffold.Provider)) {
	t.Helper()
	for _, scheme := range scaffold.SchemeNames() {
		t.Run(scheme, func(t *testing.T) { f(t, acme(scheme)) })
	}
	t.Run("typescript", func(t *testing.T) {
		p := acme("standard-webhooks")
		p.Language = scaffold.TypeScript
		f(t, p)
	})
}

// What is chosen ends up in programs, shells and pages.
func TestChoicesAreChecked(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	for want, change := range map[string]func(*scaffold.Provider){
		`type "Acme" must be lower-case`:      func(p *scaffold.Provider) { p.Type = "Acme" },
		`scheme "rot13" is none of hmac-hex`:  func(p *scaffold.Provider) { p.Scheme = "rot13" },
		`language "cobol" is none of go`:      func(p *scaffold.Provider) { p.Language = "cobol" },
		"change src/signature.ts":             func(p *scaffold.Provider) { p.Language = scaffold.TypeScript },
		`header "X Y": letters`:               func(p *scaffold.Provider) { p.Header = text("X Y") },
		`prefix "\"": a plain text`:           func(p *scaffold.Provider) { p.Prefix = text(`"`) },
		`name "$(id)": letters`:               func(p *scaffold.Provider) { p.Name = "$(id)" },
		`module "../x" is no path`:            func(p *scaffold.Provider) { p.Module = "../x" },
		"only where the scheme does not say ": func(p *scaffold.Provider) { p.Scheme, p.Header = "standard-webhooks", text("X-Y") },
	} {
		p := acme("hmac-hex")
		change(&p)
		if _, err := p.Files(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not what it says: %v", want, err)
		}
	}
}

// The example in TypeScript is what al plugin init writes; it has cases of its
// own beside.
func TestTheExampleIsWhatIsWritten(t *testing.T) {
	t.Parallel()
	const dir = "../../examples/providers/standard-webhooks"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("this module is here without its repository")
	}
	p := scaffold.Provider{Type: "standardwebhooks", Name: "Standard Webhooks", Language: scaffold.TypeScript, Scheme: "standard-webhooks", Year: 2026}
	for name, text := range files(t, p) {
		same(t, filepath.Join(dir, name), text)
	}
}

// The protocol is here once more, since a program in another language needs it.
func TestTheProtocolIsTheSDKs(t *testing.T) {
	t.Parallel()
	const name = "../../sdk/proto/actionllama/provider/v1/provider.proto"
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this module is here without its repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	same(t, "templates/typescript/proto/provider.proto.tmpl", string(text))
}

// same compares a file; UPDATE=1 rewrites it.
func same(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if string(got) == want {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Errorf("%s (%v) is not what it should be; UPDATE=1 go test ./scaffold rewrites it:\n%s", file, err, cmp.Diff(string(got), want))
		return
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
