// Package runner executes one run of a job: it writes the prompt, starts the
// harness in a process group of its own, keeps its output without the secrets
// in it, and sees to it that nothing of it stays behind. It decides neither
// what runs nor when; that is the queue's.
//
// What it leaves in <dir>/<run id>/, for the owner's eyes only:
//
//	prompt.md      what the harness was told, also on its standard input
//	context.json   the event, schedule or request behind the run, as JSON
//	output.log     standard output and error together, bounded and masked
//	process.json   the harness's process, while there is one
package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/job"
)

// Causes for the end of the context that [Runner.Run] is given. Any other
// cause, and none, means the same as ErrShutdown.
var (
	// ErrShutdown: the host stops. The run is not to blame, and its job goes
	// back to the queue.
	ErrShutdown = errors.New("the host is stopping")
	// ErrKilled: a person ended this run. It may be wrapped to say who.
	ErrKilled = errors.New("killed by an operator")
)

const (
	defaultTimeout = 900 * time.Second // what a project without a timeout gets
	defaultGrace   = 10 * time.Second  // between SIGTERM and SIGKILL

	// drainWait is how long the output is read on after the harness has gone.
	// It ends at once unless a process that left the group holds it open.
	drainWait = 3 * time.Second
	// reapWait is how long a process may take to die of SIGKILL. Longer means
	// that it hangs in the kernel, for example on a dead network drive.
	reapWait = 10 * time.Second

	exitTimeout       = 124 // as timeout(1)
	exitNotExecutable = 126 // as the shells
	exitNotFound      = 127 // as the shells
	exitTerminated    = 128 + 15
	exitKilled        = 128 + 9
)

// Options of a Runner.
type Options struct {
	// Dir holds a folder for each run: .al/runs. It is made when it is missing.
	Dir string
	// Log gets what an operator may want to know about a run; its end and its
	// reason are in the Result instead.
	Log hclog.Logger
	// Executable replaces {al} in commands. Defaults to this program.
	Executable string
	// MaxOutput bounds output.log, in bytes. The last 256 KiB are kept of an
	// output that is longer, and the rest from its beginning. Defaults to 10 MiB.
	MaxOutput int64
}

// Runner executes runs. Any number may be under way at the same time.
type Runner struct {
	opts Options
}

// New returns a Runner after making its folder.
func New(opts Options) (*Runner, error) {
	dir, err := filepath.Abs(opts.Dir) // harnesses work in other folders
	if err != nil {
		return nil, fmt.Errorf("folder for runs: %w", err)
	}
	opts.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for runs: %w", err)
	}
	if opts.Executable == "" {
		if opts.Executable, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the al program: %w", err)
		}
	}
	if opts.MaxOutput <= 0 {
		opts.MaxOutput = defaultMaxOutput
	}
	if opts.Log == nil {
		opts.Log = hclog.NewNullLogger()
	}
	return &Runner{opts: opts}, nil
}

// OutputFile is where the output of a run is, below the folder of all runs.
func OutputFile(dir, run string) string { return filepath.Join(dir, run, "output.log") }

// Spec is one run.
type Spec struct {
	RunID   string // names its folder; unique
	Agent   string
	Trigger job.Trigger
	Attempt int // from 1

	// WorkDir is the project's folder.
	WorkDir string
	// Command is the harness and its arguments. "{al}" in any of them stands
	// for the al program, "{prompt}" for the path of the file with the prompt,
	// "{context}" for that of the file with the context. A command with a
	// slash is relative to WorkDir, any other is looked for in PATH.
	Command []string
	// Env holds the agent's credentials. They reach the harness and, unless
	// they are among Secrets, may show up in its output.
	Env map[string]string

	// Secrets are hidden in the output, also line by line and in their JSON
	// and URL spellings. Those under 4 bytes are not: they would hide
	// everything.
	Secrets []string
	// Sensitive names values in the context (job.Job.Sensitive) that are hidden
	// like Secrets.
	Sensitive []string

	Skill    string         // body of SKILL.md
	Params   map[string]any // the agent's [params]
	Context  []byte         // JSON of the event; the request in plain text of a manual call
	Schedule string         // the cron expression, for people

	// Timeout ends the run. Defaults to 900 s.
	Timeout time.Duration
	// Grace is what the harness gets between SIGTERM and SIGKILL. Defaults to 10 s.
	Grace time.Duration
}

