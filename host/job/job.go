// Package job is the vocabulary of the gateway: receipts, jobs and runs, and
// the states they are in. It has no behaviour beyond names and ids; storing is
// the store's, deciding is the queue's.
package job

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// State of a job. A job is waiting, then running, and ends in one of the
// others; a lost or released run puts it back to waiting.
type State string

const (
	Waiting State = "waiting" // in its agent's queue
	Running State = "running" // leased by a host, a run is under way
	Done    State = "done"    // its run ended with exit code 0
	Failed  State = "failed"  // its run ended otherwise
	Dropped State = "dropped" // pushed out of a full queue before it ran
	Dead    State = "dead"    // given up: its host died too often while it ran
)

// Trigger is what started a job.
type Trigger string

const (
	Webhook  Trigger = "webhook"
	Schedule Trigger = "schedule"
	Manual   Trigger = "manual"
)

// Outcome of a delivery, as its receipt records it.
type Outcome string

const (
	Queued      Outcome = "queued"      // at least one job was queued
	Duplicate   Outcome = "duplicate"   // every job it would have started exists already
	NotQueued   Outcome = "dropped"     // agents matched, and a busy key or a budget kept its jobs out
	Merged      Outcome = "merged"      // of an event: it joined a job that waits for the end of a burst
	HeldBack    Outcome = "held_back"   // agents matched, and ignore who caused it
	Unmatched   Outcome = "unmatched"   // no agent's trigger matched
	Empty       Outcome = "empty"       // no event in it, for example a ping
	Handshake   Outcome = "handshake"   // answered by the provider
	Unparseable Outcome = "unparseable" // dead letter: signed, but not understood
)

// Receipt is the record of one delivery. Its headers are without the signature.
type Receipt struct {
	ID         string
	Provider   string
	Sources    []string // that the signature proved
	DeliveryID string   // of its first event
	ReceivedAt time.Time
	Method     string
	Path       string
	Query      string
	Header     http.Header
	Body       []byte // raw, whatever its size
	Outcome    Outcome
	Reason     string // for people: why it is a dead letter
	Event      string // what its first event was, for lists: "issues.labeled"
	Events     int
	Matched    int
	ReplayOf   string // id of the receipt that this one repeats; empty for what a vendor sent
}

// Job is one event, tick or manual call for one agent.
type Job struct {
	ID         int64 // rises in the order in which jobs were queued
	Agent      string
	Trigger    Trigger
	Receipt    string // id of the receipt; empty for ticks and manual calls
	Source     string // empty for ticks and manual calls
	Provider   string
	Event      string
	DeliveryID string
	Context    []byte // JSON of the WebhookContext; a manual call's prompt; empty for ticks
	Sensitive  []string
	State      State
	Attempt    int // runs started so far
	Crashes    int // of those, how many were lost with their host
	Failures   int // of those, how many failed and were retried
	// ConcurrencyKey names what the job is about: of an agent's jobs with one
	// key only one runs at a time. Empty for none.
	ConcurrencyKey string
	// Merged counts the events that came after the first and were put into
	// this job, to be worked on in the same run.
	Merged   int
	QueuedAt time.Time
	ReadyAt  time.Time // while it waits for a time: not before this
	EndedAt  time.Time
	Reason   string // for people: why it is dropped, dead or failed
}

// Event is one event of a job that has several.
type Event struct {
	Receipt    string
	Source     string
	Provider   string
	Name       string
	DeliveryID string
	Context    []byte
	Sensitive  []string
}

// Run is one execution of a job.
type Run struct {
	ID         string
	Job        int64
	Agent      string
	Trigger    Trigger
	Attempt    int
	Host       string
	StartedAt  time.Time
	EndedAt    time.Time // zero while it runs
	State      State     // Running, Done, Failed; Waiting when it was released or lost and its job went back
	ExitCode   int
	Reason     string
	LeaseUntil time.Time
}

var entropy = struct {
	sync.Mutex
	*ulid.MonotonicEntropy
}{MonotonicEntropy: ulid.Monotonic(rand.Reader, 0)}

// NewID returns an id for a receipt or a run: unique, and sorting by time.
func NewID(now time.Time) string {
	entropy.Lock()
	defer entropy.Unlock()
	return strings.ToLower(ulid.MustNew(ulid.Timestamp(now), entropy.MonotonicEntropy).String())
}

// FirstID is before every id that NewID returns at that time or later, and
// after all that it returned in an earlier millisecond.
func FirstID(t time.Time) string {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(t)) // fails beyond the year 10889
	return strings.ToLower(id.String())
}
