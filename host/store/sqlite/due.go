package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/action-llama/gateway/host/internal/stored"
)

// maxDue bounds what one transaction lets go. What is left over is still due.
const maxDue = 256

// letGo makes the jobs ready whose time has come, and opens the budgets that
// have room again.
func (t *tx) letGo(now time.Time) error {
	type due struct {
		id      int64
		agent   string
		blocked bool
	}
	var jobs []due
	q := t.prepare(`SELECT id, agent, blocked FROM jobs WHERE state = 'waiting' AND ready_at IS NOT NULL AND ready_at <= ?
		ORDER BY ready_at LIMIT ?`).time(now).int(maxDue)
	for q.next() {
		jobs = append(jobs, due{q.ColumnInt64(0), q.ColumnText(1), q.ColumnInt64(2) != 0})
	}
	if err := q.done(); err != nil {
		return err
	}
	for _, j := range jobs {
		err := t.prepare(`UPDATE jobs SET ready_at = NULL, burst = '', burst_end = NULL WHERE id = ?`).int(j.id).exec()
		if err != nil {
			return err
		}
		if j.blocked {
			continue
		}
		row, err := t.queue(j.agent)
		if err != nil {
			return err
		}
		row.ready(j.id)
	}
	if err := t.openBudgets(now); err != nil {
		return err
	}
	if t.totals.closedUntil != 0 && t.totals.closedUntil <= stored.Nanos(now) {
		t.totals.closedUntil = 0
	}
	return nil
}

// openBudgets finds the agents that may start runs again.
func (t *tx) openBudgets(now time.Time) error {
	if err := t.flushQueues(); err != nil {
		return err
	}
	var open []string
	q := t.prepare(`SELECT agent FROM queues WHERE closed_until IS NOT NULL AND closed_until <= ?`).time(now)
	for q.next() {
		open = append(open, q.ColumnText(0))
	}
	if err := q.done(); err != nil {
		return err
	}
	for _, agent := range open {
		row, err := t.queue(agent)
		if err != nil {
			return err
		}
		row.closedUntil = 0
	}
	return nil
}

// Due implements [store.Store].
func (r *Reader) Due(ctx context.Context) (time.Time, error) {
	var first time.Time
	err := r.read(ctx, func(c *conn) error {
		first = time.Time{}
		for _, sql := range []string{
			`SELECT ready_at FROM jobs WHERE state = 'waiting' AND ready_at IS NOT NULL ORDER BY ready_at LIMIT 1`,
			`SELECT closed_until FROM queues WHERE closed_until IS NOT NULL ORDER BY closed_until LIMIT 1`,
			`SELECT closed_until FROM totals WHERE closed_until IS NOT NULL`,
		} {
			q := c.prepare(sql)
			ok, err := q.one()
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if at := q.timeAt(0); first.IsZero() || at.Before(first) {
				first = at
			}
			if err := q.Reset(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("what is due: %w", err)
	}
	return first, nil
}
