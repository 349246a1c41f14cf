//go:build e2e

package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const secret = "an e2e secret of some length"

// project is a project folder with its own credentials and its own copies of
// the binaries, so that a process can be told from another test's by its path.
type project struct {
	t   *testing.T
	dir string // of the project
	bin string
	env []string
}

// patience is how long anything may take that should take moments. It only
// bounds a test that hangs.
const patience = time.Minute

func newProject(t *testing.T, files map[string]string) *project {
	t.Helper()
	// Short, since sockets live below it.
	root, err := os.MkdirTemp("", "al-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("AL_SOAK") != "" {
			t.Logf("left for a look at it: %s", root)
			return
		}
		_ = os.RemoveAll(root)
	})
	p := &project{t: t, dir: filepath.Join(root, "p"), bin: filepath.Join(root, "bin")}
	p.env = append(os.Environ(), "AL_CREDENTIALS_DIR="+filepath.Join(root, "credentials"), "NO_COLOR=1", "HOME="+root)

	p.install("al")
	for _, match := range providerType.FindAllStringSubmatch(files["config.toml"], -1) {
		p.install("plugins/al-provider-" + match[1])
	}
	p.credential("github_webhook_secret", "main", "secret", secret)
	for name, text := range files {
		p.write(name, text)
	}
	return p
}

var providerType = regexp.MustCompile(`(?m)^type = "([a-z]+)"`)

// install copies one of the built binaries, once.
func (p *project) install(name string) {
	p.t.Helper()
	target := filepath.Join(p.bin, name)
	if _, err := os.Stat(target); err == nil {
		return
	}
	binary, err := os.ReadFile(filepath.Join("../bin", name))
	if err != nil {
		p.t.Fatalf("the binaries are not built; run make e2e: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(target, binary, 0o700); err != nil {
		p.t.Fatal(err)
	}
}

// standard is one source and one agent whose harness ends at once.
func standard(agent string) map[string]string {
	return map[string]string{
		"config.toml": `
scale = 4
[runner]
command = ["true"]
[webhooks.main]
type = "github"
credential = "main"
`,
		"agents/dev/config.toml": agent,
		"agents/dev/SKILL.md":    "Look at it.\n",
	}
}

const anyIssue = `
maxWorkQueueSize = 1000000
[[webhooks]]
source = "main"
events = ["issues"]
`

func (p *project) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) credential(typ, instance, field, value string) {
	p.t.Helper()
	dir := filepath.Join(filepath.Dir(p.dir), "credentials", typ, instance)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, field), []byte(value), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// al runs a command to its end.
func (p *project) al(args ...string) (output string, code int) {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(p.bin, "al"), args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// gateway is a running `al start`.
type gateway struct {
	*project
	cmd    *exec.Cmd
	url    string
	log    *lockedBuffer
	exited chan struct{}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (p *project) start(args ...string) *gateway {
	p.t.Helper()
	g := p.launch(args...)
	p.t.Cleanup(g.kill)
	g.awaitReady()
	return g
}

// launch is start without waiting for anything. Its caller ends the gateway.
func (p *project) launch(args ...string) *gateway {
	p.t.Helper()
	g := &gateway{project: p, log: &lockedBuffer{}, exited: make(chan struct{})}
	g.cmd = exec.Command(filepath.Join(p.bin, "al"), append([]string{"start", "-p", p.dir, "--port", "0"}, args...)...)
	g.cmd.Env = p.env
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	g.cmd.WaitDelay = 5 * time.Second
	if err := g.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { _ = g.cmd.Wait(); close(g.exited) }()
	return g
}

func (g *gateway) awaitReady() {
	g.t.Helper()
	g.await("ready", func() bool {
		if g.url == "" {
			g.url = g.address()
		}
		return g.url != "" && g.get("/ready") == http.StatusOK
	})
}

func (g *gateway) address() string {
	raw, err := os.ReadFile(filepath.Join(g.dir, ".al", "gateway.json"))
	if err != nil {
		return ""
	}
	var info struct {
		PID int    `json:"pid"`
		URL string `json:"url"`
	}
	if json.Unmarshal(raw, &info) != nil || info.PID != g.cmd.Process.Pid {
		return ""
	}
	return info.URL
}

// await waits for a fact.
func (g *gateway) await(what string, fact func() bool) {
	g.t.Helper()
	await(g.t, what, func() bool {
		select {
		case <-g.exited:
			g.t.Fatalf("the gateway ended while waiting for: %s\n%s", what, g.log)
		default:
		}
		return fact()
	}, func() string { return g.log.String() })
}

func await(t *testing.T, what string, fact func() bool, log func() string) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !fact() {
		select {
		case <-deadline.C:
			t.Fatalf("never happened: %s\n%s", what, log())
		case <-tick.C:
		}
	}
}

func (g *gateway) kill() {
	_ = g.cmd.Process.Signal(syscall.SIGKILL)
	<-g.exited
}

func (g *gateway) stop() {
	g.t.Helper()
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.exited:
	case <-time.After(patience):
		g.t.Fatalf("did not stop\n%s", g.log)
	}
	if code := g.cmd.ProcessState.ExitCode(); code != 0 {
		g.t.Fatalf("stopped with exit code %d\n%s", code, g.log)
	}
}

