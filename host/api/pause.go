package api

import (
	"context"
	"net/http"
	"net/url"
)

// Pauses keep agents from starting runs. They outlive a restart.
type Pauses interface {
	// Pause keeps an agent, or with an empty name all of them, from starting
	// runs: events still queue, ticks are let go by, runs under way go on.
	Pause(ctx context.Context, agent string, ask PauseAsk) (Paused, error)
	Resume(ctx context.Context, agent string) (Paused, error)
}

// PauseAsk pauses.
type PauseAsk struct {
	Reason string `json:"reason"` // for people
}

// Paused is how things are afterwards.
type Paused struct {
	Paused  bool `json:"paused"`
	Changed bool `json:"changed"` // false: that was so before
}

func pauseRoutes(g Pauses) []route {
	pause := func(r *http.Request) (any, error) {
		var ask PauseAsk
		if err := readJSON(r, &ask); err != nil {
			return nil, err
		}
		return g.Pause(r.Context(), r.PathValue("agent"), ask)
	}
	resume := func(r *http.Request) (any, error) { return g.Resume(r.Context(), r.PathValue("agent")) }
	return []route{
		{"POST /api/pause", pause},
		{"POST /api/resume", resume},
		{"POST /api/agents/{agent}/pause", pause},
		{"POST /api/agents/{agent}/resume", resume},
	}
}

// agentPath is the path of something that is done to an agent, or to all.
func agentPath(agent, what string) string {
	if agent == "" {
		return "/api/" + what
	}
	return "/api/agents/" + url.PathEscape(agent) + "/" + what
}

// Pause implements [Pauses].
func (c *Client) Pause(ctx context.Context, agent string, ask PauseAsk) (Paused, error) {
	var out Paused
	return out, c.post(ctx, agentPath(agent, "pause"), ask, &out)
}

// Resume implements [Pauses].
func (c *Client) Resume(ctx context.Context, agent string) (Paused, error) {
	var out Paused
	return out, c.post(ctx, agentPath(agent, "resume"), nil, &out)
}
