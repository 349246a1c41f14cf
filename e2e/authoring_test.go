//go:build e2e

package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// buildPatience is for a compiler with cold caches, or a slow registry.
const buildPatience = 10 * time.Minute

// built runs what an author runs, in a folder of the repository.
func built(t *testing.T, dir string, env []string, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s in %s: %v\n%s", strings.Join(words, " "), dir, err, out)
	}
}

// needsNode skips where there is no Node to run a provider with, or no npm to
// build one. With AL_NEED_NODE set, as .ci/run does, that is a failure.
func needsNode(t *testing.T) {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("AL_NEED_NODE") != "" {
		skip = t.Fatalf
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			skip("%s is not installed, so the provider in TypeScript is not tested; .ci/run installs it", tool)
		}
	}
	out, err := exec.Command("node", "-p", "process.versions.node.split('.')[0]").Output()
	major, convErr := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || convErr != nil || major < 20 {
		skip("the provider in TypeScript wants Node 20 or later, and this is %s (%v): it is not tested", out, err)
	}
}

// copied is a folder of the repository in one of the test's own, without what was
// built or installed there: tests leave the repository as it is.
func copied(t *testing.T, dir string) string {
	t.Helper()
	into := filepath.Join(t.TempDir(), filepath.Base(dir))
	for _, name := range tracked(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(into, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return into
}

// tracked lists the files of a folder but for those that .gitignore is about.
func tracked(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "dist" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A provider from outside of this repository's modules, in Go.
func TestExampleProviderInGo(t *testing.T) {
	t.Parallel()
	const dir = "../examples/providers/stripe"
	binary := filepath.Join(t.TempDir(), "al-provider-stripe")
	built(t, dir, []string{"GOWORK=off", "CGO_ENABLED=0"}, "go", "build", "-trimpath", "-buildvcs=false", "-o", binary, ".")
	const key = "whsec_0123456789abcdef0123456789abcdef"
	dropIn(t, example{
		binary: binary, cases: filepath.Join(dir, "cases"), typ: "stripe", credential: "stripe_webhook_secret", secret: key,
		kit:   []string{"--tolerance", "5m", "--event", "invoice.paid", "--event", "customer.subscription.updated", "--always", "mode=livemode is false where it is missing"},
		event: "invoice.paid", body: `{"id":"evt_1","object":"event","type":"invoice.paid","created":1,"data":{"object":{"id":"in_1"}}}`,
		sign: func(h http.Header, body string) {
			now := strconv.FormatInt(time.Now().Unix(), 10)
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write([]byte(now + "." + body))
			h.Set("Stripe-Signature", "t="+now+",v1="+hex.EncodeToString(mac.Sum(nil)))
		},
	})
}

// A provider without Go, and without our SDK.
func TestExampleProviderInTypeScript(t *testing.T) {
	t.Parallel()
	needsNode(t)
	dir := copied(t, "../examples/providers/standard-webhooks")
	built(t, dir, nil, "npm", "ci", "--no-fund", "--no-audit")
	built(t, dir, nil, "npm", "run", "check")
	built(t, dir, nil, "npm", "run", "build")
	key := []byte("0123456789abcdef01234567")
	dropIn(t, example{
		binary: filepath.Join(dir, "dist", "al-provider-standardwebhooks"), cases: filepath.Join(dir, "cases"),
		typ: "standardwebhooks", credential: "standardwebhooks_secret", secret: "whsec_" + base64.StdEncoding.EncodeToString(key),
		kit:   []string{"--tolerance", "5m", "--event", "order.created", "--event", "ping"},
		event: "order.created", body: `{"type":"order.created","data":{"order":"A-1"}}`,
		sign: func(h http.Header, body string) {
			now := strconv.FormatInt(time.Now().Unix(), 10)
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte("msg_1." + now + "." + body))
			h.Set("Webhook-Id", "msg_1")
			h.Set("Webhook-Timestamp", now)
			h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		},
	})
}

// example is a provider that somebody else wrote, and one delivery for it.
type example struct {
	binary, cases, typ, credential, secret string
	kit                                    []string
	event, body                            string
	sign                                   func(http.Header, string)
}

// dropIn runs the conformance kit on a provider, puts it where a gateway looks,
// and has a signed delivery start an agent. An unsigned one does not.
func dropIn(t *testing.T, x example) {
	t.Helper()
	p := newProject(t, map[string]string{
		"agents/dev/config.toml": "[[webhooks]]\nsource = \"shop\"\nevents = [\"" + x.event + "\"]\n",
		"agents/dev/SKILL.md":    "Look at it.\n",
	})
	p.write("config.toml", "[runner]\ncommand = [\"true\"]\n[webhooks.shop]\ntype = \""+x.typ+"\"\ncredential = \"main\"\n")
	out, code := p.al(append([]string{"plugin", "test", x.binary, "--cases", x.cases}, x.kit...)...)
	if code != 0 || !strings.Contains(out, ": passed") {
		t.Fatalf("al plugin test: exit code %d\n%s", code, out)
	}
	t.Log(out)

	program, err := os.ReadFile(x.binary)
	if err != nil {
		t.Fatal(err)
	}
	plugins := filepath.Join(p.bin, "plugins")
	if err := os.MkdirAll(plugins, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(plugins, "al-provider-"+x.typ), program, 0o700); err != nil {
		t.Fatal(err)
	}
	p.credential(x.credential, "main", "secret", x.secret)
	g := p.start()
	send := func(sign func(http.Header, string)) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/webhooks/"+x.typ, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		sign(req.Header, x.body)
		return g.answered(req)
	}
	if a := send(func(http.Header, string) {}); a.code != http.StatusUnauthorized {
		t.Errorf("unsigned: %+v", a)
	}
	if a := send(x.sign); a.code != http.StatusOK || a.Queued != 1 {
		t.Errorf("signed: %+v\n%s", a, g.log)
	}
	g.await("the agent has run", func() bool {
		s := g.stat()
		return s.Agents[0].LastRun != nil && s.Agents[0].LastRun.State == "done"
	})
	if a := send(x.sign); a.code != http.StatusOK || !a.Duplicate {
		t.Errorf("once more: %+v", a)
	}
	g.stop()
}

// answered sends a request that is ready.
func (g *gateway) answered(req *http.Request) answer {
	g.t.Helper()
	a, err := answerTo(req)
	if err != nil {
		g.t.Fatalf("%s: %v\n%s", req.URL, err, g.log)
	}
	return a
}
