package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/store"
)

// defaultCapacity of a queue whose agent no configuration has named yet.
const defaultCapacity = 100

// totals is the one row of the table totals.
type totals struct {
	scale, running, lastJob, receiptBytes int64

	paused       bool
	pausedReason string
	budget       budget
	closedUntil  int64 // 0 for not closed
}

func (t *tx) loadTotals() error {
	q := t.prepare(`SELECT scale, running, last_job, receipt_bytes, paused, paused_reason, per_hour, per_day, closed_until
		FROM totals`)
	ok, err := q.one()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("table totals is empty: %w", sqlite3.CORRUPT)
	}
	t.totals = totals{
		scale: q.ColumnInt64(0), running: q.ColumnInt64(1), lastJob: q.ColumnInt64(2), receiptBytes: q.ColumnInt64(3),
		paused: q.ColumnInt64(4) != 0, pausedReason: q.ColumnText(5),
		budget: budget{q.ColumnInt64(6), q.ColumnInt64(7)}, closedUntil: q.ColumnInt64(8),
	}
	return q.Reset()
}

func (t *tx) saveTotals() error {
	v := &t.totals
	return t.prepare(`UPDATE totals SET scale = ?, running = ?, last_job = ?, receipt_bytes = ?,
			paused = ?, paused_reason = ?, per_hour = ?, per_day = ?, closed_until = ?`).
		int(v.scale).int(v.running).int(v.lastJob).int(v.receiptBytes).
		bool(v.paused).text(v.pausedReason).int(v.budget.perHour).int(v.budget.perDay).optional(v.closedUntil).exec()
}

// queueRow is an agent's row of the table queues.
type queueRow struct {
	agent                                      string
	scale, capacity, waiting, running, dropped int64
	head                                       int64 // the oldest job that could start now; 0 for none

	paused       bool
	pausedReason string
	resumedAfter int64
	budget       budget
	dropBeyond   bool
	closedUntil  int64 // 0 for not closed
	lastTick     int64 // 0 for none yet
	runsOn       string
}

// queues are the rows that a transaction has looked at. Operations change them
// in place, and all are written back once: many deliveries that share a commit
// are for one agent.
type queues map[string]*cachedQueue

type cachedQueue struct {
	queueRow
	stored queueRow // as it is in the table
}

// queue returns an agent's queue, to be changed in place. One that no
// configuration has named takes jobs, so that none is lost, and starts none.
func (t *tx) queue(agent string) (*queueRow, error) {
	if c := t.queues[agent]; c != nil {
		return &c.queueRow, nil
	}
	row, err := t.loadQueue(agent)
	if err != nil {
		return nil, err
	}
	if t.queues == nil {
		t.queues = queues{}
	}
	c := &cachedQueue{queueRow: row, stored: row}
	t.queues[agent] = c
	return &c.queueRow, nil
}

// flushQueues writes the rows that were changed, so that the table can be asked
// about all of them.
func (t *tx) flushQueues() error {
	for _, c := range t.queues {
		if c.queueRow == c.stored {
			continue
		}
		if err := t.saveQueue(&c.queueRow); err != nil {
			return err
		}
		c.stored = c.queueRow
	}
	return nil
}

// forgetQueues is for when the table itself was changed.
func (t *tx) forgetQueues() { clear(t.queues) }

func (t *tx) loadQueue(agent string) (queueRow, error) {
	row := queueRow{agent: agent, capacity: defaultCapacity}
	q := t.prepare(`SELECT scale, capacity, waiting, running, dropped, head, paused, paused_reason, resumed_after,
		per_hour, per_day, drop_beyond, closed_until, last_tick, runs_on FROM queues WHERE agent = ?`).text(agent)
	ok, err := q.one()
	if !ok {
		return row, err
	}
	row.scale, row.capacity = q.ColumnInt64(0), q.ColumnInt64(1)
	row.waiting, row.running = q.ColumnInt64(2), q.ColumnInt64(3)
	row.dropped, row.head = q.ColumnInt64(4), q.ColumnInt64(5)
	row.paused, row.pausedReason, row.resumedAfter = q.ColumnInt64(6) != 0, q.ColumnText(7), q.ColumnInt64(8)
	row.budget, row.dropBeyond = budget{q.ColumnInt64(9), q.ColumnInt64(10)}, q.ColumnInt64(11) != 0
	row.closedUntil, row.lastTick, row.runsOn = q.ColumnInt64(12), q.ColumnInt64(13), q.ColumnText(14)
	return row, q.Reset()
}

func (t *tx) saveQueue(row *queueRow) error {
	return t.prepare(`INSERT INTO queues (agent, scale, capacity, waiting, running, dropped, head, paused, paused_reason,
			resumed_after, per_hour, per_day, drop_beyond, closed_until, last_tick, runs_on)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (agent) DO UPDATE SET scale = excluded.scale, capacity = excluded.capacity,
			waiting = excluded.waiting, running = excluded.running, dropped = excluded.dropped, head = excluded.head,
			paused = excluded.paused, paused_reason = excluded.paused_reason, resumed_after = excluded.resumed_after,
			per_hour = excluded.per_hour, per_day = excluded.per_day, drop_beyond = excluded.drop_beyond,
			closed_until = excluded.closed_until, last_tick = excluded.last_tick, runs_on = excluded.runs_on`).
		text(row.agent).int(row.scale).int(row.capacity).int(row.waiting).int(row.running).int(row.dropped).optional(row.head).
		bool(row.paused).text(row.pausedReason).int(row.resumedAfter).
		int(row.budget.perHour).int(row.budget.perDay).bool(row.dropBeyond).optional(row.closedUntil).optional(row.lastTick).
		text(row.runsOn).exec()
}

