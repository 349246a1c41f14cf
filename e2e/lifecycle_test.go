//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAKilledProviderComesBack(t *testing.T) {
	g := newProject(t, standard(anyIssue)).start()
	before := g.stat().Providers[0].PID
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	// The host waits for the provider inside the vendor's deadline.
	a := g.mustSend(issue("while it restarts"))
	t.Logf("answered %d after %s", a.code, time.Since(began))
	if a.code == http.StatusServiceUnavailable { // it was in flight when the provider died
		a = g.mustSend(issue("while it restarts"))
	}
	if a.Queued != 1 {
		t.Errorf("answered %d %s", a.code, a.text)
	}
	if s := g.stat().Providers[0]; s.PID == before || s.Restarts != 1 {
		t.Errorf("provider %+v", s)
	}
}

func TestAStoppedProviderGives503InsideTheDeadlineAndIsReplaced(t *testing.T) {
	g := newProject(t, standard(anyIssue)).start()
	before := g.stat().Providers[0].PID
	stopProcess(t, before)
	began := time.Now()
	a := g.mustSend(issue("to nobody"))
	if took := time.Since(began); took > 10*time.Second { // GitHub's deadline
		t.Errorf("answered after %s", took)
	}
	if a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("answered %d %s; want 503 with Retry-After", a.code, a.text)
	}
	if g.get("/health") != http.StatusOK {
		t.Error("the host suffers with it")
	}
	g.await("the provider is replaced", func() bool {
		a, err := g.send(issue("to the next"))
		return err == nil && a.code == http.StatusOK
	})
}

// stopProcess stops a process and waits until every thread of it stands still:
// the signal alone leaves those on other processors time for an answer.
func stopProcess(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, "the process has stopped", func() bool {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/stat", pid))
		if err != nil || len(stats) == 0 {
			t.Fatalf("threads of %d: %d found, %v", pid, len(stats), err)
		}
		for _, stat := range stats {
			text, err := os.ReadFile(stat)
			if err != nil {
				return false // a thread that just ended
			}
			// The state follows the name, which is in parentheses.
			if _, after, ok := strings.Cut(string(text), ") "); !ok || !strings.HasPrefix(after, "T") {
				return false
			}
		}
		return true
	}, func() string { return "" })
}

func TestNothingIsLeftRunning(t *testing.T) {
	files := standard(anyIssue)
	files["agents/dev/config.toml"] += "[runner]\ncommand = [\"sleep\", \"1000\"]\n"
	p := newProject(t, files)
	g := p.start()
	g.mustSend(issue("a"))
	g.await("the run is under way", func() bool { return g.stat().Agents[0].Running == 1 })
	run := g.stat().Agents[0].LastRun.ID
	if len(p.processes("plugins/al-provider-github")) != 1 {
		t.Fatal("no provider to speak of")
	}
	g.kill()
	await(t, "providers and harnesses of a killed host leave", func() bool {
		return len(p.processes("plugins/al-provider-github")) == 0 && len(sleepers(t, p.dir)) == 0
	}, g.log.String)

	// The job runs again after a restart, as a second attempt.
	g = p.start()
	g.await("the job runs again", func() bool {
		a := g.stat().Agents[0]
		return a.Running == 1 && a.LastRun.ID != run
	})
	g.kill()
}

// sleepers lists processes that work in a project's folder.
func sleepers(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, dir) {
			found = append(found, link)
		}
	}
	return found
}

func TestSecondGatewayOnAProjectSaysSo(t *testing.T) {
	p := newProject(t, standard(anyIssue))
	p.start()
	out, code := p.al("start", "-p", p.dir, "--port", "0")
	if code != 1 || !strings.Contains(out, "already runs on this project") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestTakenPortNamesTheSetting(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	p := newProject(t, standard(anyIssue))
	out, code := p.al("start", "-p", p.dir, "--port", port)
	if code != 1 || !strings.Contains(out, "[gateway] port") || !strings.Contains(out, port) {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestStopGivesRunsTimeAndKeepsTheQueue(t *testing.T) {
	files := standard(anyIssue)
	files["agents/dev/config.toml"] += "[runner]\ncommand = [\"sh\", \"-c\", \"until [ -e go ]; do sleep 0.05; done\"]\n"
	p := newProject(t, files)
	g := p.start()
	g.mustSend(issue("runs"))
	g.await("the run is under way", func() bool { return g.stat().Agents[0].Running == 1 })
	g.mustSend(issue("waits"))
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	p.write("go", "")
	<-g.exited
	if code := g.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d\n%s", code, g.log)
	}
	s := p.stat()
	if s.Running {
		t.Error("al stat takes a stopped gateway for a running one")
	}
	a := s.Agents[0]
	if a.LastRun == nil || a.LastRun.State != "done" || a.Waiting != 1 || a.Running != 0 {
		t.Errorf("after the stop: %+v", a)
	}
}
