package sqlite

import (
	"fmt"
	"time"

	"github.com/action-llama/gateway/host/store"
)

// The jobs of an agent with one concurrency key are a line: those that wait or
// run, by id. The first of them may run, the others are blocked, so that the
// one whose run failed keeps its place until its last attempt.

// leaveLine lets the next job of a line start, after one has left it.
func (t *tx) leaveLine(row *queueRow, key string) error {
	if key == "" {
		return nil
	}
	q := t.prepare(`SELECT id, blocked, ready_at IS NULL FROM jobs INDEXED BY jobs_in_line
		WHERE agent = ? AND concurrency_key = ? AND concurrency_key <> '' AND state IN ('waiting', 'running')
		ORDER BY id LIMIT 1`).text(row.agent).text(key)
	ok, err := q.one()
	if !ok {
		return err
	}
	id, blocked, due := q.ColumnInt64(0), q.ColumnInt64(1) != 0, q.ColumnInt64(2) != 0
	if err := q.Reset(); err != nil || !blocked {
		return err
	}
	if err := t.prepare(`UPDATE jobs SET blocked = 0 WHERE id = ?`).int(id).exec(); err != nil {
		return err
	}
	if due {
		row.ready(id)
	}
	return nil
}

// firstInLine returns the job that has a key now, or 0.
func (t *tx) firstInLine(agent, key string) (int64, error) {
	if key == "" {
		return 0, nil
	}
	q := t.prepare(`SELECT id FROM jobs INDEXED BY jobs_in_line
		WHERE agent = ? AND concurrency_key = ? AND concurrency_key <> '' AND state IN ('waiting', 'running')
		ORDER BY id LIMIT 1`).text(agent).text(key)
	ok, err := q.one()
	if !ok {
		return 0, err
	}
	id := q.ColumnInt64(0)
	return id, q.Reset()
}

// supersede takes the place of the jobs that wait in a line for a newer one,
// and asks those that run to end where that is wanted.
func (t *tx) supersede(row *queueRow, c store.Concurrency, by int64, at time.Time, out *store.Accepted) error {
	var waiting, running []int64
	q := t.prepare(`SELECT id, state = 'running' FROM jobs INDEXED BY jobs_in_line
		WHERE agent = ? AND concurrency_key = ? AND concurrency_key <> '' AND state IN ('waiting', 'running')
		ORDER BY id`).text(row.agent).text(c.Key)
	for q.next() {
		if q.ColumnInt64(1) != 0 {
			running = append(running, q.ColumnInt64(0))
		} else {
			waiting = append(waiting, q.ColumnInt64(0))
		}
	}
	if err := q.done(); err != nil {
		return err
	}
	for _, id := range waiting {
		reason := fmt.Sprintf("job %d is newer and has the same concurrency key", by)
		if err := t.drop(row, id, c.Key, at, reason); err != nil {
			return err
		}
		out.Dropped = append(out.Dropped, store.Drop{Agent: row.agent, ID: id, By: by})
	}
	if c.OnBusy != store.BusyCancel {
		return nil
	}
	for _, id := range running {
		run, err := t.cancelRunOf(id, fmt.Sprintf("cancelled: job %d is newer and has the same concurrency key", by))
		if err != nil {
			return err
		}
		if run != "" {
			out.Cancelled = append(out.Cancelled, run)
		}
	}
	return nil
}

// cancelRunOf asks for the end of the run of a job.
func (t *tx) cancelRunOf(id int64, reason string) (run string, err error) {
	q := t.prepare(`UPDATE runs SET cancel = ? WHERE job = ? AND state = 'running' RETURNING id`).text(reason).int(id)
	for q.next() {
		run = q.ColumnText(0)
	}
	return run, q.done()
}
