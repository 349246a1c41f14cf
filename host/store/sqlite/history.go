package sqlite

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Job implements [store.Store].
func (r *Reader) Job(ctx context.Context, id int64) (j job.Job, err error) {
	found := false
	err = r.read(ctx, func(c *conn) error {
		q := c.prepare(`SELECT ` + jobColumns + ` FROM jobs WHERE id = ?`).int(id)
		if found, err = q.one(); !found {
			return err
		}
		if j, err = q.jobAt(); err != nil {
			return err
		}
		return q.Reset()
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return job.Job{}, fmt.Errorf("job %d: %w", id, err)
	}
	return j, nil
}

// Run implements [store.Store].
func (r *Reader) Run(ctx context.Context, id string) (run job.Run, err error) {
	found := false
	err = r.read(ctx, func(c *conn) error {
		q := c.prepare(`SELECT ` + runColumns + ` FROM runs WHERE id = ?`).text(id)
		if found, err = q.one(); !found {
			return err
		}
		run = q.runAt()
		return q.Reset()
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return job.Run{}, fmt.Errorf("run %q: %w", id, err)
	}
	return run, nil
}

// RunsOf implements [store.Store].
func (r *Reader) RunsOf(ctx context.Context, id int64) ([]job.Run, error) {
	var list []job.Run
	err := r.read(ctx, func(c *conn) error {
		q := c.prepare(`SELECT ` + runColumns + ` FROM runs WHERE job = ?`).int(id)
		for q.next() {
			list = append(list, q.runAt())
		}
		return q.done()
	})
	if err != nil {
		return nil, fmt.Errorf("runs of job %d: %w", id, err)
	}
	slices.SortFunc(list, func(a, b job.Run) int { return b.Attempt - a.Attempt })
	return list, nil
}

// Tally implements [store.Store].
func (r *Reader) Tally(ctx context.Context, agent string, since time.Time) ([]store.Tally, error) {
	tallies := map[string]*store.Tally{}
	err := r.read(ctx, func(c *conn) error {
		if err := c.tallyRuns(tallies, agent, since); err != nil {
			return err
		}
		return c.tallyJobs(tallies, agent, since)
	})
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	out := make([]store.Tally, 0, len(tallies))
	for _, name := range slices.Sorted(maps.Keys(tallies)) {
		out = append(out, *tallies[name])
	}
	return out, nil
}

func of(tallies map[string]*store.Tally, agent string) *store.Tally {
	t := tallies[agent]
	if t == nil {
		t = &store.Tally{Agent: agent}
		tallies[agent] = t
	}
	return t
}

func (c *conn) tallyRuns(tallies map[string]*store.Tally, agent string, since time.Time) error {
	const (
		columns = `SELECT r.agent, r.state, r.attempt, r.started_at, r.ended_at, j.queued_at
			FROM runs r LEFT JOIN jobs j ON j.id = r.job WHERE r.id >= ?`
		all   = columns
		ofOne = columns + ` AND r.agent = ?`
	)
	text := all
	if agent != "" {
		text = ofOne
	}
	q := c.prepare(text).text(job.FirstID(since))
	if agent != "" {
		q = q.text(agent)
	}
	for q.next() {
		started, ended, queued := q.timeAt(3), q.timeAt(4), q.timeAt(5)
		if started.Before(since) { // in the same millisecond
			continue
		}
		t := of(tallies, q.ColumnText(0))
		if q.ColumnInt(2) == 1 && !queued.IsZero() {
			t.Waits = append(t.Waits, max(0, started.Sub(queued)))
		}
		switch job.State(q.ColumnText(1)) {
		case job.Done:
			t.Done++
		case job.Failed:
			t.Failed++
		case job.Waiting:
			t.Returned++
			continue
		default:
			continue
		}
		t.Durations = append(t.Durations, max(0, ended.Sub(started)))
	}
	return q.done()
}

func (c *conn) tallyJobs(tallies map[string]*store.Tally, agent string, since time.Time) error {
	// The plus keeps SQLite from looking at all that were ever dropped.
	q := c.prepare(`SELECT agent, state FROM jobs WHERE ended_at >= ? AND +state IN ('dropped', 'dead')`).time(since)
	for q.next() {
		name := q.ColumnText(0)
		if agent != "" && name != agent {
			continue
		}
		if job.State(q.ColumnText(1)) == job.Dead {
			of(tallies, name).Dead++
		} else {
			of(tallies, name).Dropped++
		}
	}
	return q.done()
}
