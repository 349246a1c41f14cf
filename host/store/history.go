package store

import (
	"context"
	"time"

	"github.com/action-llama/gateway/host/job"
)

// History is what is read of what was: single records, and how things went.
type History interface {
	// Job returns one job, or ErrNotFound.
	Job(ctx context.Context, id int64) (job.Job, error)
	// Run returns one run, or ErrNotFound.
	Run(ctx context.Context, id string) (job.Run, error)
	// RunsOf returns the runs of a job, the newest first.
	RunsOf(ctx context.Context, id int64) ([]job.Run, error)
	// Tally counts what happened since a time, for one agent or, when that is
	// empty, for each that anything happened to, by name. It relies on ids of
	// runs being those of job.NewID.
	Tally(ctx context.Context, agent string, since time.Time) ([]Tally, error)
	// Taken lists which jobs took events of receipts, in the order of the
	// receipts and then of the jobs. The jobs come without their contexts.
	Taken(ctx context.Context, receipts []string) ([]Taken, error)
}

// Taken is an event of a receipt that a job took.
type Taken struct {
	Receipt    string
	Event      string // its name
	DeliveryID string
	Joined     bool // the job was there already, for an earlier event
	Job        job.Job
}

// Tally is how one agent's work went in some time.
type Tally struct {
	Agent string

	// Runs that started in that time and have ended, by how: Returned ones
	// gave their job back, because their host stopped or died.
	Done, Failed, Returned int
	// Durations of those that are done or failed, in no order.
	Durations []time.Duration
	// Waits of jobs whose first run started in that time, in no order.
	Waits []time.Duration

	// Jobs that ended in that time without a run.
	Dropped, Dead int
}