// findHead looks for the oldest job of a queue that could start, after one
// that may have been it can not any more, or one can that could not.
func (t *tx) findHead(row *queueRow) error {
	// Left to itself, SQLite takes the index with all jobs that have ended.
	q := t.prepare(`SELECT id FROM jobs INDEXED BY jobs_ready
		WHERE agent = ? AND state = 'waiting' AND blocked = 0 AND ready_at IS NULL ORDER BY id LIMIT 1`).text(row.agent)
	ok, err := q.one()
	if !ok {
		row.head = 0
		return err
	}
	row.head = q.ColumnInt64(0)
	return q.Reset()
}

// ready makes a job that could start one of its queue's.
func (row *queueRow) ready(id int64) {
	if row.head == 0 || id < row.head {
		row.head = id
	}
}

// pushBack counts a job that was running into its queue. It was the first in
// its line, if it is in one, and still is; and its id is older than those of
// all that never ran, so that it is at the head again.
func (row *queueRow) pushBack(id int64) {
	row.waiting++
	row.ready(id)
}

// dropOldest pushes the oldest waiting job out of a full queue.
func (t *tx) dropOldest(row *queueRow, at time.Time) (int64, error) {
	// The index is named because there is another that fits, and that leads
	// past every job the agent ever had.
	q := t.prepare(`SELECT id, concurrency_key FROM jobs INDEXED BY jobs_waiting
		WHERE agent = ? AND state = 'waiting' ORDER BY id LIMIT 1`).text(row.agent)
	ok, err := q.one()
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("queue of %s: %d jobs wait, none is found: %w", row.agent, row.waiting, sqlite3.CORRUPT)
	}
	id, key := q.ColumnInt64(0), q.ColumnText(1)
	if err := q.Reset(); err != nil {
		return 0, err
	}
	return id, t.drop(row, id, key, at, fmt.Sprintf("pushed out of the full queue (capacity %d) by a newer job", row.capacity))
}

// drop takes a waiting job out of its queue for good.
func (t *tx) drop(row *queueRow, id int64, concurrencyKey string, at time.Time, reason string) error {
	err := t.prepare(`UPDATE jobs SET state = 'dropped', ended_at = ?, reason = ?, burst = '' WHERE id = ? AND state = 'waiting'`).
		time(at).text(reason).int(id).exec()
	if err != nil {
		return err
	}
	row.waiting--
	row.dropped++
	if err := t.leaveLine(row, concurrencyKey); err != nil {
		return err
	}
	return t.findHead(row)
}

// SetLimits implements [store.Store].
func (s *Store) SetLimits(ctx context.Context, l store.Limits) error {
	seen := map[string]bool{}
	for _, a := range l.Agents {
		switch {
		case a.Agent == "":
			return fmt.Errorf("set limits: an agent has no name")
		case seen[a.Agent]:
			return fmt.Errorf("set limits: agent %s comes twice", a.Agent)
		case a.Scale < 0:
			return fmt.Errorf("set limits: agent %s: scale %d is negative", a.Agent, a.Scale)
		case a.Capacity < 1:
			return fmt.Errorf("set limits: agent %s: capacity %d is below 1", a.Agent, a.Capacity)
		case a.Budget.PerHour < 0 || a.Budget.PerDay < 0:
			return fmt.Errorf("set limits: agent %s: its budget is negative", a.Agent)
		}
		seen[a.Agent] = true
	}
	if l.Scale < 0 || l.Budget.PerHour < 0 || l.Budget.PerDay < 0 {
		return fmt.Errorf("set limits: scale %d or budget %+v is negative", l.Scale, l.Budget)
	}
	err := s.writer.do(ctx, 0, true, func(t *tx) error {
		t.totals.scale, t.totals.budget = int64(l.Scale), budgetOf(l.Budget)
		var err error
		if t.totals.closedUntil, err = t.budgetCloses("", t.totals.budget, l.At); err != nil {
			return err
		}
		if err := t.flushQueues(); err != nil {
			return err
		}
		t.forgetQueues()
		if err := t.prepare(`UPDATE queues SET scale = 0`).exec(); err != nil {
			return err
		}
		for _, a := range l.Agents {
			row, err := t.queue(a.Agent)
			if err != nil {
				return err
			}
			row.scale, row.capacity = int64(a.Scale), int64(a.Capacity)
			row.budget, row.dropBeyond, row.runsOn = budgetOf(a.Budget), a.DropBeyond, stored.Strings(a.RunsOn)
			if row.closedUntil, err = t.budgetCloses(a.Agent, row.budget, l.At); err != nil {
				return err
			}
		}
		return t.forgetIdle(seen)
	})
	if err != nil {
		return fmt.Errorf("set limits: %w", err)
	}
	return nil
}

// forgetIdle removes the queues of agents that are gone from the configuration
// and have no job left in them.
func (t *tx) forgetIdle(named map[string]bool) error {
	if err := t.flushQueues(); err != nil {
		return err
	}
	defer t.forgetQueues()
	var gone []string
	q := t.prepare(`SELECT agent FROM queues WHERE scale = 0 AND waiting = 0 AND running = 0 AND paused = 0`)
	for q.next() {
		if agent := q.ColumnText(0); !named[agent] {
			gone = append(gone, agent)
		}
	}
	if err := q.done(); err != nil {
		return err
	}
	for _, agent := range gone {
		if err := t.prepare(`DELETE FROM queues WHERE agent = ?`).text(agent).exec(); err != nil {
			return err
		}
	}
	return nil
}