// Result says how a run ended.
type Result struct {
	// State is Done after exit code 0, Failed after anything else the run is
	// to blame for, and Waiting when it was released: the host stops and the
	// job has to run again.
	State job.State
	// ExitCode of the harness; 128 and the signal's number when a signal ended
	// it, 124 for a timeout, 126 and 127 when it could not be started.
	ExitCode int
	Reason   string // for people; empty when Done
	Started  time.Time
	Ended    time.Time
	// OutputBytes is what the harness wrote, before masking and cutting.
	OutputBytes int64
	// Truncated says that output.log is not all of that.
	Truncated bool
}

// Released says that the run is not to blame and its job goes back to the queue.
func (r Result) Released() bool { return r.State == job.Waiting }

// Run executes one run and returns when nothing of it is left. When ctx ends,
// the harness gets SIGTERM and, after the grace period, SIGKILL; the cause
// (ErrShutdown, ErrKilled) decides what becomes of the job.
func (r *Runner) Run(ctx context.Context, spec Spec) Result {
	if spec.Timeout <= 0 {
		spec.Timeout = defaultTimeout
	}
	if spec.Grace <= 0 {
		spec.Grace = defaultGrace
	}
	log := r.opts.Log.With("agent", spec.Agent, "run", spec.RunID)
	res := Result{Started: time.Now()}
	if ctx.Err() != nil {
		res.stopped(context.Cause(ctx))
	} else if err := r.execute(ctx, spec, log, &res); err != nil {
		res.State, res.Reason = job.Failed, err.Error()
		res.ExitCode = exitNotExecutable
		if errors.Is(err, errNotFound) {
			res.ExitCode = exitNotFound
		}
	}
	res.Ended = time.Now()
	return res
}

// stopped fills in what ctx's end means for the job.
func (res *Result) stopped(cause error) {
	res.Reason = cause.Error()
	res.State = job.Waiting
	if errors.Is(cause, ErrKilled) {
		res.State = job.Failed
		if res.ExitCode == 0 {
			res.ExitCode = exitTerminated // a harness that leaves politely was killed all the same
		}
	}
}

// execute returns an error when the harness could not be started.
func (r *Runner) execute(ctx context.Context, spec Spec, log hclog.Logger, res *Result) error {
	files, err := r.prepare(spec)
	if err != nil {
		return err
	}
	cmd, err := r.command(spec, files)
	if err != nil {
		return err
	}
	out, err := openCapture(files, append(sensitiveValues(spec.Context, spec.Sensitive), spec.Secrets...), r.opts.MaxOutput)
	if err != nil {
		return err
	}
	defer out.finish(log, res)

	stdin, err := os.Open(files.prompt)
	if err != nil {
		return err
	}
	// A file, not a pipe: a harness may read it, read half of it or close it.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, out.w, out.w
	p, err := start(cmd)
	_ = stdin.Close()
	if err != nil {
		return startError(spec, cmd, err)
	}
	res.Started = time.Now()
	out.follow()
	log.Debug("harness started", "pid", p.pid, "command", spec.Command[0])
	if err := writeRecord(files.dir, p.pid); err == nil {
		defer func() { _ = os.Remove(filepath.Join(files.dir, recordName)) }()
	} else if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrNotExist) {
		log.Warn("process not recorded, so it would not be found after a crash", "error", err)
	}

	r.await(ctx, spec, p, log, res)
	return nil
}

// await waits for the end of the harness, or brings it about.
func (r *Runner) await(ctx context.Context, spec Spec, p *process, log hclog.Logger, res *Result) {
	timeout := time.NewTimer(spec.Timeout)
	defer timeout.Stop()
	var cause error
	timedOut := false
	select {
	case <-p.exited:
	case <-timeout.C:
		timedOut = true
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	if (timedOut || cause != nil) && !p.hasExited() {
		if !p.stop(spec.Grace) {
			log.Error("harness did not die of SIGKILL; it hangs in the kernel", "pid", p.pid)
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
		res.State, res.ExitCode = job.Failed, exitTimeout
		res.Reason = fmt.Sprintf("timed out after %s; raise the agent's timeout if it needs longer", spec.Timeout)
	case cause != nil:
		res.stopped(cause)
	case res.ExitCode == 0:
		res.State = job.Done
	default:
		res.State = job.Failed
		res.Reason = fmt.Sprintf("%s ended with exit code %d; its output says more", filepath.Base(spec.Command[0]), res.ExitCode)
		if s := p.endedBy(); s != 0 {
			res.Reason = fmt.Sprintf("%s was ended by signal %d (%s)", filepath.Base(spec.Command[0]), int(s), s)
			if s == syscall.SIGKILL {
				res.Reason += "; the machine may be short of memory"
			}
		}
	}
}
