package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/host/store"
)

// History tells what a project's agents did, from its store and the output that
// runs left. It is the same whether the gateway runs or not.
type History struct {
	records records
	runs    string // folder of the runs
}

// OpenHistory reads the history of a project without its gateway, or beside it.
// A project that never started has an empty one.
func OpenHistory(ctx context.Context, p *config.Project) (*History, func() error, error) {
	r, done, err := openRecords(ctx, p)
	return &History{records: r, runs: RunsDir(p.Dir)}, done, err
}

// Runs implements [api.Runs].
func (h *History) Runs(ctx context.Context, q api.RunsQuery) ([]api.RunStatus, error) {
	runs, err := h.records.Runs(ctx, q.StoreQuery())
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 && q.Before == "" {
		if err := h.known(ctx, q.Agent); err != nil {
			return nil, err
		}
	}
	out := make([]api.RunStatus, len(runs))
	for i, r := range runs {
		out[i] = api.RunOf(r)
	}
	return out, nil
}

// known says which agents there are when somebody asks for another.
func (h *History) known(ctx context.Context, agent string) error {
	if agent == "" {
		return nil
	}
	queues, err := h.records.Queues(ctx)
	if err != nil || len(queues) == 0 { // before the first start, nothing is known of any
		return err
	}
	names := make([]string, len(queues))
	for i, q := range queues {
		if q.Agent == agent {
			return nil
		}
		names[i] = q.Agent
	}
	return noAgent(agent, names)
}

func noAgent(agent string, names []string) error {
	if near := spelling.Nearest(agent, names); near != "" {
		return api.NotFound("there is no agent %q; did you mean %q?", agent, near)
	}
	return api.NotFound("there is no agent %q; al stat lists those there are", agent)
}

// Run implements [api.Runs].
func (h *History) Run(ctx context.Context, id string) (api.RunStatus, error) {
	r, err := h.records.Run(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return api.RunStatus{}, api.NotFound("there is no run %q; it may be older than historyRetentionDays", id)
	}
	if err != nil {
		return api.RunStatus{}, err
	}
	return api.RunOf(r), nil
}

// Output implements [api.Runs].
func (h *History) Output(ctx context.Context, run string, from int64) (out api.Output, err error) {
	if !api.IsRunID(run) { // it is about to become a path
		return out, api.NotFound("there is no run %q", run)
	}
	if _, err := h.Run(ctx, run); err != nil {
		return out, err
	}
	f, err := os.Open(runner.OutputFile(h.runs, run))
	if errors.Is(err, fs.ErrNotExist) { // of a run that is just starting, never started, or is on another host
		return api.Output{ReadCloser: io.NopCloser(io.MultiReader())}, nil
	}
	if err != nil {
		return out, fmt.Errorf("output of run %s: %w", run, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("output of run %s: %w", run, errors.Join(err, f.Close()))
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return out, err
	}
	if from < 0 {
		from = max(0, info.Size()+from)
	}
	// As long as it is now: what is added meanwhile is for the next call.
	from = min(from, info.Size())
	return api.Output{
		ReadCloser: section{io.NewSectionReader(f, from, info.Size()-from), f}, From: from,
	}, nil
}

// Prompt implements [api.Runs].
func (h *History) Prompt(ctx context.Context, run string) (api.Prompt, error) {
	if !api.IsRunID(run) { // it is about to become a path
		return api.Prompt{}, api.NotFound("there is no run %q", run)
	}
	if _, err := h.Run(ctx, run); err != nil {
		return api.Prompt{}, err
	}
	out, err := readPrompt(runner.ShownPromptFile(h.runs, run))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return out, fmt.Errorf("prompt of run %s: %w", run, err)
	}
	return out, nil
}

func readPrompt(file string) (out api.Prompt, err error) {
	f, err := os.Open(file)
	if err != nil {
		return out, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return out, err
	}
	text, err := io.ReadAll(io.LimitReader(f, api.MaxPrompt))
	out.Text, out.Size = strings.ToValidUTF8(string(text), "\uFFFD"), info.Size()
	out.Truncated = int64(len(text)) < info.Size()
	return out, err
}

type section struct {
	io.Reader
	io.Closer
}

// Job implements [api.Jobs].
func (h *History) Job(ctx context.Context, id int64) (api.JobStatus, error) {
	j, err := h.records.Job(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return api.JobStatus{}, api.NotFound("there is no job %s; it may be older than historyRetentionDays", strconv.FormatInt(id, 10))
	}
	if err != nil {
		return api.JobStatus{}, err
	}
	runs, err := h.records.RunsOf(ctx, id)
	return api.JobOf(j, runs), err
}

// Stats implements [api.Statistics].
func (h *History) Stats(ctx context.Context, agent string, since time.Duration) (api.Stats, error) {
	now := time.Now().UTC()
	out := api.Stats{Since: now.Add(-since), Until: now}
	tallies, err := h.records.Tally(ctx, agent, out.Since)
	if err != nil {
		return out, err
	}
	if len(tallies) == 0 {
		if err := h.known(ctx, agent); err != nil {
			return out, err
		}
	}
	out.Agents = api.StatsOf(tallies)
	return out, nil
}

// nothing are the records of a project that never started.
type nothing struct{}

func (nothing) Project(context.Context) (store.Project, error)                  { return store.Project{}, nil }
func (nothing) Queues(context.Context) ([]store.Queue, error)                   { return nil, nil }
func (nothing) Runs(context.Context, store.Query) ([]job.Run, error)            { return nil, nil }
func (nothing) Job(context.Context, int64) (job.Job, error)                     { return job.Job{}, store.ErrNotFound }
func (nothing) Run(context.Context, string) (job.Run, error)                    { return job.Run{}, store.ErrNotFound }
func (nothing) RunsOf(context.Context, int64) ([]job.Run, error)                { return nil, nil }
func (nothing) Tally(context.Context, string, time.Time) ([]store.Tally, error) { return nil, nil }
