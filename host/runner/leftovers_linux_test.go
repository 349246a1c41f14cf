package runner

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A host is killed like kill -9 does while a harness with a child runs. The
// harness dies with it, and the next host finds the child.
func TestKilledHostLeavesNothing(t *testing.T) {
	t.Parallel()
	harness, child := newLifeline(t), newLifeline(t)
	dir, run := t.TempDir(), rand.Text()
	host := exec.CommandContext(t.Context(), os.Args[0], "helper", "host", dir, run, "sh", "-c",
		`(trap '' TERM HUP; exec 8>"$2"; echo ready >&8; while :; do sleep 1000; done) & exec 9>"$1"; echo ready >&9; wait`,
		"sh", harness.path, child.path)
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = host.Process.Kill() }()
	harness.ready(t)
	child.ready(t)
	record := filepath.Join(dir, run, recordName)
	eventually(t, "the process is recorded", func() bool {
		raw, _ := os.ReadFile(record)
		return json.Valid(raw)
	})

	if n, err := KillLeftovers(dir); n != 0 || err != nil {
		t.Fatalf("while its host lives: got %d, %v; want 0", n, err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // killed, as intended
	harness.gone(t)

	if n, err := KillLeftovers(dir); n != 1 || err != nil {
		t.Errorf("got %d, %v; want 1", n, err)
	}
	child.gone(t)
	if _, err := os.Stat(record); !os.IsNotExist(err) {
		t.Errorf("the record is still there: %v", err)
	}
	if n, err := KillLeftovers(dir); n != 0 || err != nil {
		t.Errorf("the second time: got %d, %v; want 0", n, err)
	}
}

// A number that somebody else has now is no reason to kill.
func TestKillLeftoversSparesStrangers(t *testing.T) {
	t.Parallel()
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*record)
		env    string
		dies   bool
	}{
		"the recorded process":            {func(*record) {}, "", true},
		"its number, started later":       {func(r *record) { r.Start-- }, "", false},
		"its number, of another run":      {func(r *record) { r.Start-- }, "AL_RUN_ID=other", false},
		"a member that is left":           {func(r *record) { r.Start-- }, "AL_RUN_ID=run", true},
		"its number, started earlier":     {func(r *record) { r.Start++ }, "AL_RUN_ID=other", false},
		"one of its own, started earlier": {func(r *record) { r.Start++ }, "AL_RUN_ID=run", true},
		"one that left the group":         {func(r *record) { r.PID, r.Start = 1<<22, 1 }, "AL_RUN_ID=run", true},
		"no harness was recorded yet":     {func(r *record) { r.PID, r.Start = 0, 0 }, "AL_RUN_ID=run", true},
		"no harness, and another run":     {func(r *record) { r.PID, r.Start = 0, 0 }, "AL_RUN_ID=other", false},
		"older than the host":             {func(r *record) { r.PID, r.HostStart = 0, r.Start+1 }, "AL_RUN_ID=run", false},
		"before the machine was rebooted": {func(r *record) { r.Boot = "other" }, "AL_RUN_ID=run", false},
		"its host is alive": {func(r *record) {
			self, _ := readStat(os.Getpid())
			r.HostPID, r.HostStart = self.pid, self.start
		}, "AL_RUN_ID=run", false},
		"its host's number is used again": {func(r *record) { r.HostPID = os.Getpid() }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := newLifeline(t)
			// Unlike the others' that are tried at the same time.
			run := rand.Text()
			cmd := exec.CommandContext(t.Context(), "sh", "-c", `exec 9>"$1"; echo ready >&9; exec sleep 1000`, "sh", line.path)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), strings.Replace(tt.env, "=run", "="+run, 1)}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line.ready(t)
			stat, err := readStat(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			// 1<<22 is beyond the highest number that Linux gives.
			r := record{PID: stat.pid, Start: stat.start, Boot: boot, HostPID: 1 << 22, HostStart: 1}
			tt.change(&r)
			raw, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, run), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, run, recordName), raw, 0o600); err != nil {
				t.Fatal(err)
			}

			n, err := KillLeftovers(dir)
			if err != nil || (n == 1) != tt.dies {
				t.Errorf("got %d, %v; want it killed: %v", n, err, tt.dies)
			}
			_ = cmd.Process.Signal(syscall.SIGTERM)
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) {
				t.Fatal(err)
			}
			status, ok := exit.Sys().(syscall.WaitStatus)
			if killed := ok && status.Signal() == syscall.SIGKILL; killed != tt.dies {
				t.Errorf("killed: %v, want %v", killed, tt.dies)
			}
			line.gone(t)
		})
	}
}

func TestKillLeftoversWithoutAny(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if n, err := KillLeftovers(filepath.Join(dir, "missing")); n != 0 || err != nil {
		t.Errorf("no folder: got %d, %v", n, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(dir, "run", recordName)
	if err := os.WriteFile(record, []byte(`{"pid":12`), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := KillLeftovers(dir); n != 0 || err != nil {
		t.Errorf("a record cut short: got %d, %v", n, err)
	}
	if _, err := os.Stat(record); !os.IsNotExist(err) {
		t.Errorf("the useless record is still there: %v", err)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]procStat{
		"7 (sh) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 9876 1 1":           {pid: 7, group: 42, start: 9876},
		"7 (a) S 1 1 (c)) Z 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 9876 1 1": {pid: 7, group: 42, start: 9876, dead: true},
	} {
		if got, err := parseStat(7, []byte(line)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", line, got, err, want)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("7 (a) b) (c) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 9876 1 1")
	f.Add("7 (x) Z 1 42")
	f.Fuzz(func(t *testing.T, line string) {
		if s, err := parseStat(7, []byte(line)); err == nil && s.pid != 7 {
			t.Errorf("got %+v", s)
		}
	})
}
