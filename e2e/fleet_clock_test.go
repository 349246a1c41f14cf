//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A host whose clock is ten minutes ahead, and one whose is right, work as one:
// nobody's runs are taken for lost, a tick is one, and times are the database's.
//
// There is no clock of its own for a process on Linux, and none of the usual
// tricks works on a static binary. So the host is an al, with a provider, that was
// built with a time.Now that is ahead, which takes minutes the first time.
func TestTheClockOfAHostIsWrong(t *testing.T) {
	if !soaking() {
		t.Skip("builds al with another clock, which takes long; make soak does it")
	}
	t.Parallel()
	const ahead = 10 * time.Minute
	wrong := buildAhead(t)
	p := newPair(t, fleetLease, func(i int, h *fleetHost) {
		h.write("agents/clock/SKILL.md", "Tick.\n")
		h.write("agents/clock/config.toml", "schedule = \"@every 1s\"\nscale = 2\n[runner]\ncommand = [\"true\"]\n")
		h.write("agents/again/SKILL.md", "Try.\n")
		h.write("agents/again/config.toml", "retries = 1\nretryDelay = \"1s\"\n[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\nlabels = [\"again\"]\n"+
			"[runner]\ncommand = [\"sh\", \"-c\", \"[ $AL_ATTEMPT -gt 1 ]\"]\n")
		h.write("agents/dev/config.toml", "scale = 2\n[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\nlabels = [\"dev\"]\n")
		if i == 1 {
			for file, built := range wrong {
				if err := os.Rename(built, filepath.Join(h.bin, file)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	for i, h := range p.hosts {
		resp, err := httpClient.Get(h.now.url + "/health")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		says, err := http.ParseTime(resp.Header.Get("Date"))
		if off := time.Until(says); err != nil || (off > ahead/2) != (i == 1) {
			t.Fatalf("the clock of host %s is off by %s, %v", h.name, off, err)
		}
	}
	began := time.Now()
	for i, h := range p.hosts {
		h.now.mustSend(crashIssue("dev"+h.name, i, []string{"dev"}))
		h.now.mustSend(crashIssue("again"+h.name, i, []string{"again"}))
	}
	p.begun(2)
	pauseFor(t.Context(), 3*fleetLease)
	if n := len(p.marks()); n != 2 {
		t.Errorf("%v: two runs have begun, and nothing else", p.marks())
	}
	p.letGo()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, p.db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	one := func(sql string) (n int) {
		if err := c.QueryRow(ctx, sql).Scan(&n); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return n
	}
	await(t, "all is done", func() bool {
		return one(`SELECT count(*) FROM jobs WHERE state = 'done' AND agent <> 'clock'`) == 4
	}, p.logs)
	if n := one(`SELECT count(*) FROM runs WHERE reason LIKE '%stopped while%'`); n != 0 {
		t.Errorf("%d runs were taken for lost", n)
	}
	hosts := one(`SELECT count(DISTINCT host) FROM runs`)
	if hosts != 2 {
		t.Errorf("%d hosts have run something", hosts)
	}
	took := int(time.Since(began).Seconds())
	if n := one(`SELECT count(DISTINCT key) - count(*) FROM jobs WHERE agent = 'clock'`); n != 0 {
		t.Errorf("%d ticks are there more than once", -n)
	}
	if n := one(`SELECT count(*) FROM jobs WHERE agent = 'clock'`); n > took+20 {
		t.Errorf("%d ticks in %d s", n, took)
	}
	if n := one(`SELECT count(*) FROM jobs WHERE greatest(queued_at, ready_at, ended_at) > (extract(epoch FROM clock_timestamp()) + 60) * 1e9`); n != 0 {
		t.Errorf("%d jobs have times that have not come yet", n)
	}
	if n := one(`SELECT count(*) FROM runs WHERE greatest(started_at, ended_at) > (extract(epoch FROM clock_timestamp()) + 60) * 1e9`); n != 0 {
		t.Errorf("%d runs have times that have not come yet", n)
	}
}

// buildAhead builds binaries whose clock is ten minutes ahead, and returns their
// files by what they replace.
func buildAhead(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("there is no go: %v", err)
	}
	original := filepath.Join(strings.TrimSpace(string(out)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	const at = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	changed := bytes.Replace(source, []byte(at), []byte(at+"\tsec += 600\n"), 1)
	if bytes.Equal(changed, source) {
		t.Skip("time.Now of this Go looks otherwise than that which this test knows how to set ahead")
	}
	dir := t.TempDir()
	file, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{file: changed, overlay: list} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	built := map[string]string{}
	for name, from := range map[string]string{"al": "../host/cmd/al", "plugins/al-provider-github": "../plugins/github"} {
		built[name] = filepath.Join(dir, filepath.Base(name))
		cmd := exec.Command("go", "build", "-overlay", overlay, "-trimpath", "-buildvcs=false", "-o", built[name], from)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s with another clock: %v\n%s", name, err, out)
		}
	}
	return built
}
