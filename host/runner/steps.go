package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/job"
)

// execution is a run under way: the hooks before the harness, the harness, and
// the hooks after it, one at a time and each in a process group of its own.
type execution struct {
	spec  Spec
	files files
	out   *capture
	env   []string
	log   hclog.Logger
	began bool // a step was started
	steps []Step
	// postTimeout is for the hooks after the harness, all together.
	postTimeout time.Duration
}

// execute returns an error when something could not be started.
func (r *Runner) execute(ctx context.Context, spec Spec, log hclog.Logger, res *Result) error {
	f, err := r.prepare(spec)
	defer func() {
		if err := f.removeCredentials(); err != nil {
			log.Error("credentials of the run not removed", "error", err)
		}
	}()
	if err != nil {
		return err
	}
	harness, err := r.command(spec, f)
	if err != nil {
		return err
	}
	out, err := openCapture(f, hiddenOf(spec), r.opts.MaxOutput)
	if err != nil {
		return err
	}
	defer out.finish(log, res)
	x := &execution{spec: spec, files: f, out: out, env: harness.Env, log: log, postTimeout: r.postTimeout}
	err = x.all(ctx, harness, res)
	res.Steps = x.steps
	return err
}

func (x *execution) all(ctx context.Context, harness *exec.Cmd, res *Result) error {
	limit := time.NewTimer(x.spec.Timeout)
	defer limit.Stop()
	for i, command := range x.spec.Pre {
		name := fmt.Sprintf("hooks.pre[%d]", i)
		if err := x.hook(ctx, limit.C, name, command, res); err != nil || res.State != job.Done {
			return err
		}
	}
	if err := x.harness(ctx, limit.C, harness, res); err != nil {
		return err
	}
	if ctx.Err() == nil && len(x.spec.Post) > 0 {
		x.post(ctx, res)
	}
	return nil
}

func (x *execution) harness(ctx context.Context, limit <-chan time.Time, cmd *exec.Cmd, res *Result) error {
	stdin, err := os.Open(x.files.prompt)
	if err != nil {
		return err
	}
	defer func() { _ = stdin.Close() }()
	cmd.Stdin = stdin // a file, not a pipe: a harness may read it, read half of it or close it
	return x.step(ctx, limit, filepath.Base(x.spec.Command[0]), cmd, res)
}

// post runs the hooks after the harness. The result is the harness's, unless
// that was fine and a hook is not.
func (x *execution) post(ctx context.Context, res *Result) {
	limit := time.NewTimer(x.postTimeout)
	defer limit.Stop()
	for i, command := range x.spec.Post {
		name := fmt.Sprintf("hooks.post[%d]", i)
		var of Result
		if err := x.hook(ctx, limit.C, name, command, &of); err != nil {
			of = Result{State: job.Failed, ExitCode: exitNotExecutable, Reason: err.Error()}
		}
		if of.State == job.Done {
			continue
		}
		x.say("%s", of.Reason)
		// A host that stops takes no work back that is done.
		if res.State == job.Done && !of.Released() {
			res.State, res.ExitCode, res.Reason = of.State, of.ExitCode, of.Reason
		}
		return
	}
}

// hook runs a command of the agent's configuration in a shell.
func (x *execution) hook(ctx context.Context, limit <-chan time.Time, name, command string, res *Result) error {
	x.say("%s: %s", name, firstLine(command))
	cmd := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", command}, Env: x.env, Dir: x.spec.WorkDir}
	return x.step(ctx, limit, name, cmd, res)
}

// say puts a line of ours between the outputs of several steps.
func (x *execution) say(format string, args ...any) {
	x.out.follow()
	_, _ = fmt.Fprintf(x.out.w, "[al: "+format+"]\n", args...) // as lossy as any output
}

// firstLine is enough of a command to know it again.
func firstLine(command string) string {
	const most = 200
	line, rest, _ := strings.Cut(strings.TrimSpace(command), "\n")
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	if rest != "" {
		line += " ..."
	}
	return line
}

// step starts a command and waits for its end.
func (x *execution) step(ctx context.Context, limit <-chan time.Time, name string, cmd *exec.Cmd, res *Result) error {
	cmd.Stdout, cmd.Stderr = x.out.w, x.out.w
	x.record(0)
	defer func() { _ = os.Remove(filepath.Join(x.files.dir, recordName)) }()
	p, err := start(cmd)
	if err != nil {
		return startError(cmd, err)
	}
	if !x.began {
		x.began, res.Started = true, time.Now()
		res.Launched = res.Started
	}
	x.out.follow()
	x.log.Debug("started", "step", name, "pid", p.pid, "command", cmd.Args[0])
	x.record(p.pid)
	began := time.Now()
	x.await(ctx, limit, name, p, res)
	x.steps = append(x.steps, Step{name, began, time.Now(), res.ExitCode})
	return nil
}

// record keeps what is needed to find the processes of a step after a crash.
func (x *execution) record(pid int) {
	err := writeRecord(x.files.dir, pid)
	// One that has ended already needs none.
	ended := errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH)
	if err != nil && !ended && !errors.Is(err, errors.ErrUnsupported) {
		x.log.Warn("process not recorded, so it would not be found after a crash", "error", err)
	}
}

// await waits for the end of a step, or brings it about.
func (x *execution) await(ctx context.Context, limit <-chan time.Time, name string, p *process, res *Result) {
	var cause error
	timedOut := false
	select {
	case <-p.exited:
	case <-limit:
		timedOut = true
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	if (timedOut || cause != nil) && !p.hasExited() {
		if !p.stop(x.spec.Grace) {
			x.log.Error("process did not die of SIGKILL; it hangs in the kernel", "step", name, "pid", p.pid)
			res.ExitCode = exitKilled
		}
	} else {
		timedOut, cause = false, nil // it was done before we were
	}
	if p.hasExited() {
		res.ExitCode = p.exitCode()
	}
	switch {
	case timedOut:
		res.State, res.ExitCode, res.Reason = job.Failed, exitTimeout, x.timedOut(name)
	case cause != nil:
		res.stopped(cause)
	case res.ExitCode == 0:
		res.State, res.Reason = job.Done, ""
	default:
		res.State = job.Failed
		res.Reason = fmt.Sprintf("%s ended with exit code %d; its output says more", name, res.ExitCode)
		if s := p.endedBy(); s != 0 {
			res.Reason = fmt.Sprintf("%s was ended by signal %d (%s)", name, int(s), s)
			if s == syscall.SIGKILL {
				res.Reason += "; the machine may be short of memory"
			}
		}
	}
}

func (x *execution) timedOut(name string) string {
	switch {
	case strings.HasPrefix(name, "hooks.pre"):
		return fmt.Sprintf("%s timed out: the run may take %s, hooks included; raise the agent's timeout if it needs longer", name, x.spec.Timeout)
	case strings.HasPrefix(name, "hooks.post"):
		return fmt.Sprintf("%s timed out: hooks after a harness may take %s together", name, x.postTimeout)
	default:
		return fmt.Sprintf("timed out after %s; raise the agent's timeout if it needs longer", x.spec.Timeout)
	}
}
