package runner

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/job"
)

func TestRun(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, `cat; echo "err" >&2; cmp - "$AL_PROMPT_FILE" <"$AL_PROMPT_FILE" && cat "$AL_CONTEXT_FILE"; pwd`)
	before := time.Now()
	res := r.Run(t.Context(), spec)
	if res.State != job.Done || res.ExitCode != 0 || res.Reason != "" || res.Released() || res.Truncated {
		t.Fatalf("got %+v", res)
	}
	if res.Started.Before(before) || res.Ended.Before(res.Started) || time.Since(res.Ended) < 0 {
		t.Errorf("started %s, ended %s", res.Started, res.Ended)
	}
	told, err := prompt(spec)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(spec.WorkDir)
	if err != nil {
		t.Fatal(err)
	}
	want := told + "err\n" + `{"event":"issues"}` + dir + "\n"
	if diff := cmp.Diff(want, output(t, r)); diff != "" {
		t.Error(diff)
	}
	if res.OutputBytes != int64(len(want)) {
		t.Errorf("got %d bytes of output, want %d", res.OutputBytes, len(want))
	}

	modes := map[string]string{}
	err = filepath.Walk(r.opts.Dir, func(path string, info os.FileInfo, err error) error {
		name, _ := filepath.Rel(r.opts.Dir, path)
		modes[name] = info.Mode().String()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{
		".":               "drwx------",
		"r1":              "drwx------",
		"r1/prompt.md":    "-rw-------",
		"r1/shown.md":     "-rw-------",
		"r1/context.json": "-rw-------",
		"r1/output.log":   "-rw-------",
	}, modes); diff != "" {
		t.Error(diff)
	}
}

func TestRunContextFileIsJSONForEveryTrigger(t *testing.T) {
	t.Parallel()
	for trigger, tt := range map[job.Trigger]struct{ context, want string }{
		job.Webhook:  {`{"event":"<issues>"}`, `{"event":"<issues>"}`},
		job.Schedule: {"", `{"schedule":"@daily"}`},
		job.Manual:   {`say "hi"`, `{"prompt":"say \"hi\""}`},
	} {
		r, spec := setup(t, `cat "$AL_CONTEXT_FILE"; echo " $AL_TRIGGER"`)
		spec.Trigger, spec.Context, spec.Schedule = trigger, []byte(tt.context), "@daily"
		if res := r.Run(t.Context(), spec); res.State != job.Done {
			t.Errorf("%s: got %+v", trigger, res)
		}
		if got, want := output(t, r), tt.want+" "+string(trigger)+"\n"; got != want {
			t.Errorf("%s: got %q, want %q", trigger, got, want)
		}
	}
}

// The harness sees these variables and no other.
func TestRunEnvironment(t *testing.T) {
	t.Setenv("HOST_TOKEN", "not for agents")
	t.Setenv("AL_CREDENTIALS_DIR", "not for agents")
	t.Setenv("LANG", "C.UTF-8")
	t.Setenv("TZ", "")
	t.Setenv("HOME", "/home/somebody")
	t.Setenv("TMPDIR", t.TempDir())
	r, spec := setup(t, "")
	spec.Command = []string{"{al}", "helper", "env"}
	spec.Env = map[string]string{"TRACKER_TOKEN": "t0ken", "HOME": "/home/agent", "AL_RUN_ID": "forged", "EMPTY": "", "LINES": "a\nb"}
	spec.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if res := r.Run(t.Context(), spec); res.State != job.Done {
		t.Fatalf("got %+v", res)
	}
	want := []string{
		"AL_AGENT=dev", "AL_ATTEMPT=1", "AL_RUN_ID=r1", "AL_TRIGGER=webhook",
		"AL_CONTEXT_FILE=" + filepath.Join(r.opts.Dir, "r1/context.json"),
		"AL_PROMPT_FILE=" + filepath.Join(r.opts.Dir, "r1/prompt.md"),
		"EMPTY=", "HOME=/home/agent", "LANG=C.UTF-8", "LINES=a\nb", "PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.Getenv("TMPDIR"), "TRACEPARENT=" + spec.TraceParent, "TRACKER_TOKEN=t0ken", "TZ=",
	}
	slices.Sort(want)
	if diff := cmp.Diff(strings.Join(want, "\n")+"\n", output(t, r)); diff != "" {
		t.Error(diff)
	}
}

