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
	// nothing. Callers waiting at the same time share one commit. The receipt's
	// outcome becomes what Accepted.Outcome makes of it. The acceptance must
	// not be changed afterwards.
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
	// SetPaused keeps an agent, or the whole project, from starting runs, or
	// lets it go on. Events are still queued, ticks are let go by. It outlives
	// a restart.
	SetPaused(ctx context.Context, p Pause) error
	// Claim starts a run of the job that has waited longest among the agents
	// below their limits, or returns nil when there is none, or no room.
	Claim(ctx context.Context, c Claim) (*Claimed, error)
	// Due returns when Claim may find something that waits for a time now: a
	// retry, a burst that has to end, a budget that opens again. Zero for
	// nothing of that kind.
	Due(ctx context.Context) (time.Time, error)
	// Renew extends the leases of runs that are still under way, and says
	// which of them are not the caller's any more and which are to be ended.
	Renew(ctx context.Context, runs []string, until time.Time) (Renewed, error)
	// Cancel asks for the end of a run, or of all runs of an agent, whichever
	// host has them, and returns the ids of those that it asked it of. The
	// hosts learn of it from Renew.
	Cancel(ctx context.Context, agentOrRun, reason string) ([]string, error)
	// Finish ends a run: its job becomes Done or Failed, or waits for another
	// attempt. ErrLost when the run was given back or has ended already;
	// nothing is recorded then. ErrNotFound when there never was such a run.
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
	// Project returns what holds for all agents together.
	Project(ctx context.Context) (Project, error)
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
	// Again: one that is done does not stand in the way either. The job takes
	// its key over, so that what the vendor repeats is a repeat of this one.
	Again bool
	// OnlyIfFree refuses the job (Busy, or Paused) unless it could start at
	// once: cron ticks are not queued behind other work.
	OnlyIfFree bool
	// Tick is the time of the schedule that the job is for; the store keeps
	// the latest of each agent, also of ticks that it refuses. To ask for that
	// one again is a duplicate, whatever became of it: another host was first.
	Tick time.Time

	Concurrency Concurrency
	Debounce    Debounce
	Loop        Loop
}

// OnBusy says what becomes of a job for whose concurrency key there is work
// already.
type OnBusy string

const (
	BusyQueue  OnBusy = "queue"  // waits in line, the default
	BusySkip   OnBusy = "skip"   // is not queued
	BusyLatest OnBusy = "latest" // takes the place of those that wait
	BusyCancel OnBusy = "cancel" // the same, and ends the one that runs
)

// Concurrency lets one job of an agent run at a time for each key. Jobs with
// one key run in the order in which they came, one that is retried included.
// An empty key bounds nothing.
type Concurrency struct {
	Key    string
	OnBusy OnBusy // empty for BusyQueue
}

// Debounce makes one job of a burst: it waits until no further event came for
// Quiet, at most for Max after the first, and what comes meanwhile with the
// same group joins it (Merged). An empty group waits for nothing.
type Debounce struct {
	Group string
	Quiet time.Duration
	Max   time.Duration
}

// MaxMerged bounds the events that join a job. One that is full runs at once,
// and the next event begins another.
const MaxMerged = 100

// Loop tells an agent that starts itself: events about one entity by one
// sender, each while a run for the one before was under way or had just ended.
// More than Limit of them in a row pause the agent. A limit of 0 lets them.
type Loop struct {
	Entity string
	Sender string
	Limit  int
	Window time.Duration // how long after a run's end an event may come of it
}

// Verdict is what became of a NewJob.
type Verdict int

const (
	Enqueued  Verdict = iota
	Duplicate         // of a job that waits, runs or is done
	Busy              // OnlyIfFree, and no slot is
	Paused            // OnlyIfFree, and its agent is paused
	Merged            // into a job that waits for the end of a burst
	Skipped           // recorded as dropped: its concurrency key is busy
	Limited           // recorded as dropped: the budget of runs is used up
)

// Accepted reports on an Acceptance, job by job.
type Accepted struct {
	Verdicts []Verdict // in the order of Acceptance.Jobs
	IDs      []int64   // of the jobs; of the other one for a duplicate and a merged one, if there is one
	Dropped  []Drop    // waiting jobs that had to go
	// Cancelled runs were asked to end, for a newer job with their key.
	Cancelled []string
	Tripped   []Trip
}

