package api

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/action-llama/gateway/host/store"
)

// Statistics is how things went.
type Statistics interface {
	// Stats looks back for as long as since says, at one agent or, when that
	// is empty, at all.
	Stats(ctx context.Context, agent string, since time.Duration) (Stats, error)
}

// Stats is what `al stats` shows. Its JSON is a contract like that of [Status].
type Stats struct {
	Since  time.Time    `json:"since"`
	Until  time.Time    `json:"until"`
	Agents []AgentStats `json:"agents"`
}

// AgentStats is how one agent's work went: the runs that started in the time
// looked at and have ended, and the jobs that ended in it without a run.
type AgentStats struct {
	Name     string `json:"name"`
	Runs     int    `json:"runs"` // all of the following three
	Done     int    `json:"done"`
	Failed   int    `json:"failed"`
	Returned int    `json:"returned"` // their jobs went back when their host stopped or died
	Dropped  int    `json:"dropped"`  // jobs
	Dead     int    `json:"dead"`     // jobs

	// SuccessRate is done by done and failed; left out without any.
	SuccessRate *float64 `json:"successRate,omitempty"`
	// Durations of runs that are done or failed, and waits of jobs until their
	// first run; left out without any.
	DurationSeconds *Percentiles `json:"durationSeconds,omitempty"`
	WaitSeconds     *Percentiles `json:"waitSeconds,omitempty"`
}

// Percentiles are values that occurred: half of all were at most P50.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
}

// StatsOf puts tallies of the store into the API's words.
func StatsOf(tallies []store.Tally) []AgentStats {
	out := make([]AgentStats, 0, len(tallies))
	for _, t := range tallies {
		a := AgentStats{
			Name: t.Agent, Runs: t.Done + t.Failed + t.Returned,
			Done: t.Done, Failed: t.Failed, Returned: t.Returned, Dropped: t.Dropped, Dead: t.Dead,
			DurationSeconds: percentiles(t.Durations), WaitSeconds: percentiles(t.Waits),
		}
		if ended := t.Done + t.Failed; ended > 0 {
			rate := float64(t.Done) / float64(ended)
			a.SuccessRate = &rate
		}
		out = append(out, a)
	}
	return out
}

// percentiles by the nearest rank: of few values none is made up.
func percentiles(values []time.Duration) *Percentiles {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(values))
	at := func(p float64) float64 {
		rank := int(math.Ceil(p * float64(len(sorted))))
		return sorted[max(rank, 1)-1].Seconds()
	}
	return &Percentiles{P50: at(.50), P90: at(.90), P99: at(.99)}
}

// defaultSince is how far is looked back when nobody says.
const defaultSince = 24 * time.Hour

func statsRoutes(g Statistics) []route {
	return []route{
		{"GET /api/stats", func(r *http.Request) (any, error) {
			since := defaultSince
			if text := r.FormValue("since"); text != "" {
				var err error
				if since, err = time.ParseDuration(text); err != nil || since <= 0 {
					return nil, Invalid("since must be a duration such as 24h or 90m, and %q is none", text)
				}
			}
			return g.Stats(r.Context(), r.FormValue("agent"), since)
		}},
	}
}

// Stats implements [Statistics].
func (c *Client) Stats(ctx context.Context, agent string, since time.Duration) (Stats, error) {
	query := url.Values{"since": {since.String()}}
	if agent != "" {
		query.Set("agent", agent)
	}
	var out Stats
	return out, c.get(ctx, "/api/stats", query, &out)
}
