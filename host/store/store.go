// Package store says what the gateway needs of its durable memory: receipts,
// jobs in bounded queues, and runs. The implementations are in the packages
// below it; storetest is the suite that all of them pass. It holds no queue
// policy but what must be atomic: deduplication, the bound of a queue and the
// limits of running jobs are decided in the same transaction that records
// their effect.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/action-llama/gateway/host/job"
)

var (
	// ErrUnavailable: nothing was recorded, and trying again later may work
	// (disk full, file locked). Everything that was recorded before holds.
	ErrUnavailable = errors.New("store unavailable")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store closed")
	// ErrLost: the run is not this caller's any more; its job was given back.
	ErrLost = errors.New("run was given back to the queue")
	// ErrNotFound: no such record.
	ErrNotFound = errors.New("not found")
)

// Store is durable: what a method has returned without an error survives a
// kill -9 and a power cut, unless its comment says otherwise.
type Store interface {
	// Accept records a receipt, if there is one, and queues its jobs, all or
	// nothing. Callers waiting at the same time share one commit. When there
	// are jobs and all of them are duplicates, the receipt's outcome becomes
	// job.Duplicate. The acceptance must not be changed afterwards.
	//
	// When ctx ends first, its error comes back at once. What was asked for may
	// have been recorded nevertheless; a repeat with the same keys is told so.
	Accept(ctx context.Context, a Acceptance) (Accepted, error)
	// Note records a receipt that started nothing. It returns at once; the
	// record becomes durable with the next commit, and is given up (false)
	// when too much is waiting to be written.
	Note(r job.Receipt) bool

	// SetLimits makes the limits of the configuration hold from now on.
	// Agents that are not named keep their waiting jobs but start none; their
	// queue ends with the first call that finds it empty. A lower capacity
	// drops nothing until the next job comes.
	SetLimits(ctx context.Context, l Limits) error
	// Claim starts a run of the job that has waited longest among the agents
	// below their limits, or returns nil when there is none, or no room.
	Claim(ctx context.Context, c Claim) (*Claimed, error)
	// Renew extends the leases of runs that are still under way, and returns
	// the ids of those that are not the caller's any more.
	Renew(ctx context.Context, runs []string, until time.Time) (lost []string, err error)
	// Finish ends a run: its job becomes Done or Failed. ErrLost when the run
	// was given back or has ended already; nothing is recorded then.
	// ErrNotFound when there never was such a run.
	Finish(ctx context.Context, f Finish) error
	// Release ends a run that is not to blame (the host stops): its job goes
	// back to the head of its queue and does not count as crashed. Errors are
	// those of Finish.
	Release(ctx context.Context, run, reason string, at time.Time) error
	// Recover gives back the jobs of runs whose lease ended before the given
	// time: to the head of their queue, or to the dead after maxAttempts
	// crashes. That may fill a queue beyond its capacity until the next job
	// comes.
	Recover(ctx context.Context, r Recovery) (Recovered, error)

	// Queues returns the state of every agent's queue that has one, by name.
	Queues(ctx context.Context) ([]Queue, error)
	// Jobs, Runs and Receipts list the newest first. Receipts come without
	// their bodies.
	Jobs(ctx context.Context, q Query) ([]job.Job, error)
	Runs(ctx context.Context, q Query) ([]job.Run, error)
	Receipts(ctx context.Context, q Query) ([]job.Receipt, error)
	// Receipt returns one receipt with its body, or ErrNotFound.
	Receipt(ctx context.Context, id string) (job.Receipt, error)
	History

	// Prune deletes ended history, oldest first and at most step records of a
	// kind at a time, and reports whether there is more to do. Waiting and
	// running jobs, and their receipts, are never deleted.
	Prune(ctx context.Context, p Prune) (more bool, err error)
	// Close ends the store after writing what Note was given.
	Close() error
}

// Acceptance is what one delivery, tick or manual call asks the store to record.
type Acceptance struct {
	Receipt *job.Receipt // nil for ticks and manual calls
	Jobs    []NewJob
	At      time.Time
}

// NewJob is a job to queue.
type NewJob struct {
	Agent      string
	Trigger    job.Trigger
	Source     string
	Provider   string
	Event      string
	DeliveryID string
	Context    []byte
	Sensitive  []string

	// Key makes the job unique for its agent and source: while one with the
	// same key is waiting, running or done, a repeat is a duplicate. One that
	// was dropped, failed or ended dead does not stand in the way. Empty means
	// that repeats can not be told.
	Key string
	// OnlyIfFree refuses the job (Busy) unless a slot of its agent is free for
	// it: cron ticks are not queued behind other work.
	OnlyIfFree bool
}

// Verdict is what became of a NewJob.
type Verdict int

const (
	Enqueued Verdict = iota
	Duplicate
	Busy
)

// Accepted reports on an Acceptance, job by job.
type Accepted struct {
	Verdicts []Verdict // in the order of Acceptance.Jobs
	IDs      []int64   // of the jobs; for a duplicate that of the job it repeats
	Dropped  []Drop    // what had to leave full queues
}

// Drop is a waiting job that was pushed out of a full queue.
type Drop struct {
	Agent string
	ID    int64
}

// Limits of the configuration.
type Limits struct {
	Scale  int // runs at once over all agents; 0 means no limit of its own
	Agents []AgentLimits
}

// AgentLimits of one agent.
type AgentLimits struct {
	Agent    string
	Scale    int // runs at once; 0 starts none
	Capacity int // waiting jobs; at least 1
}

// Claim asks for a job to run.
type Claim struct {
	Host  string
	At    time.Time
	Until time.Time // when the lease ends unless it is renewed
	Run   string    // id for the run
}

// Claimed is a job and the run that was started for it.
type Claimed struct {
	Job job.Job
	Run job.Run
}

// Finish is the end of a run.
type Finish struct {
	Run      string
	State    job.State // Done or Failed
	ExitCode int
	Reason   string
	At       time.Time
}

// Recovery says which runs count as lost.
type Recovery struct {
	At time.Time
	// LeaseEndedBefore: runs with a later lease are left alone. The only host
	// of a store recovers all of them when it starts.
	LeaseEndedBefore time.Time
	MaxAttempts      int // runs that may be lost with their host before a job is dead
}

// Recovered lists what Recover did.
type Recovered struct {
	Lost []job.Run // the runs that were given up
	Dead []int64   // those of their jobs that are dead now
}

// Queue is the state of one agent's queue.
type Queue struct {
	Agent    string
	Scale    int
	Capacity int
	Waiting  int
	Running  int
	Dropped  int64     // ever
	Oldest   time.Time // when the oldest waiting job was queued; zero when none waits
}

// Query narrows a list. Zero fields do not narrow.
type Query struct {
	Agent  string
	State  job.State
	Before string // records older than the one with this id
	Limit  int    // defaults to 100, at most 1000
}

// Prune says how much history to keep.
type Prune struct {
	Before   time.Time // delete what ended before
	MaxBytes int64     // delete the oldest receipts beyond this many stored bytes; 0 means no bound
	Step     int       // records of a kind at a time
}
