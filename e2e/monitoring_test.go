//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// A real Prometheus with the shipped rules watches a real gateway. Each fault is
// caused for real, several at the same time in agents and sources of their own;
// each alert fires for the one that it is about and, after mending, ends.
func TestEveryAlertFiresAndResolves(t *testing.T) {
	w := newWatched(t)
	t.Cleanup(func() {
		for alert, labels := range w.prometheus.all() {
			t.Logf("%s fired: %v", alert, labels)
		}
	})
	w.faults()
	for alert, label := range map[string]string{
		"AlSignatureFailures": "github", "AlSourceSilent": "quiet", "AlDeadlineMissed": "sentry",
		"AlQueueFilling": "slow", "AlJobTooOld": "slow", "AlJobsDropped": "slow",
		"AlRunsFailing": "failing", "AlCronSkipped": "ticking", "AlBudgetReached": "frugal",
		"AlProviderDown": "linear", "AlProviderFlapping": "linear",
		"AlStoreFailing": w.address, "AlStoreSlow": w.address, "AlDiskNearlyFull": w.address,
		"AlConfigurationNotLoaded": w.address, "AlAgentLoops": "looping",
	} {
		w.await(alert+" of "+label, func() bool { return w.prometheus.fired(alert, label) })
	}
	w.dashboards("failing")
	w.mend()
	var last time.Time
	w.await("all alerts end", func() bool {
		if time.Since(last) > time.Second { // it is silent no more
			last = time.Now()
			w.take("quiet", 1)
		}
		return len(w.prometheus.firing()) == 0
	})

	w.kill()
	w.prometheus.await("AlGatewayDown", func() bool { return w.prometheus.fired("AlGatewayDown", w.address) })
	again := w.project.start("--port", w.port)
	again.await("AlGatewayDown ends", func() bool { return !w.prometheus.now("AlGatewayDown") })
}

// watched is a gateway that a Prometheus looks at, and what is wrong with it.
type watched struct {
	*gateway
	prometheus *prometheus
	port       string
	address    string
	sent       int
	ballast    string // a file that fills the disk
}

// Sources of one agent each, which has the same name. What they run is what is
// wrong with them.
var watchedAgents = map[string]string{
	"fine":    "",
	"slow":    "maxWorkQueueSize = 10\n[runner]\ncommand = [\"sleep\", \"1000\"]\n",
	"failing": "[runner]\ncommand = [\"false\"]\n",
	"frugal":  "maxRunsPerHour = 1\n",
	"looping": "",
	"quiet":   "",
}

const tickingAgent = "schedule = \"* * * * * *\"\n[runner]\ncommand = [\"sleep\", \"1000\"]\n"

func newWatched(t *testing.T) *watched {
	prometheusBinary(t)
	config := "scale = 16\n[runner]\ncommand = [\"true\"]\n[webhooks.errors]\ntype = \"sentry\"\n[webhooks.tracker]\ntype = \"linear\"\n"
	files := map[string]string{"agents/ticking/config.toml": tickingAgent, "agents/ticking/SKILL.md": "Look.\n"}
	for name, settings := range watchedAgents {
		config += fmt.Sprintf("[webhooks.%s]\ntype = \"github\"\ncredential = %q\n", name, name)
		files["agents/"+name+"/config.toml"] = watchedAgent(name, settings)
		files["agents/"+name+"/SKILL.md"] = "Look.\n"
	}
	files["config.toml"] = config
	p := newProject(t, files)
	for name := range watchedAgents {
		p.credential("github_webhook_secret", name, "secret", "the secret of "+name)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)

	w := &watched{port: port, address: address, ballast: filepath.Join(p.dir, ".al", "ballast")}
	free := w.free(p.dir)
	w.prometheus = startPrometheus(t, p, address, map[string][2]string{
		// alert: what its expression has for days and hours, and what it gets here.
		"AlSourceSilent": {"> 86400", "> 6"},
		"AlJobTooOld":    {"> 3600", "> 4"},
		// Half of what w.fill takes away.
		"AlDiskNearlyFull": {"< 1073741824", fmt.Sprintf("< %d", free-w.room(free)/2)},
	})
	w.gateway = p.start("--port", port)
	// What rises before Prometheus has looked can not be seen to rise.
	w.await("prometheus has looked twice", func() bool {
		return len(w.prometheus.query(`count_over_time(al_source_events_total{source="quiet"}[1m]) > 1`)) > 0
	})
	return w
}