func TestRunPlaceholders(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, "")
	spec.Command = []string{"{al}", "helper", "args", "--message-file={prompt}", "{context}", "{other}"}
	if res := r.Run(t.Context(), spec); res.State != job.Done {
		t.Fatalf("got %+v", res)
	}
	dir := filepath.Join(r.opts.Dir, "r1")
	if got, want := output(t, r), "--message-file="+dir+"/prompt.md\n"+dir+"/context.json\n{other}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Spec)
		code   int
		reason string // a part of it
	}{
		{"exit code", func(s *Spec) { s.Command = []string{"sh", "-c", "exit 3"} }, 3, "sh ended with exit code 3"},
		{"signal", func(s *Spec) { s.Command = []string{"sh", "-c", "kill -9 $$"} }, 137, "ended by signal 9"},
		{"no command", func(s *Spec) { s.Command = nil }, 126, "set command or harness under [runner]"},
		{"not installed", func(s *Spec) { s.Command = []string{"no-such-harness"} }, 127, "no-such-harness not found; install it, or set command under [runner]"},
		{"no such file", func(s *Spec) { s.Command = []string{"./agent.sh"} }, 127, "./agent.sh not found; install it"},
		{"not executable", func(s *Spec) {
			write(t, s, "agent.sh", "#!/bin/sh\n", 0o600)
		}, 126, "./agent.sh is not executable; chmod +x"},
		{"a folder", func(s *Spec) { s.Command = []string{s.WorkDir} }, 126, "set command under [runner]"},
		{"interpreter missing", func(s *Spec) {
			write(t, s, "agent.sh", "#!/no/such/interpreter\n", 0o700)
		}, 127, "./agent.sh: interpreter not found; look at its first line"},
		{"no program", func(s *Spec) {
			write(t, s, "agent.sh", "echo hi\n", 0o700)
		}, 126, "needs #!/bin/sh as its first line"},
		{"no working folder", func(s *Spec) { s.WorkDir += "/gone" }, 126, "/gone is missing"},
		{"variable with a zero byte", func(s *Spec) { s.Env = map[string]string{"TOKEN": "hush\x00"} }, 126, "TOKEN has a zero byte"},
		{"no variable", func(s *Spec) { s.Env = map[string]string{"A=B": "hush"} }, 126, `"A=B" is not a name`},
		{"run id that climbs", func(s *Spec) { s.RunID = "../r1" }, 126, `run id "../r1"`},
		{"context is no JSON", func(s *Spec) { s.Context = []byte("{") }, 126, "not valid JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, spec := setup(t, "")
			tt.change(&spec)
			res := r.Run(t.Context(), spec)
			if res.State != job.Failed || res.ExitCode != tt.code || !strings.Contains(res.Reason, tt.reason) {
				t.Errorf("got %s, %d, %q; want failed, %d, %q", res.State, res.ExitCode, res.Reason, tt.code, tt.reason)
			}
			if strings.Contains(res.Reason, "hush") {
				t.Errorf("a secret in the reason: %q", res.Reason)
			}
			if res.Started.IsZero() || res.Ended.IsZero() {
				t.Error("no times")
			}
		})
	}
}

