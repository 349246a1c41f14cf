package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Job implements [store.Store].
func (r *Reader) Job(ctx context.Context, id int64) (j job.Job, err error) {
	err = r.read(ctx, func(q querier) (err error) {
		j, err = scanJob(q.QueryRow(ctx, `SELECT `+jobColumns+` FROM jobs WHERE id = $1`, id))
		return found(err)
	})
	if err != nil {
		return job.Job{}, fmt.Errorf("job %d: %w", id, err)
	}
	return j, nil
}

func found(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// Run implements [store.Store].
func (r *Reader) Run(ctx context.Context, id string) (run job.Run, err error) {
	err = r.read(ctx, func(q querier) (err error) {
		run, err = scanRun(q.QueryRow(ctx, `SELECT `+runColumns+` FROM runs WHERE id = $1`, encodeText(id)))
		return found(err)
	})
	if err != nil {
		return job.Run{}, fmt.Errorf("run %q: %w", id, err)
	}
	return run, nil
}

// RunsOf implements [store.Store].
func (r *Reader) RunsOf(ctx context.Context, id int64) ([]job.Run, error) {
	runs, err := list(ctx, r, scanOneRun, `SELECT `+runColumns+` FROM runs WHERE job = $1 ORDER BY attempt DESC`, id)
	if err != nil {
		return nil, fmt.Errorf("runs of job %d: %w", id, err)
	}
	return runs, nil
}

// Tally implements [store.Store]. It goes by the times of runs: their ids are by
// the clocks of hosts.
func (r *Reader) Tally(ctx context.Context, agent string, since time.Time) ([]store.Tally, error) {
	tallies := map[string]*store.Tally{}
	of := func(agent string) *store.Tally {
		t := tallies[agent]
		if t == nil {
			t = &store.Tally{Agent: agent}
			tallies[agent] = t
		}
		return t
	}
	runs, err := list(ctx, r, func(row pgx.Row) (t tallied, err error) {
		err = row.Scan(text{&t.agent}, text{(*string)(&t.state)}, &t.attempt, instant{&t.started}, instant{&t.ended}, instant{&t.queued})
		return t, err
	}, `SELECT r.agent, r.state, r.attempt, r.started_at, r.ended_at, j.queued_at
		FROM runs r LEFT JOIN jobs j ON j.id = r.job WHERE r.started_at >= $1 AND ($2 = '' OR r.agent = $2)`, nanos(since), encodeText(agent))
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	for _, run := range runs {
		run.count(of(run.agent))
	}
	ends, err := list(ctx, r, func(row pgx.Row) (t tallied, err error) {
		err = row.Scan(text{&t.agent}, text{(*string)(&t.state)})
		return t, err
	}, `SELECT agent, state FROM jobs WHERE ended_at >= $1 AND state IN ('dropped', 'dead') AND ($2 = '' OR agent = $2)`, nanos(since), encodeText(agent))
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	for _, end := range ends {
		if end.state == job.Dead {
			of(end.agent).Dead++
		} else {
			of(end.agent).Dropped++
		}
	}
	out := make([]store.Tally, 0, len(tallies))
	for _, name := range slices.Sorted(maps.Keys(tallies)) {
		out = append(out, *tallies[name])
	}
	return out, nil
}

// tallied is a run or a job, as far as it is counted.
type tallied struct {
	agent                  string
	state                  job.State
	attempt                int
	started, ended, queued time.Time
}

func (r *tallied) count(t *store.Tally) {
	if r.attempt == 1 && !r.queued.IsZero() {
		t.Waits = append(t.Waits, max(0, r.started.Sub(r.queued)))
	}
	switch r.state {
	case job.Done:
		t.Done++
	case job.Failed:
		t.Failed++
	case job.Waiting:
		t.Returned++
		return
	default:
		return
	}
	t.Durations = append(t.Durations, max(0, r.ended.Sub(r.started)))
}