func watchedAgent(name, settings string) string {
	loops := 0
	if name == "looping" {
		loops = 2
	}
	settings, runner, _ := strings.Cut(settings, "[runner]")
	if runner != "" {
		runner = "[runner]" + runner
	}
	return fmt.Sprintf("%smaxSelfTriggers = %d\n[[webhooks]]\nsource = %q\nevents = [\"issues\"]\n%s", settings, loops, name, runner)
}

// event is a new one of a source, and so for its agent.
func (w *watched) event(source string) delivery {
	w.sent++
	d := issue(fmt.Sprintf("%s-%d", source, w.sent))
	d.secret = "the secret of " + source
	return d
}

func (w *watched) take(source string, n int) {
	w.t.Helper()
	for range n {
		if a := w.mustSend(w.event(source)); a.code != http.StatusOK {
			w.t.Fatalf("an event of %s is answered %d %s\n%s", source, a.code, a.text, w.log)
		}
	}
}

// faults are caused in an order in which none keeps another from happening.
func (w *watched) faults() {
	w.take("quiet", 20) // and never again
	w.wrongSecret()
	w.take("slow", 20) // one runs, ten wait, the others go
	w.take("failing", 8)
	w.take("frugal", 2)
	for range 5 {
		before := w.ended("looping")
		w.take("looping", 1)
		if w.metrics()[`al_agent_loops_total{agent="looping"}`] > 0 {
			break
		}
		w.await("the run of an agent that starts itself", func() bool { return w.ended("looping") > before })
	}
	w.slowProvider()
	w.dyingProvider()
	w.fill()
	w.write("agents/fine/config.toml", "no such key = [\n")
	w.lockedStore()
}

func (w *watched) mend() {
	if err := os.Remove(w.ballast); err != nil {
		w.t.Fatal(err)
	}
	for name, settings := range watchedAgents {
		settings, _, _ = strings.Cut(settings, "[runner]")
		w.write("agents/"+name+"/config.toml", strings.Replace(watchedAgent(name, settings), "maxRunsPerHour = 1\n", "", 1))
	}
	w.write("agents/ticking/config.toml", "schedule = \"* * * * * *\"\n")
	w.install("plugins/al-provider-linear")
	for _, command := range [][]string{{"reload"}, {"kill", "slow"}, {"kill", "ticking"}, {"resume", "looping"}} {
		w.await(strings.Join(command, " "), func() bool {
			_, code := w.al(append(command, "-p", w.dir)...)
			return code == 0
		})
	}
	w.credential("github_webhook_secret", "fine", "secret", "the secret of fine")
	w.await("the right secret counts again", func() bool { return w.mustSend(w.event("fine")).code == http.StatusOK })
}

func (w *watched) ended(agent string) (n int) {
	return int(w.metrics()[fmt.Sprintf(`al_jobs_ended_total{agent=%q,outcome="done"}`, agent)])
}

// wrongSecret is a secret that was changed on this side only.
func (w *watched) wrongSecret() {
	w.credential("github_webhook_secret", "fine", "secret", "somebody changed it")
	refused := 0
	w.await("deliveries with the old secret are refused", func() bool {
		if w.mustSend(w.event("fine")).code == http.StatusUnauthorized {
			refused++
		}
		return refused == 40
	})
}

// slowProvider stops a provider's process while deliveries wait for it.
func (w *watched) slowProvider() {
	pids := w.processes("plugins/al-provider-sentry")
	if len(pids) != 1 {
		w.t.Fatalf("processes of the provider: %v", pids)
	}
	if err := syscall.Kill(pids[0], syscall.SIGSTOP); err != nil {
		w.t.Fatal(err)
	}
	var waiting sync.WaitGroup
	for range 12 {
		waiting.Go(func() {
			resp, err := httpClient.Post(w.url+"/webhooks/sentry", "application/json", strings.NewReader("{}"))
			if err == nil {
				_ = resp.Body.Close()
			}
		})
	}
	waiting.Wait()
	_ = syscall.Kill(pids[0], syscall.SIGCONT) // it may have been killed meanwhile, for not answering
}

