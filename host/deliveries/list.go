package deliveries

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Filter narrows a list of receipts. Zero fields do not narrow.
type Filter struct {
	Source   string
	Provider string
	Outcome  string
	Since    time.Time
	// Dead: only dead letters, which are deliveries that were not understood,
	// and those with a job that was given up, unless they were replayed since.
	Dead   bool
	Before string // receipts older than the one with this id
	Limit  int    // defaults to 100, at most 1000
}

// Receipt is a delivery in a list.
type Receipt struct {
	ID         string    `json:"id"`
	ReceivedAt time.Time `json:"receivedAt"`
	Provider   string    `json:"provider"`
	Sources    []string  `json:"sources"`
	DeliveryID string    `json:"deliveryId,omitempty"`
	Event      string    `json:"event,omitempty"` // what its first event was, "issues.labeled"
	Outcome    string    `json:"outcome"`
	Reason     string    `json:"reason,omitempty"`
	Events     int       `json:"events"`
	Matched    int       `json:"matched"`
	ReplayOf   string    `json:"replayOf,omitempty"` // the receipt that this one repeats
	Jobs       []Job     `json:"jobs"`
}

// Job is what an event of a delivery became for one agent.
type Job struct {
	ID     int64  `json:"id"`
	Agent  string `json:"agent"`
	Event  string `json:"event,omitempty"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Joined: the event went into a job that an earlier one had made.
	Joined bool  `json:"joined,omitempty"`
	Runs   []Run `json:"runs,omitempty"` // not in a list
}

// Run is one execution of a job.
type Run struct {
	ID        string     `json:"id"`
	State     string     `json:"state"`
	Attempt   int        `json:"attempt"`
	ExitCode  int        `json:"exitCode"`
	Reason    string     `json:"reason,omitempty"`
	StartedAt time.Time  `json:"startedAt"`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
}

// Replayed is what became of a replay.
type Replayed struct {
	Of        string `json:"of"`                // the receipt that was to happen again
	Receipt   string `json:"receipt,omitempty"` // its new one
	Events    int    `json:"events"`
	Matched   int    `json:"matched"`
	Queued    int    `json:"queued"`
	Merged    int    `json:"merged,omitempty"` // into jobs that wait for the end of a burst
	Dropped   int    `json:"dropped"`
	Duplicate bool   `json:"duplicate,omitempty"` // all that it would start waits or runs already
	Error     string `json:"error,omitempty"`     // why it could not happen; nothing was recorded then
}

// Outcomes are the outcomes that a receipt can have.
func Outcomes() []string {
	return []string{
		string(job.Queued), string(job.Duplicate), string(job.NotQueued), string(job.HeldBack),
		string(job.Unmatched), string(job.Empty), string(job.Handshake), string(job.Unparseable),
	}
}

// List returns receipts, the newest first.
func (b *Book) List(ctx context.Context, f Filter) ([]Receipt, error) {
	receipts, err := b.Records.Receipts(ctx, store.Query{
		Source: f.Source, Provider: f.Provider, Outcome: job.Outcome(f.Outcome), Since: f.Since, Dead: f.Dead,
		Before: f.Before, Limit: f.Limit,
	})
	if err != nil {
		return nil, err
	}
	return b.listed(ctx, receipts)
}

func (b *Book) listed(ctx context.Context, receipts []job.Receipt) ([]Receipt, error) {
	var ids []string
	for i := range receipts {
		if receipts[i].Matched > 0 {
			ids = append(ids, receipts[i].ID)
		}
	}
	jobs := map[string][]Job{}
	if len(ids) > 0 {
		taken, err := b.Records.Taken(ctx, ids)
		if err != nil {
			return nil, fmt.Errorf("read the jobs of receipts: %w", err)
		}
		for _, t := range taken {
			jobs[t.Receipt] = append(jobs[t.Receipt], Job{
				ID: t.Job.ID, Agent: t.Job.Agent, Event: t.Event, State: string(t.Job.State), Reason: t.Job.Reason, Joined: t.Joined,
			})
		}
	}
	out := make([]Receipt, len(receipts))
	for i := range receipts {
		out[i] = receiptOf(receipts[i], jobs[receipts[i].ID])
	}
	return out, nil
}

func receiptOf(r job.Receipt, jobs []Job) Receipt {
	out := Receipt{
		ID: r.ID, ReceivedAt: r.ReceivedAt, Provider: r.Provider, Sources: r.Sources, DeliveryID: r.DeliveryID,
		Event: r.Event, Outcome: string(r.Outcome), Reason: r.Reason, Events: r.Events, Matched: r.Matched,
		ReplayOf: r.ReplayOf, Jobs: jobs,
	}
	if out.Sources == nil {
		out.Sources = []string{}
	}
	if out.Jobs == nil {
		out.Jobs = []Job{}
	}
	return out
}

// Detail is all there is to say of one delivery.
type Detail struct {
	Receipt
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Query  string      `json:"query,omitempty"`
	Header http.Header `json:"header"`
	Size   int         `json:"size"` // of the body, in bytes
	Body   Body        `json:"body"`
	// Explanation is what its events are, and who wants them, by the
	// configuration of now. It is missing when nobody can say; Unread is why.
	Explanation *Explanation `json:"explanation,omitempty"`
	Unread      string       `json:"unread,omitempty"`
}

// Show returns all there is to say of a delivery, or a store.ErrNotFound.
func (b *Book) Show(ctx context.Context, id string) (Detail, error) {
	r, err := b.Records.Receipt(ctx, id)
	if err != nil {
		return Detail{}, err
	}
	list, err := b.listed(ctx, []job.Receipt{r})
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Receipt: list[0], Method: r.Method, Path: r.Path, Size: len(r.Body)}
	if err := b.addRuns(ctx, d.Jobs); err != nil {
		return Detail{}, err
	}

	view := b.View()
	events, err := view.parse(ctx, r)
	hide := hiderOf(events)
	d.Header, d.Query = hide.header(r.Header), hide.query(r.Query)
	d.DeliveryID = hide.text("", d.DeliveryID) // some vendors' is one that an agent may use
	switch {
	case errors.Is(err, ErrUnread):
		// Nobody knows what in it is sensitive.
		d.Unread = err.Error()
		d.Body = Body{Format: withheld}
		return d, nil
	case err != nil:
		return Detail{}, err
	}
	d.Body = hide.body(r.Header.Get("Content-Type"), r.Body)
	d.Explanation, err = view.explain(r, r.Sources, events)
	return d, err
}

func (b *Book) addRuns(ctx context.Context, jobs []Job) error {
	for i := range jobs {
		runs, err := b.Records.RunsOf(ctx, jobs[i].ID)
		if err != nil {
			return err
		}
		for _, r := range runs {
			run := Run{
				ID: r.ID, State: string(r.State), Attempt: r.Attempt, ExitCode: r.ExitCode, Reason: r.Reason, StartedAt: r.StartedAt,
			}
			if !r.EndedAt.IsZero() {
				run.EndedAt = &r.EndedAt
			}
			jobs[i].Runs = append(jobs[i].Runs, run)
		}
	}
	return nil
}

// Body returns the body of a delivery exactly as it came. Whoever asks for it
// gets to see all that is in it.
func (b *Book) Body(ctx context.Context, id string) ([]byte, error) {
	r, err := b.Records.Receipt(ctx, id)
	return r.Body, err
}
