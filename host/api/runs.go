package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Runs is what is told of runs, those under way and those that were.
type Runs interface {
	// Runs lists the newest first.
	Runs(ctx context.Context, q RunsQuery) ([]RunStatus, error)
	Run(ctx context.Context, id string) (RunStatus, error)
	// Output is what a run has written so far, from a byte of it on; a negative
	// number counts back from its end. Secrets in it are masked already.
	Output(ctx context.Context, run string, from int64) (Output, error)
	// Prompt is what a run's harness was told, with the same masked.
	Prompt(ctx context.Context, run string) (Prompt, error)
}

// RunsQuery narrows a list of runs. Zero fields do not narrow.
type RunsQuery struct {
	Agent  string
	State  RunState
	Before string // runs older than the one with this id
	Limit  int    // defaults to 100, at most 1000
}

// RunState is how a run stands.
type RunState string

const (
	RunRunning RunState = "running"
	RunDone    RunState = "done"
	RunFailed  RunState = "failed"
	// RunReturned: its host stopped or died, and its job went back to its queue.
	RunReturned RunState = "returned"
)

// RunStatus is the end, or the present, of a run. Its JSON is a contract like
// that of [Status].
type RunStatus struct {
	ID        string     `json:"id"`
	Job       int64      `json:"job"`
	Agent     string     `json:"agent"`
	Trigger   string     `json:"trigger"` // webhook, schedule, manual
	Attempt   int        `json:"attempt"` // from 1
	State     RunState   `json:"state"`
	ExitCode  int        `json:"exitCode"`
	Reason    string     `json:"reason,omitempty"` // for people: why it failed, or was given back
	StartedAt time.Time  `json:"startedAt"`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
}

// Ended says that nothing more comes of the run.
func (r RunStatus) Ended() bool { return r.State != RunRunning }

// RunOf puts a run of the store into the API's words.
func RunOf(r job.Run) RunStatus {
	out := RunStatus{
		ID: r.ID, Job: r.Job, Agent: r.Agent, Trigger: string(r.Trigger), Attempt: r.Attempt,
		State: RunState(r.State), ExitCode: r.ExitCode, Reason: r.Reason, StartedAt: r.StartedAt,
	}
	if r.State == job.Waiting {
		out.State = RunReturned
	}
	if !r.EndedAt.IsZero() {
		out.EndedAt = &r.EndedAt
	}
	return out
}

// StoreQuery puts a query into the store's words.
func (q RunsQuery) StoreQuery() store.Query {
	state := job.State(q.State)
	if q.State == RunReturned {
		state = job.Waiting
	}
	return store.Query{Agent: q.Agent, State: state, Before: q.Before, Limit: q.Limit}
}

// Output is a part of what a run wrote. Whoever gets it closes it.
type Output struct {
	io.ReadCloser
	From int64 // its first byte's place in the whole
}

// Prompt is what a harness was told.
type Prompt struct {
	Text      string `json:"text"` // empty while the run is just starting, and when it is on another host
	Size      int64  `json:"size"` // of all of it, in bytes
	Truncated bool   `json:"truncated,omitempty"`
}

// MaxPrompt bounds what is told of a prompt.
const MaxPrompt = 1 << 20

type runList struct {
	Runs []RunStatus `json:"runs"`
}

// outputFrom is the header that says where an answer begins.
const outputFrom = "Al-Output-From"

func runsRoutes(g Runs) []route {
	return []route{
		{"GET /api/runs", func(r *http.Request) (any, error) {
			q := RunsQuery{Agent: r.FormValue("agent"), State: RunState(r.FormValue("state")), Before: r.FormValue("before")}
			switch q.State {
			case "", RunRunning, RunDone, RunFailed, RunReturned:
			default:
				return nil, Invalid("state %q is none of running, done, failed and returned", q.State)
			}
			limit, err := number(r, "limit", 0)
			if err != nil {
				return nil, err
			}
			q.Limit = int(limit)
			runs, err := g.Runs(r.Context(), q)
			if runs == nil {
				runs = []RunStatus{}
			}
			return runList{Runs: runs}, err
		}},
		{"GET /api/runs/{run}", func(r *http.Request) (any, error) { return g.Run(r.Context(), r.PathValue("run")) }},
		{"GET /api/runs/{run}/output", func(r *http.Request) (any, error) {
			from, err := number(r, "from", 0)
			if err != nil {
				return nil, err
			}
			out, err := g.Output(r.Context(), r.PathValue("run"), from)
			return out, err
		}},
		{"GET /api/runs/{run}/prompt", func(r *http.Request) (any, error) { return g.Prompt(r.Context(), r.PathValue("run")) }},
	}
}

// ServeHTTP writes the output, and closes it.
func (o Output) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	defer func() { _ = o.Close() }()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set(outputFrom, strconv.FormatInt(o.From, 10))
	_, _ = io.Copy(w, o) // a reader that is gone is not our problem
}

// number reads a number from the query of a request.
func number(r *http.Request, name string, otherwise int64) (int64, error) {
	text := r.FormValue(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, Invalid("%s must be a number, and %q is none", name, text)
	}
	return n, nil
}

// Runs implements [Runs].
func (c *Client) Runs(ctx context.Context, q RunsQuery) ([]RunStatus, error) {
	query := url.Values{}
	for name, value := range map[string]string{"agent": q.Agent, "state": string(q.State), "before": q.Before} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	var out runList
	err := c.get(ctx, "/api/runs", query, &out)
	return out.Runs, err
}

// Run implements [Runs].
func (c *Client) Run(ctx context.Context, id string) (RunStatus, error) {
	var out RunStatus
	return out, c.get(ctx, "/api/runs/"+url.PathEscape(id), nil, &out)
}

// Prompt implements [Runs].
func (c *Client) Prompt(ctx context.Context, run string) (Prompt, error) {
	var out Prompt
	return out, c.get(ctx, "/api/runs/"+url.PathEscape(run)+"/prompt", nil, &out)
}

// outputPatience bounds the transfer of a whole output over a slow line.
const outputPatience = 5 * time.Minute

// Output implements [Runs].
func (c *Client) Output(ctx context.Context, run string, from int64) (Output, error) {
	ctx, cancel := context.WithTimeout(ctx, outputPatience)
	path := fmt.Sprintf("/api/runs/%s/output?from=%d", url.PathEscape(run), from)
	resp, err := c.do(ctx, http.MethodGet, path, nil) //nolint:bodyclose // whoever gets the output closes it
	if err != nil {
		cancel()
		return Output{}, err
	}
	out := Output{ReadCloser: closing{resp.Body, cancel}}
	if out.From, err = strconv.ParseInt(resp.Header.Get(outputFrom), 10, 64); err != nil {
		return Output{}, errors.Join(fmt.Errorf("answer of %s is not a gateway's: no %s", c.URL, outputFrom), out.Close())
	}
	return out, nil
}

// closing ends the request with its body.
type closing struct {
	io.ReadCloser
	end func()
}

func (c closing) Close() error {
	err := c.ReadCloser.Close()
	c.end()
	return err
}

// IsRunID tells the id of a run from the name of an agent or the id of a job.
func IsRunID(text string) bool {
	return len(text) == 26 && strings.Trim(text, "0123456789abcdefghjkmnpqrstvwxyz") == ""
}
