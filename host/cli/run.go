package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
)

type runOptions struct {
	streams Streams
	gateway gateway
	agent   string
	prompt  string // "-" for standard input
	detach  bool
	json    bool
}

func newRun(s Streams, run func(context.Context, runOptions) error) *cobra.Command {
	o := runOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "run AGENT [PROMPT]",
		Short: "Run an agent now",
		Long: `Run an agent now: queue a job for it, as any event does, and show what its run
writes. What the agent is asked goes into its prompt, after its own instructions;
without a PROMPT these are all it gets.

The job waits for a free slot like any other. Ctrl-C ends the watching, not the
run. The exit code is 1 when the run failed.`,
		Example: `  al run dev
  al run dev "close what is done"
  al run dev - < request.md
  al run dev --detach             print the job's id and leave
  al logs -i 17 -f                watch job 17 again`,
		Args: words(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			o.agent = args[0]
			if len(args) > 1 {
				o.prompt = args[1]
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.ValidArgsFunction = completes(&w, s, agentsOf)
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "do not wait for the run; print the id of its job")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the job as JSON, instead of the output")
	return cmd
}

// maxPrompt is what the API takes.
const maxPrompt = 512 << 10

func runRun(ctx context.Context, o runOptions) error {
	if o.prompt == "-" {
		raw, err := io.ReadAll(io.LimitReader(o.streams.In, maxPrompt+1))
		if err != nil {
			return fmt.Errorf("read the prompt: %w", err)
		}
		o.prompt = string(raw)
	}
	if len(o.prompt) > maxPrompt {
		return fmt.Errorf("the prompt is larger than %d KiB; put what is in it into a file, and name that", maxPrompt>>10)
	}
	client, err := o.gateway.running()
	if err != nil {
		return err
	}
	job, err := client.Start(ctx, o.agent, api.Ask{Prompt: o.prompt})
	if err != nil {
		return err
	}
	for _, id := range job.Dropped {
		fmt.Fprintf(o.streams.Err, "%s the queue of %s was full: job %d, its oldest, was dropped\n", o.streams.errPaint(yellow, "warning:"), o.agent, id)
	}
	if o.detach {
		return o.left(job)
	}

	w := watcher{s: o.streams, gateway: client, out: o.streams.Out}
	if o.json {
		w.out = io.Discard
	}
	job, err = w.watch(ctx, job)
	if err != nil {
		return err
	}
	if o.json {
		if err := writeJSON(o.streams, job); err != nil {
			return err
		}
		if job.State != "done" {
			return errShown
		}
		return nil
	}
	return w.tell(job)
}

// left is for a job that is not waited for. One that is kept out of the queue
// has ended already.
func (o runOptions) left(job api.JobStatus) error {
	if o.json {
		if err := writeJSON(o.streams, job); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(o.streams.Out, job.ID)
	}
	if job.State == "dropped" {
		return neverRan(job)
	}
	return nil
}

func neverRan(job api.JobStatus) error {
	return fmt.Errorf("job %d of %s is %s: %s", job.ID, job.Agent, job.State, job.Reason)
}

// watcher shows what becomes of a job.
type watcher struct {
	s       Streams
	gateway *api.Client
	out     io.Writer
	line    *progress // while it waits
	reader  *outputReader
}

// watch returns when the job has ended.
func (w *watcher) watch(ctx context.Context, job api.JobStatus) (api.JobStatus, error) {
	defer w.quiet()
	var pause poll
	for looks := 0; ; looks++ {
		wrote, err := w.show(ctx, job)
		switch {
		case err != nil && ctx.Err() == nil:
			return job, w.lost(job, err)
		case job.Ended():
			return job, nil
		case wrote > 0:
			pause.news()
		}
		if looks == 1 && job.State == "waiting" {
			w.whyWaiting(ctx, job)
		}
		if !pause.wait(ctx) {
			return job, w.left(job)
		}
		next, err := w.again(ctx, job.ID)
		if err != nil {
			if ctx.Err() != nil {
				return job, w.left(job)
			}
			return job, w.lost(job, err)
		}
		job = next
	}
}

// show writes what is new, and returns how much of it there was.
func (w *watcher) show(ctx context.Context, job api.JobStatus) (int64, error) {
	if job.Run != nil && (w.reader == nil || w.reader.run != job.Run.ID) {
		if w.reader != nil { // the rest of the run before
			if _, err := w.reader.more(ctx, w.out); err != nil {
				return 0, err
			}
		}
		w.quiet()
		fmt.Fprintln(w.s.Err, w.s.errPaint(dim, fmt.Sprintf("run %s of %s, job %d", job.Run.ID, job.Agent, job.ID)))
		w.reader = &outputReader{runs: w.gateway, run: job.Run.ID}
	}
	var wrote int64
	if w.reader != nil {
		var err error
		if wrote, err = w.reader.more(ctx, w.out); err != nil {
			return wrote, err
		}
	}
	switch {
	case job.State != "waiting":
		w.quiet()
	case w.line == nil:
		w.line = startProgress(w.s, waitingText(job))
	default:
		w.line.update(waitingText(job))
	}
	return wrote, nil
}

func waitingText(job api.JobStatus) string {
	if job.ReadyAt != nil {
		return fmt.Sprintf("job %d of %s waits until %s", job.ID, job.Agent, job.ReadyAt.Local().Format(time.TimeOnly))
	}
	return fmt.Sprintf("job %d waits for a free slot of %s", job.ID, job.Agent)
}

func (w *watcher) quiet() {
	if w.line != nil {
		w.line.stop()
		w.line = nil
	}
}

// whyWaiting says what only a person can change.
func (w *watcher) whyWaiting(ctx context.Context, job api.JobStatus) {
	status, err := w.gateway.Status(ctx)
	if err != nil {
		return // the next look tells
	}
	say := func(format string, args ...any) {
		w.quiet()
		fmt.Fprintf(w.s.Err, "%s %s\n", w.s.errPaint(yellow, "note:"), fmt.Sprintf(format, args...))
	}
	if status.Paused {
		say("the project is paused (%s); al resume lets it go on", printableLine(status.PausedReason))
	}
	if status.StopsAt != nil {
		say("the gateway is stopping; the job is kept for its next start")
	}
	for _, a := range status.Agents {
		switch {
		case a.Name != job.Agent:
		case a.Paused:
			say("%s is paused (%s); al resume %s lets it go on", a.Name, printableLine(a.PausedReason), a.Name)
		case a.LimitedUntil != nil:
			say("%s has used up its runs until %s", a.Name, a.LimitedUntil.Local().Format(time.TimeOnly))
		}
	}
}

// awayFor is how long a gateway that does not answer may be away: a line that
// is down for a moment ends no watching.
const awayFor = 10 * time.Second

// again asks for the job, more than once if nobody answers.
func (w *watcher) again(ctx context.Context, id int64) (api.JobStatus, error) {
	job, err := w.gateway.Job(ctx, id)
	var pause poll
	for deadline := time.Now().Add(awayFor); errors.Is(err, api.ErrUnreachable) && time.Now().Before(deadline); {
		if !pause.wait(ctx) {
			break
		}
		job, err = w.gateway.Job(ctx, id)
	}
	return job, err
}

// left is for a person who does not want to wait any longer.
func (w *watcher) left(job api.JobStatus) error {
	w.quiet()
	name, kill := fmt.Sprint(job.ID), ""
	if job.Run != nil && !job.Run.Ended() {
		name = job.Run.ID
		kill = fmt.Sprintf(", and al kill %s ends it", name)
	}
	fmt.Fprintf(w.s.Err, "\nleft; it goes on: al logs -i %s -f shows it%s\n", name, kill)
	return errShown
}

// lost is for a gateway that went away.
func (w *watcher) lost(job api.JobStatus, err error) error {
	w.quiet()
	if errors.Is(err, api.ErrUnreachable) {
		return fmt.Errorf("%w; job %d is kept, and al logs -i %d shows its output", err, job.ID, job.ID)
	}
	return err
}

// tell says how it ended.
func (w *watcher) tell(job api.JobStatus) error {
	switch {
	case job.Run == nil || job.Run.State == api.RunReturned:
		return neverRan(job)
	case job.State != "done":
		return fmt.Errorf("run %s of %s failed: %s", job.Run.ID, job.Agent, job.Run.Reason)
	}
	fmt.Fprintln(w.s.Err, w.s.errPaint(dim, fmt.Sprintf("done after %s", since(*job.Run.EndedAt, job.Run.StartedAt))))
	return nil
}

// outputReader copies what a run wrote since it was last asked.
type outputReader struct {
	runs api.Runs
	run  string
	at   int64
}

func (r *outputReader) more(ctx context.Context, to io.Writer) (int64, error) {
	out, err := r.runs.Output(ctx, r.run, r.at)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(to, out)
	r.at = out.From + n
	if err := errors.Join(err, out.Close()); err != nil {
		return n, fmt.Errorf("output of run %s: %w", r.run, err)
	}
	return n, nil
}
