package pluginhost

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestRingKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var r ring
	var all strings.Builder
	for i := range 3000 {
		line := strings.Repeat(string(rune('a'+i%26)), i%90) + "\n"
		all.WriteString(line)
		_, _ = r.Write([]byte(line))
		want := all.String()
		if want = want[max(0, len(want)-stderrKept):]; r.String() != want {
			t.Fatalf("after %d lines: %d bytes, want %d", i+1, len(r.String()), len(want))
		}
	}
	_, _ = r.Write(bytes.Repeat([]byte("x"), 3*stderrKept))
	if r.String() != strings.Repeat("x", stderrKept) {
		t.Error("one large write")
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                            "",
		"one\n\n two \nthree\nfour\n": "two | three | four",
		"log line\npanic: nil map\n\ngoroutine 1 [running]:\nmain.main()\n":                                                     "panic: nil map",
		`{"@level":"debug","@message":"plugin address"}` + "\n" + `{"@level":"error","@message":"no key","error":"EOF"}` + "\n": "no key: EOF",
		`{"not":"a log line"}`:      `{"not":"a log line"}`,
		strings.Repeat("long", 100): strings.Repeat("long", 75) + "...",
	} {
		var r ring
		_, _ = r.Write([]byte(text))
		if got := r.quote(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLineLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := &lineLogger{log: hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true})}
	for _, part := range []string{"a lo", "ng line\nand", " another\n", strings.Repeat("x", 10*outputLineMax), "\nlast, without an end"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	want := `[WARN]  unexpected output: line="a long line"
[WARN]  unexpected output: line="and another"
[WARN]  unexpected output: line=` + strings.Repeat("x", outputLineMax) + "\n"
	if out.String() != want {
		t.Errorf("logged %q, want %q", out.String(), want)
	}
}

// Where the project's path is too long for a socket, the temp directory serves,
// and is cleaned up alike.
func TestSocketDir(t *testing.T) {
	temp := runtimeDir(t)
	t.Setenv("TMPDIR", temp)
	for name, test := range map[string]struct {
		runtime, want string
	}{
		"short": {runtime: filepath.Join(temp, ".al"), want: filepath.Join(temp, ".al", "run", "s-")},
		"long":  {runtime: filepath.Join(temp, strings.Repeat("long", 20)), want: filepath.Join(temp, "al-provider-")},
	} {
		d, err := newSocketDir(test.runtime)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.HasPrefix(d.path, test.want) || len(d.path)+len(socketName) > maxSocketPath {
			t.Errorf("%s: %s, want %s...", name, d.path, test.want)
		}
		if info, err := os.Stat(d.path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		there := func() bool { _, err := os.Stat(d.path); return err == nil }
		if err := sweepSocketDirs(test.runtime); err != nil || !there() {
			t.Errorf("%s: swept while its host lives (%v)", name, err)
		}
		write(t, filepath.Join(d.path, "plugin123"), "", 0o600)
		d.lock.Close() // as when its host is killed
		if err := sweepSocketDirs(test.runtime); err != nil || there() {
			t.Errorf("%s: not swept (%v)", name, err)
		}
	}
	t.Setenv("TMPDIR", filepath.Join(temp, strings.Repeat("long", 20)))
	if _, err := newSocketDir(os.Getenv("TMPDIR")); err == nil || !strings.Contains(err.Error(), "set TMPDIR to a shorter path") {
		t.Errorf("both too long: %v", err)
	}
}

// A provider also runs from a project with a long path.
func TestLongRuntimeDir(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"ok"}, func(o *Options) { o.RuntimeDir = filepath.Join(t.TempDir(), strings.Repeat("long", 20)) })
	dir := b.start(t, "ok").current.Load().dir.path
	if !strings.HasPrefix(dir, os.TempDir()) {
		t.Errorf("socket in %s", dir)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is left", dir)
	}
}
