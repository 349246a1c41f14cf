//go:build e2e

package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// launchOn starts a gateway on a socket that is open, as systemd does. A shell
// takes systemd's part: the number that the variable names is its own, which al
// then has.
func (p *project) launchOn(socket *os.File, args ...string) *gateway {
	p.t.Helper()
	g := &gateway{project: p, log: &lockedBuffer{}, exited: make(chan struct{})}
	words := append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=al.socket exec "$0" "$@"`,
		filepath.Join(p.bin, "al"), "start", "-p", p.dir}, args...)
	g.cmd = exec.Command("sh", words...)
	g.cmd.Env = p.env
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	g.cmd.ExtraFiles = []*os.File{socket}
	g.cmd.WaitDelay = 5 * time.Second
	if err := g.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { _ = g.cmd.Wait(); close(g.exited) }()
	p.t.Cleanup(g.kill)
	return g
}

// The socket of systemd is there before the gateway and after it: what comes in
// between waits, and is not refused. Nothing that the gateway starts sees it.
func TestSocketOfSystemd(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	socket, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // socket is it now
	defer func() { _ = socket.Close() }()

	files := standard(anyIssue)
	files["agents/dev/config.toml"] += "[runner]\ncommand = [\"sh\", \"-c\", \"env >env.txt; ls -l /proc/self/fd >fds.txt\"]\n"
	p := newProject(t, files)
	waiting := &gateway{project: p, url: "http://" + l.Addr().String(), log: &lockedBuffer{}}
	early := make(chan answer, 1)
	go func() {
		a, err := waiting.send(issue("early"))
		if err != nil {
			t.Error(err)
		}
		early <- a
	}()
	g := p.launchOn(socket)
	g.awaitReady()
	if g.url != waiting.url {
		t.Errorf("it listens on %s, the socket is %s", g.url, waiting.url)
	}
	if a := <-early; a.code != http.StatusOK || a.Queued != 1 {
		t.Errorf("what came before the gateway was answered %d %s", a.code, a.text)
	}
	if !strings.Contains(g.log.String(), "the port is systemd's") {
		t.Errorf("nothing is said of the port in the configuration\n%s", g.log)
	}
	g.await("the run is done", func() bool { a := g.stat().Agents[0]; return a.LastRun != nil && a.LastRun.State == "done" })
	for _, name := range []string{"env.txt", "fds.txt"} {
		text, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil || strings.Contains(string(text), "LISTEN_") || strings.Contains(string(text), "socket:") {
			t.Errorf("a run sees %s, %v", text, err)
		}
	}
	g.stop()

	go func() {
		a, err := waiting.send(issue("between"))
		if err != nil {
			t.Error(err)
		}
		early <- a
	}()
	g = p.launchOn(socket)
	g.awaitReady()
	if a := <-early; a.code != http.StatusOK || a.Queued != 1 {
		t.Errorf("what came between two gateways was answered %d %s", a.code, a.text)
	}
	g.stop()
}

// What is passed and can not be used keeps the gateway from starting: it would
// listen elsewhere.
func TestSocketOfSystemdIsChecked(t *testing.T) {
	p := newProject(t, standard(anyIssue))
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	g := p.launchOn(null)
	<-g.exited
	if code := g.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(g.log.String(), "it is no socket") {
		t.Errorf("exit code %d\n%s", code, g.log)
	}
}