// dyingProvider kills a provider whenever it has come up, and then takes its
// file away.
func (w *watched) dyingProvider() {
	const name = "plugins/al-provider-linear"
	const restarts = `al_provider_restarts_total{provider="linear"}`
	for range 5 {
		before := w.metrics()[restarts]
		w.await("a process to kill", func() bool { return w.killAll(name) > 0 })
		w.await("it is started again", func() bool { return w.metrics()[restarts] > before })
	}
	if err := os.Remove(filepath.Join(w.bin, name)); err != nil {
		w.t.Fatal(err)
	}
	w.await("it is down for good", func() bool {
		for _, p := range w.stat().Providers {
			if p.Type == "linear" && p.State == "failing" {
				return true
			}
		}
		w.killAll(name)
		return false
	})
}

func (w *watched) killAll(name string) (n int) {
	pids := w.processes(name)
	for _, pid := range append(pids, w.processes(name+" (deleted)")...) {
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			n++
		}
	}
	return n
}

func (w *watched) free(dir string) int64 {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		panic(err) // of a folder that was just made
	}
	return int64(disk.Bavail) * int64(disk.Bsize) //nolint:unconvert // of another type on other systems
}

// room is how much of the disk is taken away: others use it, too, and what they
// use meanwhile must not count.
func (w *watched) room(free int64) int64 { return min(free/2, 6<<30) }

// fill takes room from the disk, without writing to it.
func (w *watched) fill() {
	f, err := os.Create(w.ballast)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, w.room(w.free(w.dir))); err != nil {
		w.t.Fatal(err)
	}
}

// lockedStore is held by another process again and again, for as long as a slow
// disk takes, and then for so long that a delivery is refused.
func (w *watched) lockedStore() {
	other, err := sqlite3.Open(filepath.Join(w.dir, ".al", "al.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	run := func(sql string) {
		w.t.Helper()
		if err := other.Exec(sql); err != nil {
			w.t.Fatal(err)
		}
	}
	run("PRAGMA busy_timeout = 10000")
	for range 8 {
		run("BEGIN IMMEDIATE")
		sent := make(chan struct{})
		d := w.event("slow")
		go func() { _, _ = w.send(d); close(sent) }()
		<-time.After(400 * time.Millisecond) // a disk that takes so long
		run("ROLLBACK")
		<-sent
	}
	run("BEGIN IMMEDIATE")
	w.await("a delivery that can not be recorded", func() bool {
		return w.mustSend(w.event("slow")).code == http.StatusServiceUnavailable
	})
	run("ROLLBACK")
}

// prometheus is a running one.
type prometheus struct {
	t      *testing.T
	url    string
	log    *lockedBuffer
	exited chan struct{}

	mu   sync.Mutex
	seen map[string][]string // alerts that fired, with their labels
}

func prometheusBinary(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("AL_NEED_PROMETHEUS") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no prometheus here (Debian's package prometheus has it)")
	}
	return path
}

func startPrometheus(t *testing.T, p *project, target string, thresholds map[string][2]string) *prometheus {
	t.Helper()
	dir := filepath.Join(filepath.Dir(p.dir), "prometheus")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := shipped(t, "prometheus.yml")
	for _, change := range [][2]string{
		{"scrape_interval: 15s", "scrape_interval: 1s"}, {"evaluation_interval: 15s", "evaluation_interval: 1s"}, {"127.0.0.1:8080", target},
	} {
		config = replaceOnce(t, config, change)
	}
	write("prometheus.yml", config)
	write("rules.yml", hurried(t, shipped(t, "rules.yml"), thresholds))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	pr := &prometheus{t: t, url: "http://" + address, log: &lockedBuffer{}, exited: make(chan struct{}), seen: map[string][]string{}}
	cmd := exec.Command(prometheusBinary(t), "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = pr.log, pr.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(pr.exited) }()
	stop := make(chan struct{})
	var watching sync.WaitGroup
	t.Cleanup(func() {
		close(stop)
		watching.Wait()
		_ = cmd.Process.Kill()
		<-pr.exited
	})
	pr.await("prometheus is ready", func() bool {
		resp, err := httpClient.Get(pr.url + "/-/ready")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	watching.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				pr.look()
			case <-stop:
				return
			}
		}
	})
	return pr
}

