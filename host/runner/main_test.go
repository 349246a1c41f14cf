package runner

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/action-llama/gateway/host/job"
)

// The test binary is also the harness, and the host, of some tests:
// {al} helper NAME ARGS...
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "helper" {
		if err := helper(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			syscall.Exit(1)
		}
		syscall.Exit(0) // not os.Exit, which writes a line when coverage is measured
	}
	goleak.VerifyTestMain(m)
}

func helper(name string, args []string) error {
	switch name {
	case "env":
		env := os.Environ()
		slices.Sort(env)
		_, err := fmt.Fprintln(os.Stdout, strings.Join(env, "\n"))
		return err
	case "args":
		_, err := fmt.Fprintln(os.Stdout, strings.Join(args, "\n"))
		return err
	case "print":
		return Print(os.Stdin, os.Stdout, os.Getenv)
	case "bytewise": // one write per byte
		for _, b := range []byte(args[0]) {
			if _, err := os.Stdout.Write([]byte{b}); err != nil {
				return err
			}
		}
		return nil
	case "spam": // numbered lines, about so many bytes
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		w := bufio.NewWriter(os.Stdout)
		for i := 0; n > 0; i++ {
			k, err := fmt.Fprintf(w, "%099d\n", i)
			if err != nil {
				return err
			}
			n -= k
		}
		_, _ = w.WriteString("the end\n")
		return w.Flush()
	case "host": // DIR, RUN, command...
		r, err := New(Options{Dir: args[0]})
		if err != nil {
			return err
		}
		res := r.Run(context.Background(), Spec{RunID: args[1], Trigger: job.Schedule, WorkDir: args[0], Command: args[2:]})
		return errors.New(res.Reason)
	default:
		return fmt.Errorf("no helper %q", name)
	}
}

// setup returns a Runner and the start of a spec for it: a webhook run of sh
// with the given script, whose arguments follow as $1 and so on.
func setup(t *testing.T, script string, args ...string) (*Runner, Spec) {
	t.Helper()
	r, err := New(Options{Dir: filepath.Join(t.TempDir(), "runs"), MaxOutput: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return r, Spec{
		RunID:   "r1",
		Agent:   "dev",
		Trigger: job.Webhook,
		Attempt: 1,
		WorkDir: t.TempDir(),
		Command: append([]string{"sh", "-c", script, "sh"}, args...),
		Skill:   "Do it.",
		Context: []byte(`{"event":"issues"}`),
		Timeout: time.Minute, // far beyond any test
		Grace:   time.Minute,
	}
}

func output(t *testing.T, r *Runner) string {
	t.Helper()
	return read(t, OutputFile(r.opts.Dir, "r1"))
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// eventually waits for a fact that nothing announces.
func eventually(t *testing.T, what string, fact func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !fact() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never came true: %s", what)
		}
	}
}

// lifeline is a named pipe that processes of a test hold open: they say that
// they are ready by writing a line, and that the last of them is gone by
// letting go.
type lifeline struct {
	path string
	r    *bufio.Reader
	file *os.File
	own  *os.File // keeps it open until the first process has it
}

func newLifeline(t *testing.T) *lifeline {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lifeline")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(flag int) *os.File {
		f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	l := &lifeline{path: path, file: open(os.O_RDONLY), own: open(os.O_WRONLY)}
	l.r = bufio.NewReader(l.file)
	if err := l.file.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return l
}

// ready waits for a line and returns it.
func (l *lifeline) ready(t *testing.T) string {
	t.Helper()
	line, err := l.r.ReadString('\n')
	if err != nil {
		t.Fatalf("no process got ready: %v", err)
	}
	return strings.TrimSpace(line)
}

// gone waits until no process holds the pipe.
func (l *lifeline) gone(t *testing.T) {
	t.Helper()
	_ = l.own.Close()
	if _, err := io.ReadAll(l.r); err != nil {
		t.Errorf("somebody is still there: %v", err)
	}
}
