package page

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/deliveries"
)

// act does something, and says what it was. Its link is where a browser without a
// script goes afterwards.
type act func(r *http.Request) (result, error)

// acting bounds the time of an act, and says what became of it.
func (p *Page) acting(do act) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		// It is done whether somebody waits for the answer or not.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
		defer cancel()
		if err := r.ParseForm(); err != nil {
			p.fail(w, r, http.StatusBadRequest, "The form could not be read, or is larger than 1 MiB.")
			return
		}
		out, err := do(r.WithContext(ctx))
		p.watch.forget()
		switch {
		case err != nil:
			status, detail := p.trouble(r, err)
			p.fail(w, r, status, detail)
		case wantsJSON(r):
			out.OK, out.Message = true, harmless(out.Message)
			writeJSON(w, http.StatusOK, out)
		default:
			http.Redirect(w, r, out.Link, http.StatusSeeOther)
		}
	}
}

func agentLink(agent string) string {
	if agent == "" {
		return "/"
	}
	return "/agents/" + url.PathEscape(agent)
}

// subject is what a sentence about an agent, or all of them, is about.
func subject(agent string) string {
	if agent == "" {
		return "All agents"
	}
	return agent
}

func (p *Page) pause(r *http.Request) (result, error) {
	agent := r.PathValue("agent")
	done, err := p.gateway.Pause(r.Context(), agent, api.PauseAsk{Reason: strings.TrimSpace(cut(200, r.PostFormValue("reason")))})
	out := result{Message: subject(agent) + " paused. Events still queue; runs under way go on.", Link: agentLink(agent)}
	if err == nil && !done.Changed {
		out.Message = subject(agent) + " paused already."
	}
	return out, err
}

func (p *Page) resume(r *http.Request) (result, error) {
	agent := r.PathValue("agent")
	done, err := p.gateway.Resume(r.Context(), agent)
	out := result{Message: subject(agent) + " resumed.", Link: agentLink(agent)}
	if err == nil && !done.Changed {
		out.Message = subject(agent) + " not paused."
	}
	return out, err
}

func (p *Page) start(r *http.Request) (result, error) {
	agent := r.PathValue("agent")
	job, err := p.gateway.Start(r.Context(), agent, api.Ask{Prompt: r.PostFormValue("prompt")})
	return result{Message: "Queued a job for " + agent + ".", Link: fmt.Sprintf("/jobs/%d", job.ID), Go: true}, err
}

func (p *Page) killRun(r *http.Request) (result, error) {
	run := r.PathValue("run")
	_, err := p.gateway.KillRun(r.Context(), run)
	return result{Message: "The run is being ended. That takes up to ten seconds.", Link: "/runs/" + url.PathEscape(run)}, err
}

func (p *Page) killAgent(r *http.Request) (result, error) {
	agent := r.PathValue("agent")
	killed, err := p.gateway.KillAgent(r.Context(), agent)
	out := result{Link: agentLink(agent)}
	switch n := len(killed.Runs); n {
	case 0:
		out.Message = "No run of " + agent + " is under way."
	case 1:
		out.Message = "One run of " + agent + " is being ended. That takes up to ten seconds."
	default:
		out.Message = fmt.Sprintf("%d runs of %s are being ended. That takes up to ten seconds.", n, agent)
	}
	return out, err
}

func (p *Page) replay(r *http.Request) (result, error) {
	done := p.gateway.Replay(r.Context(), r.PathValue("id"))
	if done.Error != "" {
		return result{}, &api.Error{Status: http.StatusConflict, Detail: "Not replayed: " + done.Error}
	}
	return result{Message: replayed(done), Link: "/deliveries/" + url.PathEscape(done.Receipt)}, nil
}

func replayed(d deliveries.Replayed) string {
	switch {
	case d.Duplicate:
		return "Replayed. What it would start waits or runs already."
	case d.Matched == 0:
		return "Replayed. No trigger matches it now."
	case d.Queued == 1:
		return "Replayed. One job was queued."
	case d.Queued > 1:
		return fmt.Sprintf("Replayed. %d jobs were queued.", d.Queued)
	case d.Merged > 0:
		return "Replayed. It joined a job that waits for the end of a burst."
	default:
		return "Replayed. Nothing was queued."
	}
}
