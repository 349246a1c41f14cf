package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
)

type logsOptions struct {
	streams Streams
	gateway gateway
	agent   string
	id      string // of a run, or of a job
	lines   int    // of each run; below 0 for all
	since   span
	follow  bool
	json    bool
}

func newLogs(s Streams, run func(context.Context, logsOptions) error) *cobra.Command {
	o := logsOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "logs [AGENT]",
		Short: "Show what runs wrote",
		Long: `Show what runs wrote, with the secrets in it masked: the last run of an agent, or
of any. -i chooses another, --since all that started since then.

With -f it goes on with what is written, also by runs that start later, until
Ctrl-C; with -i until that run has ended. It works with the gateway down.`,
		Example: `  al logs dev                     the last run of dev
  al logs dev -f                  and all that follow
  al logs dev --since 1h -n 20    the last 20 lines of each run of the last hour
  al logs -i 01k6r3z0m9t5c8q2w7x4y1v0nb
  al logs -i 17                   the last run of job 17`,
		Args: words(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			wrong := func(format string, args ...any) error {
				return &usageError{err: fmt.Errorf(format, args...), usage: cmd.UsageString()}
			}
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			if len(args) > 0 {
				o.agent = args[0]
			}
			if !cmd.Flags().Changed("lines") {
				o.lines = -1
			} else if o.lines < 0 {
				return wrong("-n takes a number of lines, and %d is none", o.lines)
			}
			if o.id != "" {
				if _, err := strconv.ParseInt(o.id, 10, 64); err != nil && !api.IsRunID(o.id) {
					return wrong("-i takes the id of a run or of a job, and %q is neither; al stat --json has those of the last runs", o.id)
				}
				if o.agent != "" || o.since != 0 {
					return wrong("-i names one run; leave out the agent and --since")
				}
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.ValidArgsFunction = completes(&w, s, agentsOf)
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with what is written")
	cmd.Flags().StringVarP(&o.id, "id", "i", "", "one run, by its id or that of its job")
	_ = cmd.RegisterFlagCompletionFunc("id", completes(&w, s, runsOf("")))
	cmd.Flags().IntVarP(&o.lines, "lines", "n", 0, "only the last lines of each run")
	cmd.Flags().Var(&o.since, "since", "all runs that started in this time: 90m, 24h, 7d")
	cmd.Flags().BoolVar(&o.json, "json", false, `print a JSON object for each line: {"run", "agent", "line"}`)
	return cmd
}

func runLogs(ctx context.Context, o logsOptions) error {
	h, done, err := o.gateway.history(ctx)
	if err != nil {
		return err
	}
	defer done()
	runs, err := o.choose(ctx, h)
	if err != nil {
		return err
	}
	p := newLogPrinter(o.streams, h, o.id == "", o.json)
	if len(runs) == 0 {
		fmt.Fprintln(o.streams.Err, o.nothing())
	}
	for _, r := range runs {
		if err := errors.Join(p.begin(ctx, r, o.lines), p.more(ctx, r)); err != nil {
			return err
		}
		if !o.follow {
			if err := p.flush(r); err != nil {
				return err
			}
		}
	}
	if !o.follow {
		return nil
	}
	f := logFollower{history: h, printer: p, agent: o.agent, one: o.id != "", open: map[string]api.RunStatus{}}
	return f.follow(ctx, runs)
}

func (o logsOptions) nothing() string {
	text := "there are no runs"
	if o.agent != "" {
		text += " of " + o.agent
	}
	if o.since != 0 {
		return text + " in the last " + o.since.String()
	}
	return text + " yet"
}

// choose returns the runs to show, the oldest first.
func (o logsOptions) choose(ctx context.Context, h history) ([]api.RunStatus, error) {
	switch {
	case api.IsRunID(o.id):
		r, err := h.Run(ctx, o.id)
		return []api.RunStatus{r}, err
	case o.id != "":
		return o.runOfJob(ctx, h)
	case o.since == 0:
		return o.last(ctx, h)
	}
	from := time.Now().Add(-time.Duration(o.since))
	var chosen []api.RunStatus
	for before := ""; ; {
		page, err := h.Runs(ctx, api.RunsQuery{Agent: o.agent, Before: before, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if r.StartedAt.Before(from) {
				page = nil
				break
			}
			chosen = append(chosen, r)
		}
		if len(page) == 0 {
			break
		}
		before = page[len(page)-1].ID
	}
	slices.Reverse(chosen)
	return chosen, nil
}

// last returns the last run and, to be followed, all those under way.
func (o logsOptions) last(ctx context.Context, h history) ([]api.RunStatus, error) {
	chosen, err := h.Runs(ctx, api.RunsQuery{Agent: o.agent, Limit: 1})
	if err != nil || !o.follow || len(chosen) == 0 {
		return chosen, err
	}
	running, err := h.Runs(ctx, api.RunsQuery{Agent: o.agent, State: api.RunRunning})
	for _, r := range running {
		if r.ID < chosen[0].ID {
			chosen = append(chosen, r)
		}
	}
	slices.Reverse(chosen)
	return chosen, err
}

// runOfJob returns the last run of a job, and with -f waits for the first.
func (o logsOptions) runOfJob(ctx context.Context, h history) ([]api.RunStatus, error) {
	id, err := strconv.ParseInt(o.id, 10, 64)
	if err != nil {
		return nil, err
	}
	var pause poll
	p := startProgress(o.streams, fmt.Sprintf("job %d has not run yet", id))
	defer p.stop()
	for {
		job, err := h.Job(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case job.Run != nil:
			return []api.RunStatus{*job.Run}, nil
		case job.Ended():
			return nil, fmt.Errorf("job %d of %s never ran: it was %s: %s", id, job.Agent, job.State, job.Reason)
		case !o.follow:
			return nil, fmt.Errorf("job %d of %s has not run yet; it waits since %s", id, job.Agent, job.QueuedAt.Local().Format(time.DateTime))
		case !pause.wait(ctx):
			return nil, errShown
		}
	}
}

// logFollower shows what is written from now on.
type logFollower struct {
	history history
	printer *logPrinter
	agent   string
	one     bool                     // only the run that it began with
	open    map[string]api.RunStatus // runs that may write more
	newest  string                   // id of the last run that was seen
}

func (f *logFollower) follow(ctx context.Context, shown []api.RunStatus) error {
	for _, r := range shown {
		f.newest = max(f.newest, r.ID)
		if !r.Ended() {
			f.open[r.ID] = r
		}
	}
	var pause poll
	for !f.one || len(f.open) > 0 {
		if !pause.wait(ctx) {
			return nil // how following ends
		}
		before := f.printer.wrote
		if err := f.look(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		if f.printer.wrote > before {
			pause.news()
		}
	}
	return nil
}

// look asks for the runs first and for their output then: what has ended before
// has written all.
func (f *logFollower) look(ctx context.Context) error {
	if !f.one {
		if err := f.discover(ctx); err != nil {
			return err
		}
	}
	for id := range f.open {
		r, err := f.history.Run(ctx, id)
		if err != nil {
			return err
		}
		if err := f.printer.more(ctx, r); err != nil {
			return err
		}
		if r.Ended() {
			delete(f.open, id)
		}
	}
	return nil
}

// discover finds the runs that started since the last look.
func (f *logFollower) discover(ctx context.Context) error {
	var found []api.RunStatus
	for before := ""; ; {
		page, err := f.history.Runs(ctx, api.RunsQuery{Agent: f.agent, Before: before, Limit: 20})
		if err != nil {
			return err
		}
		fresh := slices.IndexFunc(page, func(r api.RunStatus) bool { return r.ID <= f.newest })
		if fresh < 0 {
			found = append(found, page...)
		} else {
			found = append(found, page[:fresh]...)
		}
		if fresh >= 0 || len(page) == 0 {
			break
		}
		before = page[len(page)-1].ID
	}
	slices.Reverse(found)
	for _, r := range found {
		f.newest = max(f.newest, r.ID)
		f.open[r.ID] = r
		if err := f.printer.begin(ctx, r, -1); err != nil {
			return err
		}
	}
	return nil
}
