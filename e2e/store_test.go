//go:build e2e

package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// A full disk costs 503s and nothing that was accepted; with room again the
// gateway goes on without a restart.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a small disk needs root to mount one; the store's own tests limit the file instead")
	}
	p := newProject(t, standard(anyIssue))
	state := filepath.Join(p.dir, ".al")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", state).CombinedOutput(); err != nil {
		t.Skipf("no small disk to be had here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", state).Run() })
	g := p.start()

	accepted := map[string]bool{}
	full := false
	for n := 0; n < 2000 && !full; n++ {
		id := fmt.Sprintf("n%d", n)
		switch a := g.mustSend(incompressible(id)); a.code {
		case http.StatusOK:
			accepted[id] = true
		case http.StatusServiceUnavailable:
			full = true
			if a.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		default:
			t.Fatalf("answered %d %s", a.code, a.text)
		}
	}
	if !full {
		t.Fatal("the disk never filled up: this tested nothing")
	}
	if g.get("/health") != http.StatusOK {
		t.Error("not healthy on a full disk")
	}
	if out, err := exec.Command("mount", "-o", "remount,size=200m", state).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g.await("it takes deliveries again", func() bool {
		a, err := g.send(issue("after"))
		return err == nil && a.code == http.StatusOK
	})
	g.await("everything is worked off", func() bool {
		a := g.stat().Agents[0]
		return a.Waiting == 0 && a.Running == 0
	})
	g.stop()
	states := jobsByDelivery(t, p)
	for id := range accepted {
		if len(states[id]) != 1 {
			t.Errorf("delivery %s was accepted and became %v", id, states[id])
		}
	}
	t.Logf("%d deliveries accepted before the disk was full", len(accepted))
}

func incompressible(id string) delivery {
	noise := make([]byte, 30<<10)
	_, _ = rand.Read(noise)
	d := issue(id)
	d.body = fmt.Appendf(nil, `{"action":"opened","issue":{"number":1,"title":"t"},"repository":{"full_name":"a/b"},"noise":%q}`,
		base64.StdEncoding.EncodeToString(noise))
	return d
}

func TestLockedStore(t *testing.T) {
	p := newProject(t, standard(anyIssue))
	g := p.start()
	if a := g.mustSend(issue("before")); a.code != http.StatusOK {
		t.Fatalf("answered %d %s", a.code, a.text)
	}
	other, err := sqlite3.Open(filepath.Join(p.dir, ".al", "al.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if err := other.Exec("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if a := g.mustSend(issue("while it is locked")); a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("answered %d %s; want 503 with Retry-After", a.code, a.text)
	}
	if err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	g.await("it takes deliveries again", func() bool {
		a, err := g.send(issue("while it is locked"))
		return err == nil && a.Queued == 1
	})
}

// What a disk has done to the store is told before anything is answered, by the
// start and by al doctor, with the file and what to do. The way out works.
func TestDamagedStore(t *testing.T) {
	p := newProject(t, standard(anyIssue))
	g := p.start()
	for n := range 20 {
		if a := g.mustSend(issue(fmt.Sprint(n))); a.code != http.StatusOK {
			t.Fatalf("answered %d %s", a.code, a.text)
		}
	}
	g.kill()
	log := filepath.Join(p.dir, ".al", "al.db-wal")
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		raw[len(raw)/2+i] ^= 0xff
	}
	if err := os.WriteFile(log, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"start", "doctor"} {
		out, code := p.al(command, "-p", p.dir)
		if code != 1 || !strings.Contains(out, log+" is damaged") || !strings.Contains(out, "restore a backup") {
			t.Errorf("al %s: exit code %d\n%s", command, code, out)
		}
	}
	out, _ := p.al("start", "-p", p.dir)
	size := regexp.MustCompile(`truncate -s (\d+) `).FindStringSubmatch(out)
	if size == nil {
		t.Fatalf("no way out in %s", out)
	}
	if out, err := exec.Command("truncate", "-s", size[1], log).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g = p.start()
	g.await("it takes deliveries again", func() bool {
		a, err := g.send(issue("after"))
		return err == nil && a.Queued == 1
	})
	g.stop()

	file := filepath.Join(p.dir, ".al", "al.db")
	if raw, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	_, _ = rand.Read(raw[len(raw)/2 : len(raw)/2+8192])
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"start", "doctor"} {
		out, code := p.al(command, "-p", p.dir)
		if code != 1 || !strings.Contains(out, file) || !strings.Contains(out, "restore a backup") {
			t.Errorf("al %s: exit code %d\n%s", command, code, out)
		}
	}
}
