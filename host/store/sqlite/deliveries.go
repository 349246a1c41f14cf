package sqlite

import (
	"context"
	"fmt"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// receipts selects what a query asks for, the newest first. The outcome goes
// into the text, as the state does in list.
func (c *conn) receipts(q store.Query) *stmt {
	before := q.Before
	if before == "" {
		before = lastID
	}
	sql := `SELECT ` + receiptColumns + ` FROM receipts WHERE id < ?`
	params := []string{before}
	narrow := func(condition string, values ...string) {
		sql += ` AND ` + condition
		params = append(params, values...)
	}
	if !q.Since.IsZero() {
		narrow(`id >= ?`, job.FirstID(q.Since))
	}
	if q.Provider != "" {
		narrow(`provider = ?`, q.Provider)
	}
	if q.Source != "" {
		// A list of one name is written like every longer one around it.
		list := stored.Strings([]string{q.Source})
		narrow(`instr(sources, ?) > 0`, list[1:len(list)-1])
	}
	switch q.Outcome {
	case "":
	case job.Queued:
		narrow(`outcome = 'queued'`)
	default:
		narrow(`outcome = '` + string(q.Outcome) + `' AND outcome <> 'queued'`)
	}
	if q.Dead {
		narrow(`id IN (SELECT id FROM receipts WHERE outcome = 'unparseable' AND outcome <> 'queued'
			UNION ALL SELECT receipt FROM jobs WHERE state = 'dead' AND state <> 'waiting' AND receipt <> ''
			UNION ALL SELECT e.receipt FROM jobs j CROSS JOIN job_events e ON e.job = j.id
				WHERE j.state = 'dead' AND j.state <> 'waiting' AND e.receipt <> '')
			AND NOT EXISTS (SELECT 1 FROM receipts r WHERE r.replay_of = receipts.id AND r.replay_of <> '')`)
	}
	s := c.prepare(sql + ` ORDER BY id DESC LIMIT ?`)
	for _, p := range params {
		s = s.text(p)
	}
	return s.int(limit(q))
}

// checkOutcome keeps anything but an outcome out of the text of a statement.
func checkOutcome(o job.Outcome) error {
	switch o {
	case "", job.Queued, job.Duplicate, job.NotQueued, job.HeldBack, job.Unmatched, job.Empty, job.Handshake, job.Unparseable:
		return nil
	default:
		return fmt.Errorf("no such outcome: %q", o)
	}
}

// takenColumns are those of a job without its context.
const (
	takenColumns = `j.id, j.agent, j.trigger, j.receipt, j.source, j.provider, j.event, j.delivery_id, j.state, j.attempt,
		j.crashes, j.queued_at, j.ended_at, j.reason, j.failures, j.concurrency_key, j.merged, j.ready_at`
	takenCount = 18
)

// Taken implements [store.Store].
func (r *Reader) Taken(ctx context.Context, receipts []string) ([]store.Taken, error) {
	var list []store.Taken
	err := r.read(ctx, func(c *conn) error {
		list = nil
		for _, id := range receipts {
			if id == "" {
				continue // of ticks and calls by hand
			}
			q := c.prepare(`SELECT ` + takenColumns + ` FROM jobs j WHERE j.receipt = ? AND j.receipt <> '' ORDER BY j.id`).text(id)
			for q.next() {
				j := q.jobOfTaken()
				list = append(list, store.Taken{Receipt: id, Event: j.Event, DeliveryID: j.DeliveryID, Job: j})
			}
			if err := q.done(); err != nil {
				return err
			}
			q = c.prepare(`SELECT ` + takenColumns + `, e.event, e.delivery_id FROM job_events e CROSS JOIN jobs j ON j.id = e.job
				WHERE e.receipt = ? AND e.receipt <> ''`).text(id)
			for q.next() {
				list = append(list, store.Taken{
					Receipt: id, Event: q.ColumnText(takenCount), DeliveryID: q.ColumnText(takenCount + 1), Joined: true, Job: q.jobOfTaken(),
				})
			}
			if err := q.done(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("jobs of receipts: %w", err)
	}
	return list, nil
}

func (s *stmt) jobOfTaken() job.Job {
	return job.Job{
		ID: s.ColumnInt64(0), Agent: s.ColumnText(1), Trigger: job.Trigger(s.ColumnText(2)), Receipt: s.ColumnText(3),
		Source: s.ColumnText(4), Provider: s.ColumnText(5), Event: s.ColumnText(6), DeliveryID: s.ColumnText(7),
		State: job.State(s.ColumnText(8)), Attempt: s.ColumnInt(9), Crashes: s.ColumnInt(10),
		QueuedAt: s.timeAt(11), EndedAt: s.timeAt(12), Reason: s.ColumnText(13),
		Failures: s.ColumnInt(14), ConcurrencyKey: s.ColumnText(15), Merged: s.ColumnInt(16), ReadyAt: s.timeAt(17),
	}
}

// freeKey lets a job that is done give up its key, for one that is to be done
// again.
func (t *tx) freeKey(agent, source, key string) error {
	if key == "" {
		return nil
	}
	err := t.prepare(`UPDATE jobs SET key = '' WHERE agent = ? AND source = ? AND key = ?
		AND key <> '' AND state IN ('waiting', 'running', 'done') AND state = 'done'`).text(agent).text(source).text(key).exec()
	if err != nil {
		return err
	}
	return t.prepare(`UPDATE job_events SET key = '' WHERE agent = ? AND source = ? AND key = ? AND key <> ''
		AND (SELECT state FROM jobs WHERE id = job) = 'done'`).text(agent).text(source).text(key).exec()
}
