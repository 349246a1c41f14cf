package sqlite

import (
	"time"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/store"
)

// budget is how many runs may start in an hour and in a day; 0 is no bound.
type budget struct{ perHour, perDay int64 }

func budgetOf(b store.Budget) budget { return budget{int64(b.PerHour), int64(b.PerDay)} }

const dayLong = 24 * time.Hour

// budgetCloses returns until when no further run of an agent may start (of any
// agent for an empty name), or 0 when one may start now.
func (t *tx) budgetCloses(agent string, b budget, now time.Time) (int64, error) {
	closed := int64(0)
	for _, bound := range []struct {
		most   int64
		window time.Duration
	}{{b.perHour, time.Hour}, {b.perDay, dayLong}} {
		if bound.most <= 0 {
			continue
		}
		// The run that has to be out of the window before another may start.
		started, err := t.startOfNewest(agent, bound.most)
		if err != nil {
			return 0, err
		}
		if opens := started + int64(bound.window); started != 0 && opens > stored.Nanos(now) {
			closed = max(closed, opens)
		}
	}
	return closed, nil
}

// startOfNewest returns when the n-th newest run started, or 0 when there are
// fewer.
func (t *tx) startOfNewest(agent string, n int64) (int64, error) {
	var q *stmt
	if agent == "" {
		q = t.prepare(`SELECT started_at FROM runs ORDER BY id DESC LIMIT 1 OFFSET ?`)
	} else {
		q = t.prepare(`SELECT started_at FROM runs WHERE agent = ? ORDER BY id DESC LIMIT 1 OFFSET ?`).text(agent)
	}
	q = q.int(n - 1)
	ok, err := q.one()
	if !ok {
		return 0, err
	}
	started := q.ColumnInt64(0)
	return started, q.Reset()
}

// spend closes the budgets that a run which just started has used up.
func (t *tx) spend(row *queueRow, now time.Time) (err error) {
	if row.budget != (budget{}) {
		if row.closedUntil, err = t.budgetCloses(row.agent, row.budget, now); err != nil {
			return err
		}
	}
	if t.totals.budget != (budget{}) {
		t.totals.closedUntil, err = t.budgetCloses("", t.totals.budget, now)
	}
	return err
}

// limited says whether a job that comes now has to be let go: its agent drops
// what its budget leaves no room for.
func (t *tx) limited(row *queueRow, now time.Time) (bool, error) {
	if !row.dropBeyond {
		return false, nil
	}
	at := stored.Nanos(now)
	if row.closedUntil > at || t.totals.closedUntil > at {
		return true, nil
	}
	// What waits will use up the budget before this job does.
	for _, bound := range []struct {
		most   int64
		window time.Duration
	}{{row.budget.perHour, time.Hour}, {row.budget.perDay, dayLong}} {
		if bound.most <= 0 {
			continue
		}
		if row.waiting >= bound.most {
			return true, nil
		}
		started, err := t.startOfNewest(row.agent, bound.most-row.waiting)
		if err != nil || started != 0 && started+int64(bound.window) > at {
			return true, err
		}
	}
	return false, nil
}
