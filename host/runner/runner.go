// Package runner executes one run of a job: it writes the prompt, starts the
// harness in a process group of its own, keeps its output without the secrets
// in it, and sees to it that nothing of it stays behind. It decides neither
// what runs nor when; that is the queue's.
//
// What it leaves in <dir>/<run id>/, for the owner's eyes only:
//
//	prompt.md      what the harness was told, also on its standard input
//	shown.md       the same for people, masked like the output
//	context.json   the event, schedule or request behind the run, as JSON
//	output.log     standard output and error together, bounded and masked
//	process.json   the harness's process, while there is one
//	credentials/   the files of the agent's credentials, while it runs
package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

	// defaultPostTimeout is for the hooks after a harness. They clean up and
	// report, also when the harness has used up all of the run's time.
	defaultPostTimeout = 5 * time.Minute

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
	opts        Options
	postTimeout time.Duration
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
	return &Runner{opts: opts, postTimeout: defaultPostTimeout}, nil
}

// OutputFile is where the output of a run is, below the folder of all runs.
func OutputFile(dir, run string) string { return filepath.Join(dir, run, "output.log") }

// ShownPromptFile is where the prompt of a run is as people may see it, below the
// folder of all runs.
func ShownPromptFile(dir, run string) string { return filepath.Join(dir, run, "shown.md") }

// CredentialsDir is where the files of a run's credentials are, below the folder
// of all runs.
func CredentialsDir(dir, run string) string { return filepath.Join(dir, run, "credentials") }

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
	// Pre and Post are commands for a shell, around the harness and with its
	// environment, in their order. One that fails fails the run; then, neither
	// the rest of Pre nor the harness is started. Post runs also after a harness
	// that failed or timed out, but not after one that was killed.
	Pre, Post []string
	// Env holds the agent's credentials. They reach the harness and, unless
	// they are among Secrets, may show up in its output.
	Env map[string]string

	// Files are those of the agent's credentials, by their path below
	// CredentialsDir. They are there as long as the run is, and
	// AL_CREDENTIALS_PATH leads to them.
	Files map[string]string

	// Secrets are hidden in the output, also line by line and in their JSON
	// and URL spellings. Those under 4 bytes are not: they would hide
	// everything.
	Secrets []string
	// Sensitive names values in the context (job.Job.Sensitive) that are hidden
	// like Secrets.
	Sensitive []string

	Skill   string         // body of SKILL.md
	Params  map[string]any // the agent's [params]
	Context []byte         // JSON of the event; the request in plain text of a manual call
	// Merged are the events that came after the first of a burst, in order.
	Merged   []job.Event
	Schedule string // the cron expression, for people

	// TraceParent is the trace that the run is part of, for the harness to go on
	// from; empty for none.
	TraceParent string

	// Timeout ends the run, hooks before the harness included. Defaults to
	// 900 s. Those after it get five minutes of their own.
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
	Launched time.Time // when its first process was started; zero when none was
	Ended    time.Time
	// Steps are the processes that were started, in their order.
	Steps []Step
	// OutputBytes is what the harness wrote, before masking and cutting.
	OutputBytes int64
	// Truncated says that output.log is not all of that.
	Truncated bool
}

// Step is one process of a run: a hook, or the harness.
type Step struct {
	Name         string // "hooks.pre[0]", "claude"
	Began, Ended time.Time
	ExitCode     int
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
