//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/handover"
)

// takeoverFiles are agents of which one counts, one ticks, and one runs until it
// is let go.
func takeoverFiles() map[string]string {
	trigger := func(label string) string {
		return fmt.Sprintf("\nmaxWorkQueueSize = 1000000\n[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\nlabels = [%q]\n", label)
	}
	return map[string]string{
		"config.toml": `
scale = 6
[runner]
command = ["sh", "harness.sh"]
[webhooks.main]
type = "github"
credential = "main"
`,
		"harness.sh":               "echo \"$AL_RUN_ID\" >>began\n[ \"$AL_AGENT\" != long ] || until [ -e go ]; do sleep 0.05; done\n",
		"began":                    "",
		"agents/count/config.toml": "scale = 3" + trigger("count"),
		"agents/count/SKILL.md":    "Count.\n",
		"agents/long/config.toml":  "scale = 1" + trigger("long"),
		"agents/long/SKILL.md":     "Wait.\n",
		"agents/clock/config.toml": "schedule = \"@every 1s\"\nscale = 2\n",
		"agents/clock/SKILL.md":    "Tick.\n",
	}
}

// stamp gives the project's al another version, as another build would have.
func (p *project) stamp(n int) string {
	p.t.Helper()
	out, code := p.al("version", "-p", p.dir, "--json")
	var was struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal([]byte(out), &was); err != nil || code != 0 {
		p.t.Fatalf("al version: %d %v\n%s", code, err, out)
	}
	version := fmt.Sprintf("%0*d", len(was.Version), n)
	file := filepath.Join(p.bin, "al")
	binary, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	changed := bytes.ReplaceAll(binary, []byte(was.Version), []byte(version))
	if bytes.Equal(changed, binary) {
		p.t.Fatalf("version %q is not in the binary", was.Version)
	}
	// As an upgrade does: the file is another one, the running process keeps its own.
	if err := os.WriteFile(file+".new", changed, 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		p.t.Fatal(err)
	}
	return version
}

// senders send all the time, and mind everything but a 200.
type senders struct {
	stop    context.CancelFunc
	working sync.WaitGroup

	mu     sync.Mutex
	ids    []string
	faults []string
}

func send(g *gateway, label string, kept, fresh int) *senders {
	ctx, stop := context.WithCancel(context.Background())
	s := &senders{stop: stop}
	for n := range kept + fresh {
		// Each has connections of its own.
		transport := &http.Transport{DisableKeepAlives: n >= kept, MaxIdleConnsPerHost: 1}
		client := &http.Client{Transport: transport, Timeout: patience}
		s.working.Go(func() {
			defer transport.CloseIdleConnections()
			for i := 0; ctx.Err() == nil; i++ {
				s.one(client, g.url, crashIssue(fmt.Sprintf("%s-%d-%d", label, n, i), n, []string{label}))
				pauseFor(ctx, time.Millisecond)
			}
		})
	}
	return s
}

