package sqlite

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/store"
)

// defaultCapacity of a queue whose agent no configuration has named yet.
const defaultCapacity = 100

type totals struct {
	scale, running, lastJob, receiptBytes int64
}

func (t *tx) loadTotals() error {
	q := t.prepare(`SELECT scale, running, last_job, receipt_bytes FROM totals`)
	ok, err := q.one()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("table totals is empty: %w", sqlite3.CORRUPT)
	}
	t.totals = totals{q.ColumnInt64(0), q.ColumnInt64(1), q.ColumnInt64(2), q.ColumnInt64(3)}
	return q.Reset()
}

func (t *tx) saveTotals() error {
	v := &t.totals
	return t.prepare(`UPDATE totals SET scale = ?, running = ?, last_job = ?, receipt_bytes = ?`).
		int(v.scale).int(v.running).int(v.lastJob).int(v.receiptBytes).exec()
}

// queueRow is an agent's row of the table queues.
type queueRow struct {
	agent                                      string
	scale, capacity, waiting, running, dropped int64
	head                                       int64 // 0 for none
}

// queue returns an agent's queue. One that no configuration has named takes
// jobs, so that none is lost, and starts none.
func (t *tx) queue(agent string) (queueRow, error) {
	row := queueRow{agent: agent, capacity: defaultCapacity}
	q := t.prepare(`SELECT scale, capacity, waiting, running, dropped, head FROM queues WHERE agent = ?`).text(agent)
	ok, err := q.one()
	if !ok {
		return row, err
	}
	row.scale, row.capacity = q.ColumnInt64(0), q.ColumnInt64(1)
	row.waiting, row.running = q.ColumnInt64(2), q.ColumnInt64(3)
	row.dropped, row.head = q.ColumnInt64(4), q.ColumnInt64(5)
	return row, q.Reset()
}

func (t *tx) saveQueue(row *queueRow) error {
	q := t.prepare(`INSERT INTO queues (agent, scale, capacity, waiting, running, dropped, head)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (agent) DO UPDATE SET scale = excluded.scale, capacity = excluded.capacity,
			waiting = excluded.waiting, running = excluded.running, dropped = excluded.dropped, head = excluded.head`).
		text(row.agent).int(row.scale).int(row.capacity).int(row.waiting).int(row.running).int(row.dropped)
	if row.head == 0 {
		q = q.null()
	} else {
		q = q.int(row.head)
	}
	return q.exec()
}

// popHead counts the oldest job out of its queue, once it is no longer in the
// state waiting, and finds the next.
func (t *tx) popHead(row *queueRow) error {
	row.waiting--
	q := t.prepare(`SELECT id FROM jobs WHERE agent = ? AND state = 'waiting' ORDER BY id LIMIT 1`).text(row.agent)
	ok, err := q.one()
	if !ok {
		row.head = 0
		return err
	}
	row.head = q.ColumnInt64(0)
	return q.Reset()
}

// pushBack counts a job that was running into its queue. Its id is older than
// those of all that never ran, and so it is at the head again.
func (row *queueRow) pushBack(id int64) {
	row.waiting++
	if row.head == 0 || id < row.head {
		row.head = id
	}
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
		}
		seen[a.Agent] = true
	}
	if l.Scale < 0 {
		return fmt.Errorf("set limits: scale %d is negative", l.Scale)
	}
	err := s.writer.do(ctx, 0, true, func(t *tx) error {
		t.totals.scale = int64(l.Scale)
		if err := t.prepare(`UPDATE queues SET scale = 0`).exec(); err != nil {
			return err
		}
		for _, a := range l.Agents {
			row, err := t.queue(a.Agent)
			if err != nil {
				return err
			}
			row.scale, row.capacity = int64(a.Scale), int64(a.Capacity)
			if err := t.saveQueue(&row); err != nil {
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
	var gone []string
	q := t.prepare(`SELECT agent FROM queues WHERE scale = 0 AND waiting = 0 AND running = 0`)
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
