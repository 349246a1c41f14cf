package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Control is what an operator does to a gateway that runs.
type Control interface {
	// KillRun ends one run, KillAgent all of an agent. They return which are to
	// end; that takes up to ten seconds more.
	KillRun(ctx context.Context, run string) (Killed, error)
	KillAgent(ctx context.Context, agent string) (Killed, error)
	// Stop stops the gateway as SIGTERM does, or, with now, as a second
	// SIGTERM does: without the grace for runs under way. It returns at once.
	Stop(ctx context.Context, ask StopAsk) (Stopping, error)
}

// Killed says what became of a kill.
type Killed struct {
	Runs []string `json:"runs"` // ids of those that are to end
}

// StopAsk asks the gateway to stop.
type StopAsk struct {
	Now bool `json:"now"` // without the grace
}

// Stopping is a gateway on its way down.
type Stopping struct {
	// Until is when runs under way are ended. Their jobs return to the queue.
	Until time.Time `json:"until"`
}

func controlRoutes(g Control) []route {
	return []route{
		{"POST /api/runs/{run}/kill", func(r *http.Request) (any, error) { return g.KillRun(r.Context(), r.PathValue("run")) }},
		{"POST /api/agents/{agent}/kill", func(r *http.Request) (any, error) {
			return g.KillAgent(r.Context(), r.PathValue("agent"))
		}},
		{"POST /api/stop", func(r *http.Request) (any, error) {
			var ask StopAsk
			if err := readJSON(r, &ask); err != nil {
				return nil, err
			}
			return g.Stop(r.Context(), ask)
		}},
	}
}

// KillRun implements [Control].
func (c *Client) KillRun(ctx context.Context, run string) (Killed, error) {
	var out Killed
	return out, c.post(ctx, "/api/runs/"+url.PathEscape(run)+"/kill", nil, &out)
}

// KillAgent implements [Control].
func (c *Client) KillAgent(ctx context.Context, agent string) (Killed, error) {
	var out Killed
	return out, c.post(ctx, agentPath(agent, "kill"), nil, &out)
}

// Stop implements [Control].
func (c *Client) Stop(ctx context.Context, ask StopAsk) (Stopping, error) {
	var out Stopping
	return out, c.post(ctx, "/api/stop", ask, &out)
}