func (s *senders) one(client *http.Client, url string, d delivery) {
	fault := ""
	resp, err := client.Do(d.request(url))
	if err != nil {
		fault = err.Error()
	} else {
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			fault = fmt.Sprintf("%d %s %v", resp.StatusCode, text, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids = append(s.ids, d.id); fault != "" {
		s.faults = append(s.faults, d.id+": "+fault)
	}
}

// end stops sending, and returns what was sent.
func (s *senders) end(t *testing.T) []string {
	t.Helper()
	s.stop()
	s.working.Wait()
	if len(s.faults) > 0 {
		t.Errorf("%d of %d deliveries were not answered 200:\n%s", len(s.faults), len(s.ids), strings.Join(s.faults, "\n"))
	}
	return s.ids
}

// takeOver starts the next gateway on the project of one that runs.
func (g *gateway) takeOver() *gateway {
	g.t.Helper()
	next := g.project.launch("--takeover")
	g.t.Cleanup(next.kill)
	// Until the one before has gone that far, it takes everything back if the next dies.
	await(g.t, "it has handed over", func() bool { return strings.Contains(g.log.String(), "handed over; ") },
		func() string { return g.log.String() + "\n" + next.log.String() })
	next.await("the next gateway is ready", func() bool { return isReady(next) })
	if next.url != g.url {
		g.t.Errorf("the port moved from %s to %s", g.url, next.url)
	}
	return next
}

// left waits until a gateway that has handed over is gone.
func (g *gateway) left() {
	g.t.Helper()
	await(g.t, "the gateway that handed over has left", func() bool {
		httpClient.CloseIdleConnections()
		return alive(g) == nil
	}, g.log.String)
	if code := g.cmd.ProcessState.ExitCode(); code != 0 {
		g.t.Errorf("it left with %d\n%s", code, g.log)
	}
}

// counted says that everything that was sent was done, once.
func counted(t *testing.T, g *gateway, sent []string) {
	t.Helper()
	g.await("everything is worked off", func() bool {
		return !slices.ContainsFunc(g.stat().Agents, func(a agentStat) bool { return a.Name != "clock" && a.Waiting+a.Running > 0 })
	})
	r := readCrashRecord(t, g.dir, 0)
	r.check(t, crashMaxAttempts)
	for _, id := range sent {
		jobs := r.byID["count "+id]
		if len(jobs) != 1 || jobs[0].state != "done" || jobs[0].attempt != 1 {
			t.Errorf("delivery %s became %d jobs: %+v", id, len(jobs), jobs)
		}
	}
	raw, err := os.ReadFile(filepath.Join(g.dir, "began"))
	if err != nil {
		t.Fatal(err)
	}
	began := strings.Fields(string(raw))
	slices.Sort(began)
	if n := len(slices.Compact(slices.Clone(began))); n != len(began) {
		t.Errorf("%d runs began, and their harnesses %d times", n, len(began))
	}
}

// Several upgrades in a row, each to another version, while senders send: nobody
// is refused, nothing is lost, nothing is done twice, the runs of those before
// go on, and the scale holds over all.
func TestTakeoverUnderLoad(t *testing.T) {
	p := newProject(t, takeoverFiles())
	p.stamp(1)
	first := p.start()
	first.mustSend(issueFor("long 1", "long"))
	first.await("the long run is under way", func() bool { return p.agent("long").Running == 1 })
	load := send(first, "count", 6, 3)

	now := first
	const times = 6
	for n := range times {
		p.stamp(2 + n)
		next := now.takeOver()
		if n > 0 {
			now.left() // it has only short runs
		}
		now = next
	}
	// The first one has its run still, and nobody else may begin another.
	if alive(first) == nil {
		t.Fatalf("the first gateway has left its run\n%s", first.log)
	}
	now.mustSend(issueFor("long 2", "long"))
	if a := p.agent("long"); a.Running != 1 || a.Waiting != 1 {
		t.Errorf("the agent that the first gateway works for: %+v", a)
	}
	p.write("go", "")
	first.left()
	sent := load.end(t)
	t.Logf("%d deliveries during %d takeovers", len(sent), times)
	counted(t, now, sent)
	for _, id := range []string{"long 1", "long 2"} {
		if jobs := readCrashRecord(t, p.dir, 0).byID["long "+id]; len(jobs) != 1 || jobs[0].state != "done" || jobs[0].attempt != 1 {
			t.Errorf("%s became %+v", id, jobs)
		}
	}
	now.stop()
}

// A run of the one before is killed through the next, and al stop stops both.
func TestTakeoverReachesTheOneBefore(t *testing.T) {
	p := newProject(t, takeoverFiles())
	old := p.start()
	old.mustSend(issueFor("one", "long"))
	old.await("the run is under way", func() bool { return p.agent("long").Running == 1 })
	next := old.takeOver()
	if out, code := p.al("kill", "-p", p.dir, "long"); code != 0 {
		t.Fatalf("al kill: %d\n%s", code, out)
	}
	old.left()
	if r := p.agent("long").LastRun; r == nil || r.State != "failed" {
		t.Errorf("the killed run: %+v", r)
	}
	next.mustSend(issueFor("two", "long"))
	next.await("the run is under way", func() bool { return p.agent("long").Running == 1 })
	last := next.takeOver()
	if out, code := p.al("stop", "-p", p.dir, "--now"); code != 0 {
		t.Fatalf("al stop: %d\n%s", code, out)
	}
	if alive(next) != nil || alive(last) != nil {
		t.Error("al stop came back before both were gone")
	}
	if n := len(p.processes("al")); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}

// What the one before was doing when it is killed is done again at once.
func TestTheOneBeforeIsKilled(t *testing.T) {
	p := newProject(t, takeoverFiles())
	old := p.start()
	old.mustSend(issueFor("one", "long"))
	old.await("the run is under way", func() bool { return p.agent("long").Running == 1 })
	run := p.agent("long").LastRun.ID
	next := old.takeOver()
	old.kill()
	next.await("the job runs again", func() bool { a := p.agent("long"); return a.Running == 1 && a.LastRun.ID != run })
	p.write("go", "")
	next.await("it is done", func() bool { a := p.agent("long"); return a.Running == 0 && a.LastRun.State == "done" })
	next.stop()
}

// When the next gateway dies and is started again, the runs of the one before
// stay its own.
func TestTheNextIsKilledAndStartedAgain(t *testing.T) {
	p := newProject(t, takeoverFiles())
	old := p.start()
	old.mustSend(issueFor("one", "long"))
	old.await("the run is under way", func() bool { return p.agent("long").Running == 1 })
	next := old.takeOver()
	next.kill()
	again := p.start()
	again.mustSend(issueFor("two", "long"))
	if a := p.agent("long"); a.Running != 1 || a.Waiting != 1 {
		t.Errorf("beside the one before: %+v", a)
	}
	p.write("go", "")
	old.left()
	again.await("both are done", func() bool { a := p.agent("long"); return a.Running+a.Waiting == 0 })
	for _, id := range []string{"one", "two"} {
		if jobs := readCrashRecord(t, p.dir, 0).byID["long "+id]; len(jobs) != 1 || jobs[0].attempt != 1 || jobs[0].state != "done" {
			t.Errorf("%s became %+v", id, jobs)
		}
	}
	again.stop()
}

// Wherever the next one dies, here a process of this test that speaks for it, the
// one that runs goes on; and where the one that runs dies, the port is free again.
func TestTakeoverEndsHalfway(t *testing.T) {
	p := newProject(t, takeoverFiles())
	g := p.start()
	load := send(g, "count", 3, 2)
	steps := []func(*handover.Successor) error{
		func(*handover.Successor) error { return nil },
		func(s *handover.Successor) error { return hold(s.Take(t.Context())) },
		func(s *handover.Successor) error { return s.Ready(t.Context()) },
	}
	for upTo := range steps {
		s := g.meet()
		for _, step := range steps[:upTo+1] {
			if err := step(s); err != nil {
				t.Fatal(err)
			}
		}
		_ = s.Close()
		before := p.agent("count").LastRun
		g.await("it runs what comes", func() bool {
			r := p.agent("count").LastRun
			return r != nil && (before == nil || r.ID != before.ID) && r.State == "done"
		})
		g.await("it is not in a takeover any more", func() bool { return settled(g) })
	}
	next := g.takeOver() // and hands over to one that lives
	g.left()
	counted(t, next, load.end(t))

	for upTo := range steps {
		s := next.meet()
		for _, step := range steps[:upTo+1] {
			if err := step(s); err != nil {
				t.Fatal(err)
			}
		}
		_ = next.cmd.Process.Signal(syscall.SIGKILL)
		<-next.exited
		_ = s.Close()
		next = p.start()
	}
	next.stop()
}

// hold gives up at once what was handed over, but for the talk about it.
func hold(e handover.Estate, err error) error {
	if err == nil {
		_ = e.Listener.Close()
		_ = e.Lock.Release()
	}
	return err
}

func (g *gateway) meet() *handover.Successor {
	g.t.Helper()
	raw, err := os.ReadFile(filepath.Join(g.dir, ".al", "gateway.json"))
	if err != nil {
		g.t.Fatal(err)
	}
	var in struct {
		Socket string `json:"socket"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		g.t.Fatal(err)
	}
	s, err := handover.Meet(g.t.Context(), in.Socket, handover.Hello{Version: "a test"})
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

// agent returns what al stat says of one.
func (p *project) agent(name string) agentStat {
	p.t.Helper()
	agents := p.stat().Agents
	i := slices.IndexFunc(agents, func(a agentStat) bool { return a.Name == name })
	if i < 0 {
		p.t.Fatalf("al stat knows no %s", name)
	}
	return agents[i]
}
