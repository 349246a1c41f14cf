package api

import (
	"context"
	"net/http"
	"time"
)

// Overview is what `al stat` shows.
type Overview interface {
	Status(ctx context.Context) (Status, error)
}

func overviewRoutes(g Overview) []route {
	return []route{
		{"GET /api/status", func(r *http.Request) (any, error) { return g.Status(r.Context()) }},
	}
}

// Status asks the gateway for its status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out Status
	return out, c.get(ctx, "/api/status", nil, &out)
}

// Status is what `al stat` shows. Its JSON is a contract: fields are added,
// never renamed.
type Status struct {
	Version   string     `json:"version"`
	Project   string     `json:"project"`
	Running   bool       `json:"running"` // false: read from the store, the gateway is down
	PID       int        `json:"pid,omitempty"`
	Address   string     `json:"address,omitempty"`
	StartedAt *time.Time `json:"startedAt,omitempty"`
	StopsAt   *time.Time `json:"stopsAt,omitempty"` // it is stopping, and runs under way are ended then
	// Previous are gateways that have handed over and finish their runs, which
	// are among those that the agents count.
	Previous []PreviousStatus `json:"previous,omitempty"`
	// Config is what a gateway that runs goes by.
	Config *ConfigStatus `json:"config,omitempty"`
	Scale  int           `json:"scale"` // over all agents; 0 means no limit
	// Paused: no agent starts a run until it is resumed.
	Paused       bool   `json:"paused"`
	PausedReason string `json:"pausedReason,omitempty"`
	// LimitedUntil: the project's budget of runs is used up until then.
	LimitedUntil *time.Time       `json:"limitedUntil,omitempty"`
	Agents       []AgentStatus    `json:"agents"`
	Providers    []ProviderStatus `json:"providers"`
}

// PreviousStatus is a gateway that has handed over to this one, or to one before.
type PreviousStatus struct {
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"startedAt"`
	Runs      int       `json:"runs"` // under way
}

// AgentStatus is one agent and its queue.
type AgentStatus struct {
	Name          string     `json:"name"`
	State         string     `json:"state"` // idle, running, full, limited, paused, disabled, or removed (from the configuration, with work left)
	Running       int        `json:"running"`
	Scale         int        `json:"scale"`
	Waiting       int        `json:"waiting"`
	Capacity      int        `json:"capacity"`
	Dropped       int64      `json:"dropped"`
	Paused        bool       `json:"paused"`
	PausedReason  string     `json:"pausedReason,omitempty"`
	LimitedUntil  *time.Time `json:"limitedUntil,omitempty"` // its budget of runs is used up until then
	OldestSeconds float64    `json:"oldestSeconds"`          // how long the oldest job has waited
	LastRun       *RunStatus `json:"lastRun,omitempty"`
	NextTick      *time.Time `json:"nextTick,omitempty"`
}

// ProviderStatus is one provider process.
type ProviderStatus struct {
	Type     string `json:"type"`
	Version  string `json:"version,omitempty"`
	Protocol int    `json:"protocol,omitempty"` // the version of the provider protocol that is spoken with it
	State    string `json:"state"`
	PID      int    `json:"pid,omitempty"`
	Restarts int    `json:"restarts"`
	Error    string `json:"error,omitempty"`
	// NotReplaced is why the file that is there now did not take the place of
	// the process that runs, and NotReplacedAt when that was tried.
	NotReplaced   string     `json:"notReplaced,omitempty"`
	NotReplacedAt *time.Time `json:"notReplacedAt,omitempty"`
}