// Outcome is that of the whole acceptance: planned, unless it has jobs and none
// of them was queued or joined one that waits.
func (a Accepted) Outcome(planned job.Outcome) job.Outcome {
	refused := job.Outcome("")
	for _, v := range a.Verdicts {
		switch v {
		case Duplicate:
			if refused == "" {
				refused = job.Duplicate
			}
		case Skipped, Limited:
			refused = job.NotQueued
		default: // one that is Busy or Paused is a tick's, and has no receipt
			return planned
		}
	}
	if refused != "" {
		return refused
	}
	return planned
}

// Drop is a waiting job that was pushed out of its queue: because that was
// full, or by a newer job with the same concurrency key.
type Drop struct {
	Agent string
	ID    int64
	By    int64 // the newer job with the same key; 0 when the queue was full
}

// Trip is an agent that was paused because it keeps starting itself.
type Trip struct {
	Agent  string
	Reason string
}

// Pause is what SetPaused does.
type Pause struct {
	Agent  string // empty for the whole project
	Paused bool
	Reason string // for people
	At     time.Time
}

// Limits of the configuration.
type Limits struct {
	Scale  int // runs at once over all agents; 0 means no limit of its own
	Budget Budget
	Agents []AgentLimits
	At     time.Time // what the budgets count back from
}

// AgentLimits of one agent.
type AgentLimits struct {
	Agent    string
	Scale    int // runs at once; 0 starts none
	Capacity int // waiting jobs; at least 1
	Budget   Budget
	// DropBeyond: jobs that come when a budget is used up are Limited instead
	// of waiting for it.
	DropBeyond bool
	// RunsOn are labels that a host must have to run it.
	RunsOn []string
}

// Budget bounds how many runs start, whatever becomes of them, in any hour and
// in any 24 hours. 0 means no bound.
type Budget struct {
	PerHour int
	PerDay  int
}

// Claim asks for a job to run.
type Claim struct {
	Host  string
	At    time.Time
	Until time.Time // when the lease ends unless it is renewed
	Run   string    // id for the run
	// Labels of the host. Agents that ask for others are passed over.
	Labels []string
}

// Claimed is a job and the run that was started for it.
type Claimed struct {
	Job job.Job
	Run job.Run
	// Merged are the job's events after the first, in the order they came.
	Merged []job.Event
}

// Renewed tells a host about its runs.
type Renewed struct {
	Lost      []string          // not the caller's any more
	Cancelled map[string]string // to be ended, with the reason
}

// Finish is the end of a run.
type Finish struct {
	Run      string
	State    job.State // Done or Failed
	ExitCode int
	Reason   string
	At       time.Time
	// RetryAt makes a failed job wait for another attempt at that time, in
	// its old place. Zero means that it stays failed.
	RetryAt time.Time
}

// Recovery says which runs count as lost.
type Recovery struct {
	At time.Time
	// LeaseEndedBefore: runs with a later lease are left alone. The only host
	// of a store recovers all of them when it starts.
	LeaseEndedBefore time.Time
	// Living names hosts that are known to be alive: their runs are left alone,
	// too, whatever their leases say.
	Living      []string
	MaxAttempts int // runs that may be lost with their host before a job is dead
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

	Paused       bool
	PausedReason string
	LimitedUntil time.Time // its budget of runs is used up until then; zero when it is not
	LastTick     time.Time // of its schedule
}

// Project is what holds for all agents together.
type Project struct {
	Scale        int
	Running      int
	Paused       bool
	PausedReason string
	LimitedUntil time.Time
}

// Query narrows a list. Zero fields do not narrow.
type Query struct {
	Agent  string
	State  job.State
	Before string // records older than the one with this id
	Limit  int    // defaults to 100, at most 1000

	// Of receipts alone.
	Provider string
	Source   string // among those that the delivery was proved for
	Outcome  job.Outcome
	Since    time.Time // received at that time or later; relies on ids being those of job.NewID
	// Dead: only what was not understood, or has a job that was given up, and
	// has not been replayed since.
	Dead bool
}

// Prune says how much history to keep.
type Prune struct {
	Before   time.Time // delete what ended before
	MaxBytes int64     // delete the oldest receipts beyond this many stored bytes; 0 means no bound
	Step     int       // records of a kind at a time
}
