package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// project is what a measured gateway serves.
type project struct {
	agents int // of which the first waits for what is sent
	queue  int // its maxWorkQueueSize; 0 means large enough for everything
	// command is what a run executes. Without one it takes forever, so that
	// what is measured is taking deliveries in.
	command string // as it stands in TOML

	batched bool // with a provider process that takes several deliveries in a call

	store string // the URL of a database; empty for a file of its own

	vendors []vendor // instead: one agent that waits for all that these send
	public  ed25519.PublicKey
}

// gateway is a running gateway.
type gateway struct {
	cmd   *exec.Cmd // nil when somebody else started it
	pid   int
	root  string
	dir   string
	url   string
	ready time.Duration // from exec to /ready
	log   bytes.Buffer

	batched bool
	store   string
}

func (g *gateway) address() string { return strings.TrimPrefix(g.url, "http://") }

// launch starts a gateway on a project of its own: `al start`, or this program
// with the provider in process.
func launch(ctx context.Context, o options, p project, inProcess bool) (*gateway, error) {
	root, err := os.MkdirTemp("", "al-bench-")
	if err != nil {
		return nil, err
	}
	g := &gateway{root: root, dir: filepath.Join(root, "p"), batched: p.batched, store: p.store}
	if err := p.write(g.dir, filepath.Join(root, "credentials")); err != nil {
		return nil, err
	}
	if err := g.start(ctx, o, inProcess); err != nil {
		return nil, err
	}
	return g, nil
}

// start starts a gateway on the project that is there already.
func (g *gateway) start(ctx context.Context, o options, inProcess bool) error {
	g.url, g.pid = "", 0
	g.log.Reset()
	g.cmd = exec.Command(filepath.Join(absolute(o.bin), "al"), "start", "-p", g.dir, "--port", "0", "--log-level", "error")
	if inProcess {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		g.cmd = exec.Command(self, gatewayMode, g.dir)
	}
	g.cmd.Env = append(os.Environ(), "AL_CREDENTIALS_DIR="+filepath.Join(g.root, "credentials"))
	if g.batched {
		g.cmd.Env = append(g.cmd.Env, batchedEnv+"=1")
	}
	if g.store != "" {
		g.cmd.Env = append(g.cmd.Env, "AL_STORE_URL="+g.store, "AL_STORE_LEASE="+fleetLease.String())
	}
	g.cmd.Stdout, g.cmd.Stderr = &g.log, &g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := g.cmd.Start(); err != nil {
		return err
	}
	if err := g.waitReady(ctx); err != nil {
		g.stop()
		return fmt.Errorf("%w\n%s", err, g.log.String())
	}
	g.ready = time.Since(began)
	return nil
}

// kill ends a gateway as a crash does, and keeps its project.
func (g *gateway) kill() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
}

func (g *gateway) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		raw, err := os.ReadFile(filepath.Join(g.dir, ".al", "gateway.json"))
		var info struct {
			URL string `json:"url"`
			PID int    `json:"pid"`
		}
		known := err == nil && json.Unmarshal(raw, &info) == nil && info.URL != ""
		if known && (g.cmd == nil || info.PID == g.cmd.Process.Pid) { // else it is a killed one's
			g.url, g.pid = info.URL, info.PID
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/ready", nil)
			if err != nil {
				return err
			}
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					return nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the gateway is not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (g *gateway) stop() {
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	killer := time.AfterFunc(20*time.Second, func() { _ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) })
	_ = g.cmd.Wait()
	killer.Stop()
	_ = os.RemoveAll(g.root)
}

func (p project) write(dir, credentials string) error {
	queue := p.queue
	if queue == 0 {
		queue = 10_000_000
	}
	command := p.command
	if command == "" {
		command = `["sleep", "100000"]`
	}
	files := map[string]string{
		filepath.Join(credentials, "github_webhook_secret", "bench", "secret"): secret,
		filepath.Join(dir, "config.toml"): `
scale = 1
[gateway]
shutdownGrace = "0s"
[runner]
command = ` + command + `
[webhooks.github]
type = "github"
credential = "bench"
`,
	}
	for i := range p.agents {
		name := fmt.Sprintf("agent-%04d", i)
		labels := "agent"
		if i > 0 {
			labels = name
		}
		files[filepath.Join(dir, "agents", name, "config.toml")] = fmt.Sprintf(`
maxWorkQueueSize = %d
[[webhooks]]
source = "github"
events = ["issues"]
actions = ["labeled"]
labels = [%q]
`, queue, labels)
		files[filepath.Join(dir, "agents", name, "SKILL.md")] = "Look at it.\n"
	}
	if len(p.vendors) > 0 {
		files = vendorFiles(dir, credentials, p.vendors, p.public)
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// residentMiB is the memory that a process occupies.
func residentMiB(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw))
	pages, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// cpu is the processor time that a process has used.
func cpu(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// Fields are counted behind the name, which may contain anything.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		return 0
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs on Linux
	return time.Duration(user+system) * tick
}

// provider is the process id of the gateway's only provider, or 0.
func (g *gateway) provider() int {
	for _, pid := range g.providers() {
		return pid
	}
	return 0
}

// providers are the process ids of the gateway's providers, by type.
func (g *gateway) providers() map[string]int {
	found := map[string]int{}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", g.pid))
	if err != nil {
		return found
	}
	for _, thread := range threads { // children belong to the thread that made them
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", g.pid, thread.Name()))
		if err != nil {
			continue
		}
		for _, child := range strings.Fields(string(raw)) {
			exe, err := os.Readlink("/proc/" + child + "/exe")
			if err != nil {
				continue
			}
			if typ, ok := strings.CutPrefix(filepath.Base(exe), "al-provider-"); ok {
				if pid, err := strconv.Atoi(child); err == nil {
					found[typ] = pid
				}
			}
		}
	}
	return found
}