func write(t *testing.T, s *Spec, name, text string, mode os.FileMode) {
	t.Helper()
	s.Command = []string{"./" + name}
	if err := os.WriteFile(filepath.Join(s.WorkDir, name), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestRunTimeout(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"ends on SIGTERM":           `exec 9>"$1"; sleep 1000`,
		"says so, with exit code 0": `exec 9>"$1"; trap 'exit 0' TERM; sleep 1000 & wait`,
		"ignores SIGTERM":           `exec 9>"$1"; trap '' TERM; while :; do sleep 1000; done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := newLifeline(t)
			r, spec := setup(t, script, line.path)
			spec.Timeout, spec.Grace = 300*time.Millisecond, 100*time.Millisecond
			res := r.Run(t.Context(), spec)
			if res.State != job.Failed || res.ExitCode != 124 || !strings.Contains(res.Reason, "timed out after 300ms") {
				t.Errorf("got %+v", res)
			}
			line.gone(t)
		})
	}
}

// A harness that ignores SIGTERM gets all of its grace, and no more.
func TestRunGrace(t *testing.T) {
	t.Parallel()
	line := newLifeline(t)
	r, spec := setup(t, `exec 9>"$1"; trap '' TERM; echo ready >&9; while :; do sleep 1000; done`, line.path)
	spec.Grace = 150 * time.Millisecond
	ctx, cancel := context.WithCancelCause(t.Context())
	done := run(ctx, r, spec)
	line.ready(t)
	asked := time.Now()
	cancel(ErrShutdown)
	res := <-done
	if took := time.Since(asked); took < spec.Grace || !res.Released() || res.ExitCode != 137 {
		t.Errorf("after %s: %+v", took, res)
	}
	line.gone(t)
}

func run(ctx context.Context, r *Runner, spec Spec) <-chan Result {
	done := make(chan Result, 1)
	go func() { done <- r.Run(ctx, spec) }()
	return done
}

func TestRunStopped(t *testing.T) {
	t.Parallel()
	const polite = `exec 9>"$1"; trap 'exit 0' TERM; echo ready >&9; sleep 1000 & wait`
	const plain = `exec 9>"$1"; echo ready >&9; sleep 1000`
	tests := []struct {
		name   string
		script string
		cause  error
		state  job.State
		code   int
		reason string
	}{
		{"shutdown", plain, ErrShutdown, job.Waiting, 143, "the host is stopping"},
		{"shutdown, polite harness", polite, ErrShutdown, job.Waiting, 0, "the host is stopping"},
		{"no cause", plain, nil, job.Waiting, 143, "context canceled"},
		{"killed", plain, fmt.Errorf("al kill: %w", ErrKilled), job.Failed, 143, "al kill: killed by an operator"},
		{"killed, polite harness", polite, ErrKilled, job.Failed, 143, "killed by an operator"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			line := newLifeline(t)
			r, spec := setup(t, tt.script, line.path)
			ctx, cancel := context.WithCancelCause(t.Context())
			done := run(ctx, r, spec)
			line.ready(t)
			cancel(tt.cause)
			res := <-done
			if res.State != tt.state || res.ExitCode != tt.code || res.Reason != tt.reason || res.Released() != (tt.state == job.Waiting) {
				t.Errorf("got %+v", res)
			}
			line.gone(t)
		})
	}
}

func TestRunStoppedBeforeItStarts(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, "echo started")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrShutdown)
	if res := r.Run(ctx, spec); !res.Released() {
		t.Errorf("got %+v", res)
	}
	if _, err := os.Stat(filepath.Join(r.opts.Dir, "r1")); !os.IsNotExist(err) {
		t.Errorf("it left a folder: %v", err)
	}
}

// Children in the background neither survive the harness nor hold up the run.
func TestRunKillsTheGroup(t *testing.T) {
	t.Parallel()
	line := newLifeline(t)
	r, spec := setup(t, `exec 9>"$1"; (trap '' TERM HUP; echo ready >&9; while :; do sleep 1000; done) & read -r _ <"$2"; echo done`, line.path, os.DevNull)
	// The harness leaves only when the child has got ready.
	leave := newLifeline(t)
	spec.Command[len(spec.Command)-1] = leave.path
	done := run(t.Context(), r, spec)
	line.ready(t)
	_, err := leave.own.WriteString("go\n")
	if err != nil {
		t.Fatal(err)
	}
	if res := <-done; res.State != job.Done {
		t.Errorf("got %+v", res)
	}
	line.gone(t)
	if got := output(t, r); got != "done\n" {
		t.Errorf("got %q", got)
	}
}

// Whoever leaves the group is out of reach, but can not hold up the run.
func TestRunDoesNotWaitForDaemons(t *testing.T) {
	t.Parallel()
	setsid, err := exec.LookPath("setsid")
	if err != nil {
		t.Skip("no setsid here")
	}
	line, up := newLifeline(t), newLifeline(t)
	r, spec := setup(t, `"$3" sh -c 'exec 9>"$1"; echo $$ >&9; echo >"$2"; exec sleep 1000' sh "$1" "$2" & read -r _ <"$2"; echo done`, line.path, up.path, setsid)
	done := run(t.Context(), r, spec)
	pid, err := strconv.Atoi(line.ready(t))
	if err != nil {
		t.Fatal(err)
	}
	res := <-done
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the daemon was gone, so this tested nothing: %v", err)
	}
	line.gone(t)
	if res.State != job.Done || output(t, r) != "done\n" {
		t.Errorf("got %+v, %q", res, output(t, r))
	}
}

func TestRunIDIsUsedOnce(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, "echo first")
	r.Run(t.Context(), spec)
	if res := r.Run(t.Context(), spec); res.State != job.Failed {
		t.Errorf("got %+v", res)
	}
	if got := output(t, r); got != "first\n" {
		t.Errorf("the first run's output became %q", got)
	}
}

func TestRunManyAtOnce(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, `echo "$AL_RUN_ID"`)
	var all []<-chan Result
	for i := range 50 {
		spec.RunID = fmt.Sprintf("run-%d", i)
		all = append(all, run(t.Context(), r, spec))
	}
	for i, done := range all {
		if res := <-done; res.State != job.Done {
			t.Errorf("run %d: %+v", i, res)
		}
		id := fmt.Sprintf("run-%d", i)
		if got := read(t, OutputFile(r.opts.Dir, id)); got != id+"\n" {
			t.Errorf("run %d printed %q", i, got)
		}
	}
}

// BenchmarkRun reports how long it takes from the call to a started harness.
func BenchmarkRun(b *testing.B) {
	r, err := New(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	spec := Spec{Agent: "dev", Trigger: job.Webhook, WorkDir: b.TempDir(), Command: []string{"true"}, Skill: strings.Repeat("line of a skill\n", 500),
		Context: []byte(`{"event":"issues","body":"` + strings.Repeat("x", 4000) + `"}`), Secrets: []string{key, "ghp_0123456789abcdef"}}
	var starts []time.Duration
	for b.Loop() {
		spec.RunID = fmt.Sprintf("r%d", len(starts))
		called := time.Now()
		res := r.Run(b.Context(), spec)
		if res.State != job.Done {
			b.Fatal(res.Reason)
		}
		starts = append(starts, res.Started.Sub(called))
	}
	slices.Sort(starts)
	b.ReportMetric(float64(starts[len(starts)/2].Microseconds()), "start-p50-µs")
	b.ReportMetric(float64(starts[len(starts)*99/100].Microseconds()), "start-p99-µs")
}
