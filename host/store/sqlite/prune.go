package sqlite

import (
	"context"
	"fmt"

	"github.com/action-llama/gateway/host/store"
)

const (
	// maxPruneStep bounds what one transaction deletes, whatever is asked.
	maxPruneStep = 1000
	// maxPruneBytes does the same for the bodies among it: SQLite has to visit
	// every page that it frees.
	maxPruneBytes = 16 << 20
)

// Prune implements [store.Store]. What to delete is looked up on a reading
// connection: what has ended stays ended, so it still holds when the writer
// deletes it. Freed pages are used again; the file itself does not shrink.
func (s *Store) Prune(ctx context.Context, p store.Prune) (bool, error) {
	step := min(max(p.Step, 1), maxPruneStep)
	var jobs []int64
	var receipts []string
	var more bool
	err := s.read(ctx, func(c *conn) error {
		jobs, receipts, more = nil, nil, false
		var err error
		if jobs, err = c.endedJobs(p, step); err != nil {
			return err
		}
		receipts, more, err = c.endedReceipts(p, step)
		more = more || len(jobs) == step
		return err
	})
	if err != nil {
		return false, fmt.Errorf("prune: %w", err)
	}
	if len(jobs) == 0 && len(receipts) == 0 {
		return false, nil
	}
	err = s.writer.do(ctx, 0, true, func(t *tx) error {
		for _, id := range jobs {
			if err := t.prepare(`DELETE FROM jobs WHERE id = ?`).int(id).exec(); err != nil {
				return err
			}
			if err := t.prepare(`DELETE FROM runs WHERE job = ?`).int(id).exec(); err != nil {
				return err
			}
			if err := t.prepare(`DELETE FROM job_events WHERE job = ?`).int(id).exec(); err != nil {
				return err
			}
		}
		for _, id := range receipts {
			if err := t.deleteReceipt(id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("prune: %w", err)
	}
	return more, nil
}

func (c *conn) endedJobs(p store.Prune, step int) ([]int64, error) {
	if p.Before.IsZero() {
		return nil, nil
	}
	var ids []int64
	q := c.prepare(`SELECT id FROM jobs WHERE ended_at < ? ORDER BY ended_at LIMIT ?`).time(p.Before).int(int64(step))
	for q.next() {
		ids = append(ids, q.ColumnInt64(0))
	}
	return ids, q.done()
}

// endedReceipts lists the oldest receipts that are too old, with all of their
// jobs, or too much; and says whether there are more.
func (c *conn) endedReceipts(p store.Prune, step int) (ids []string, more bool, err error) {
	excess := int64(0)
	if p.MaxBytes > 0 {
		q := c.prepare(`SELECT receipt_bytes FROM totals`)
		ok, err := q.one()
		if err != nil {
			return nil, false, err
		}
		if ok {
			excess = q.ColumnInt64(0) - p.MaxBytes
			if err := q.Reset(); err != nil {
				return nil, false, err
			}
		}
	}
	sizes := int64(0)
	seen := map[string]bool{}
	collect := func(q *stmt, enough func() bool) error {
		for !enough() && q.next() {
			if len(ids) == step || sizes >= maxPruneBytes {
				more = true
				break
			}
			if id := q.ColumnText(0); !seen[id] {
				seen[id] = true
				ids = append(ids, id)
				sizes += q.ColumnInt64(1)
			}
		}
		return q.done()
	}
	if !p.Before.IsZero() {
		q := c.prepare(`SELECT id, size FROM receipts WHERE received_at < ? AND NOT EXISTS (
				SELECT 1 FROM jobs WHERE receipt = receipts.id AND receipt <> '' AND (ended_at IS NULL OR ended_at >= ?))
			AND NOT EXISTS (SELECT 1 FROM job_events e CROSS JOIN jobs j ON j.id = e.job
				WHERE e.receipt = receipts.id AND e.receipt <> '' AND (j.ended_at IS NULL OR j.ended_at >= ?))
			ORDER BY received_at`).time(p.Before).time(p.Before).time(p.Before)
		if err := collect(q, func() bool { return false }); err != nil {
			return nil, false, err
		}
	}
	if sizes < excess && !more {
		q := c.prepare(`SELECT id, size FROM receipts WHERE NOT EXISTS (
				SELECT 1 FROM jobs WHERE receipt = receipts.id AND receipt <> '' AND ended_at IS NULL)
			AND NOT EXISTS (SELECT 1 FROM job_events e CROSS JOIN jobs j ON j.id = e.job
				WHERE e.receipt = receipts.id AND e.receipt <> '' AND j.ended_at IS NULL)
			ORDER BY received_at`)
		if err := collect(q, func() bool { return sizes >= excess }); err != nil {
			return nil, false, err
		}
	}
	return ids, more, nil
}

func (t *tx) deleteReceipt(id string) error {
	q := t.prepare(`DELETE FROM receipts WHERE id = ? RETURNING size`).text(id)
	for q.next() {
		t.totals.receiptBytes -= q.ColumnInt64(0)
	}
	return q.done()
}
