package page

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/action-llama/gateway/host/api"
)

// runListView is a list of runs.
type runListView struct {
	frame
	Agent string
	State string
	Runs  []api.RunStatus
	Older string
}

func (p *Page) runList(r *http.Request) (string, any, error) {
	q := api.RunsQuery{Agent: r.FormValue("agent"), State: api.RunState(r.FormValue("state")), Before: r.FormValue("before"), Limit: pageSize + 1}
	switch q.State {
	case "", api.RunRunning, api.RunDone, api.RunFailed, api.RunReturned:
	default:
		return "", nil, api.Invalid("There is no state %q.", cut(40, string(q.State)))
	}
	live := topicRuns
	if q.Before != "" {
		live = ""
	}
	v := runListView{Agent: q.Agent, State: string(q.State)}
	var err error
	if v.frame, err = p.frameOf(r.Context(), "Runs", "runs", live); err != nil {
		return "", nil, err
	}
	if v.Runs, err = p.gateway.Runs(r.Context(), q); err != nil {
		return "", nil, err
	}
	if len(v.Runs) > pageSize {
		v.Runs = v.Runs[:pageSize]
		older := url.Values{"before": {v.Runs[pageSize-1].ID}}
		for name, value := range map[string]string{"agent": v.Agent, "state": v.State} {
			if value != "" {
				older.Set(name, value)
			}
		}
		v.Older = "/runs?" + older.Encode()
	}
	return "runs", v, nil
}

// States are those that runs can be narrowed to.
func (runListView) States() []api.RunState {
	return []api.RunState{api.RunRunning, api.RunDone, api.RunFailed, api.RunReturned}
}

// firstOutput is how much of the end of an output a page begins with.
const firstOutput = 64 << 10

// runView is one run.
type runView struct {
	frame
	api.RunStatus
	Work   api.JobStatus // its job; empty when that is gone
	Prompt api.Prompt
	Output string
	From   int64 // where that begins
	Next   int64 // and where it ends
}

func (p *Page) run(r *http.Request) (string, any, error) {
	ctx := r.Context()
	run, err := p.gateway.Run(ctx, r.PathValue("run"))
	if err != nil {
		return "", nil, err
	}
	v := runView{RunStatus: run}
	if v.frame, err = p.frameOf(ctx, "Run of "+run.Agent, "runs", topicRuns); err != nil {
		return "", nil, err
	}
	if !run.Ended() {
		v.frame.Run = run.ID
	}
	var gone *api.Error
	if v.Work, err = p.gateway.Job(ctx, run.Job); err != nil && !errors.As(err, &gone) {
		return "", nil, err
	}
	if v.Prompt, err = p.gateway.Prompt(ctx, run.ID); err != nil {
		return "", nil, err
	}
	return "run", v, p.lastOutput(ctx, &v, run.Ended())
}

// lastOutput fills in the end of the output, in whole lines.
func (p *Page) lastOutput(ctx context.Context, v *runView, ended bool) error {
	out, err := p.gateway.Output(ctx, v.RunStatus.ID, -firstOutput)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	raw, err := io.ReadAll(io.LimitReader(out, firstOutput))
	if err != nil {
		return err
	}
	v.From, v.Next = out.From, out.From+int64(len(raw))
	if v.From > 0 {
		if i := bytes.IndexByte(raw, '\n'); i >= 0 && i < len(raw)-1 {
			v.From += int64(i + 1)
			raw = raw[i+1:]
		}
	}
	if !ended {
		n := settled(raw)
		v.Next -= int64(len(raw) - n)
		raw = raw[:n]
	}
	v.Output = plain(string(raw))
	return nil
}

// wholeOutput is all that a run wrote, as plain text.
func (p *Page) wholeOutput(w http.ResponseWriter, r *http.Request) {
	out, err := p.gateway.Output(r.Context(), r.PathValue("run"), 0)
	if err != nil {
		status, detail := p.trouble(r, err)
		p.fail(w, r, status, detail)
		return
	}
	out.ServeHTTP(w, r)
}

// jobView is a job that has not run yet, or never will.
type jobView struct {
	frame
	Work api.JobStatus
}

// job shows a job until it has a run, and then that.
func (p *Page) job(r *http.Request) (string, any, error) {
	id, err := strconv.ParseInt(r.PathValue("job"), 10, 64)
	if err != nil {
		return "", nil, notFound("There is no job %q.", cut(40, r.PathValue("job")))
	}
	v := jobView{}
	if v.Work, err = p.gateway.Job(r.Context(), id); err != nil {
		return "", nil, err
	}
	if v.Work.Run != nil {
		return "", nil, elsewhere("/runs/" + v.Work.Run.ID)
	}
	v.frame, err = p.frameOf(r.Context(), "Job of "+v.Work.Agent, "runs", topicRuns+" "+topicAgents)
	return "job", v, err
}