func shipped(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../deploy/prometheus", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func replaceOnce(t *testing.T, text string, change [2]string) string {
	t.Helper()
	if n := strings.Count(text, change[0]); n != 1 {
		t.Fatalf("%q is there %d times in\n%s", change[0], n, text)
	}
	return strings.Replace(text, change[0], change[1], 1)
}

// hurried makes rules for a test of those that are shipped, by three changes and
// no other: what has to hold `for` a while has to hold for a second; the ranges
// that counters are looked at over are shortened as below; and thresholds that are
// ages or room on the disk are replaced as the caller says.
func hurried(t *testing.T, rules string, thresholds map[string][2]string) string {
	t.Helper()
	ranges := map[string]string{"5m": "15s", "10m": "15s", "15m": "15s", "30m": "15s", "1h": "15s", "7d": "40s"}
	head, blocks := "", strings.Split(rules, "- alert: ")
	head, blocks = blocks[0], blocks[1:]
	out := head
	for _, block := range blocks {
		name, _, _ := strings.Cut(block, "\n")
		if change, ok := thresholds[name]; ok {
			block = replaceOnce(t, block, change)
			delete(thresholds, name)
		}
		var lines []string
		for line := range strings.Lines(block) {
			if before, _, ok := strings.Cut(line, "for: "); ok && strings.TrimSpace(before) == "" {
				line = before + "for: 1s\n"
			}
			for {
				before, rest, ok := strings.Cut(line, "[")
				length, after, closed := strings.Cut(rest, "]")
				if !ok || !closed {
					break
				}
				short, known := ranges[length]
				if !known {
					t.Fatalf("%s: there is no short form of %s", name, length)
				}
				line = before + "\x00" + short + "\x01" + after
			}
			lines = append(lines, strings.NewReplacer("\x00", "[", "\x01", "]").Replace(line))
		}
		out += "- alert: " + strings.Join(lines, "")
	}
	if len(thresholds) > 0 {
		t.Fatalf("no alerts of these names: %v", thresholds)
	}
	return out
}

func (p *prometheus) await(what string, fact func() bool) {
	p.t.Helper()
	await(p.t, what, func() bool {
		select {
		case <-p.exited:
			p.t.Fatalf("prometheus ended while waiting for: %s\n%s", what, p.log)
		default:
		}
		return fact()
	}, p.log.String)
}

type sample struct {
	labels map[string]string
	value  string
}

// query returns what an expression finds now.
func (p *prometheus) query(expr string) []sample {
	resp, err := httpClient.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return nil
	}
	if answer.Error != "" {
		p.t.Fatalf("%s: %s", expr, answer.Error)
	}
	var found []sample
	for _, r := range answer.Data.Result {
		found = append(found, sample{r.Metric, fmt.Sprint(r.Value[1])})
	}
	return found
}

type firingAlert struct {
	State  string            `json:"state"`
	Labels map[string]string `json:"labels"`
}

func (p *prometheus) alerts() []firingAlert {
	resp, err := httpClient.Get(p.url + "/api/v1/alerts")
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Data struct {
			Alerts []firingAlert `json:"alerts"`
		} `json:"data"`
	}
	if json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return nil
	}
	var firing []firingAlert
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" {
			firing = append(firing, a)
		}
	}
	return firing
}

// look remembers what fires: some alerts end by themselves.
func (p *prometheus) look() {
	for _, a := range p.alerts() {
		labels := fmt.Sprint(a.Labels)
		p.mu.Lock()
		if seen := p.seen[a.Labels["alertname"]]; !strings.Contains(strings.Join(seen, "\n"), labels) {
			p.seen[a.Labels["alertname"]] = append(seen, labels)
		}
		p.mu.Unlock()
	}
}

func (p *prometheus) fired(alert, label string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(strings.Join(p.seen[alert], "\n"), ":"+label)
}

func (p *prometheus) all() map[string][]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string][]string{}
	for alert, labels := range p.seen {
		out[alert] = labels
	}
	return out
}

func (p *prometheus) firing() []string {
	var names []string
	for _, a := range p.alerts() {
		names = append(names, a.Labels["alertname"])
	}
	return names
}

func (p *prometheus) now(alert string) bool {
	for _, name := range p.firing() {
		if name == alert {
			return true
		}
	}
	return false
}
