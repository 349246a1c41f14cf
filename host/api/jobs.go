package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/action-llama/gateway/host/job"
)

// Jobs is what a person asks agents to do, and what became of any job.
type Jobs interface {
	// Start queues a job for an agent as a person's request.
	Start(ctx context.Context, agent string, ask Ask) (JobStatus, error)
	Job(ctx context.Context, id int64) (JobStatus, error)
}

// Ask is a manual job.
type Ask struct {
	Prompt string `json:"prompt"` // may be empty: the agent's instructions are enough then
}

// JobStatus is a job and its newest run. Its JSON is a contract like that of
// [Status].
type JobStatus struct {
	ID       int64      `json:"id"`
	Agent    string     `json:"agent"`
	Trigger  string     `json:"trigger"`           // webhook, schedule, manual
	Receipt  string     `json:"receipt,omitempty"` // of the delivery that it is for
	State    string     `json:"state"`             // waiting, running, done, failed, dropped, dead
	Attempt  int        `json:"attempt"`           // runs started so far
	QueuedAt time.Time  `json:"queuedAt"`
	ReadyAt  *time.Time `json:"readyAt,omitempty"` // while it waits for a time: not before this
	EndedAt  *time.Time `json:"endedAt,omitempty"`
	Reason   string     `json:"reason,omitempty"` // for people: why it is dropped, dead or failed
	Run      *RunStatus `json:"run,omitempty"`    // the newest; none before the first
	// Dropped are the jobs that had to leave a full queue for this one; only
	// told when it is queued.
	Dropped []int64 `json:"dropped,omitempty"`
}

// Ended says that nothing more comes of the job.
func (j JobStatus) Ended() bool {
	return j.State != string(job.Waiting) && j.State != string(job.Running)
}

// JobOf puts a job of the store, and its runs with the newest first, into the
// API's words.
func JobOf(j job.Job, runs []job.Run) JobStatus {
	out := JobStatus{
		ID: j.ID, Agent: j.Agent, Trigger: string(j.Trigger), Receipt: j.Receipt, State: string(j.State),
		Attempt: j.Attempt, QueuedAt: j.QueuedAt, Reason: j.Reason,
	}
	if j.State == job.Waiting && !j.ReadyAt.IsZero() {
		out.ReadyAt = &j.ReadyAt
	}
	if !j.EndedAt.IsZero() {
		out.EndedAt = &j.EndedAt
	}
	if len(runs) > 0 {
		run := RunOf(runs[0])
		out.Run = &run
	}
	return out
}

func jobsRoutes(g Jobs) []route {
	return []route{
		{"POST /api/agents/{agent}/jobs", func(r *http.Request) (any, error) {
			var ask Ask
			if err := readJSON(r, &ask); err != nil {
				return nil, err
			}
			return g.Start(r.Context(), r.PathValue("agent"), ask)
		}},
		{"GET /api/jobs/{job}", func(r *http.Request) (any, error) {
			id, err := strconv.ParseInt(r.PathValue("job"), 10, 64)
			if err != nil {
				return nil, Invalid("the id of a job is a number, and %q is none", r.PathValue("job"))
			}
			return g.Job(r.Context(), id)
		}},
	}
}

// Start implements [Jobs].
func (c *Client) Start(ctx context.Context, agent string, ask Ask) (JobStatus, error) {
	var out JobStatus
	return out, c.post(ctx, agentPath(agent, "jobs"), ask, &out)
}

// Job implements [Jobs].
func (c *Client) Job(ctx context.Context, id int64) (JobStatus, error) {
	var out JobStatus
	return out, c.get(ctx, "/api/jobs/"+strconv.FormatInt(id, 10), nil, &out)
}