var httpClient = &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func (g *gateway) get(path string) int {
	code, _ := g.fetch(path)
	return code
}

// body reads what has to be there.
func (g *gateway) body(path string) string {
	g.t.Helper()
	code, text := g.fetch(path)
	if code != http.StatusOK {
		g.t.Fatalf("GET %s: %d\n%s", path, code, g.log)
	}
	return text
}

func (g *gateway) fetch(path string) (code int, text string) {
	resp, err := httpClient.Get(g.url + path)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(raw)
}

// delivery is a request as GitHub sends it.
type delivery struct {
	event, id string
	body      []byte
	secret    string
	header    map[string]string
	path      string
}

func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func issue(id string) delivery {
	return delivery{event: "issues", id: id, body: []byte(`{"action":"opened","issue":{"number":1,"title":"t","body":"b","html_url":"https://example.com/1","user":{"login":"ada"},"labels":[],"assignees":[]},"repository":{"full_name":"acme/widgets","owner":{"login":"acme"}},"sender":{"login":"ada"}}`)}
}

func (d delivery) request(url string) *http.Request {
	path := d.path
	if path == "" {
		path = "/webhooks/github"
	}
	req, err := http.NewRequest(http.MethodPost, url+path, bytes.NewReader(d.body))
	if err != nil {
		panic(err) // the URL is ours
	}
	key := d.secret
	if key == "" {
		key = secret
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", d.event)
	req.Header.Set("X-GitHub-Delivery", d.id)
	req.Header.Set("X-Hub-Signature-256", signature(key, d.body))
	for name, value := range d.header {
		if value == "" {
			req.Header.Del(name)
		} else {
			req.Header.Set(name, value)
		}
	}
	return req
}

// answer is what the gateway says to a delivery.
type answer struct {
	code      int
	header    http.Header
	text      string
	OK        bool   `json:"ok"`
	Receipt   string `json:"receipt"`
	Events    int    `json:"events"`
	Matched   int    `json:"matched"`
	Queued    int    `json:"queued"`
	Dropped   int    `json:"dropped"`
	Duplicate bool   `json:"duplicate"`
	Error     string `json:"error"`
}

func (g *gateway) send(d delivery) (answer, error) { return answerTo(d.request(g.url)) }

func answerTo(req *http.Request) (answer, error) {
	resp, err := httpClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{code: resp.StatusCode, header: resp.Header, text: strings.TrimSpace(string(raw))}
	_ = json.Unmarshal(raw, &a) // not every answer is ours
	return a, nil
}

func (g *gateway) mustSend(d delivery) answer {
	g.t.Helper()
	a, err := g.send(d)
	if err != nil {
		g.t.Fatalf("%s %s: %v\n%s", d.event, d.id, err, g.log)
	}
	return a
}

// status is the part of `al stat --json` that tests look at.
type status struct {
	Running   bool        `json:"running"`
	Agents    []agentStat `json:"agents"`
	Providers []struct {
		Type     string `json:"type"`
		State    string `json:"state"`
		PID      int    `json:"pid"`
		Restarts int    `json:"restarts"`
	} `json:"providers"`
}

type agentStat struct {
	Name    string `json:"name"`
	Running int    `json:"running"`
	Waiting int    `json:"waiting"`
	Dropped int    `json:"dropped"`
	LastRun *struct {
		ID    string `json:"id"`
		State string `json:"state"`
	} `json:"lastRun"`
}

func (p *project) stat() status {
	p.t.Helper()
	out, code := p.al("stat", "-p", p.dir, "--json")
	if code != 0 {
		p.t.Fatalf("al stat: exit code %d\n%s", code, out)
	}
	var s status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		p.t.Fatalf("al stat --json: %v\n%s", err, out)
	}
	return s
}

// processes lists the processes that run one of the project's binaries, by the
// name of the binary.
func (p *project) processes(name string) []int {
	p.t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		p.t.Fatal(err)
	}
	want := filepath.Join(p.bin, name)
	var pids []int
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || target != want {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(link, "/proc/%d/exe", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
