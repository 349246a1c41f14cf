package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Receipts implements [store.Store]. A receipt has neither agent nor state;
// those of a query do not narrow it.
func (r *Reader) Receipts(ctx context.Context, q store.Query) ([]job.Receipt, error) {
	var n narrowing
	n.sql.WriteString(`SELECT ` + receiptColumns + ` FROM receipts WHERE true`)
	n.where(`id < $`, before(q))
	if !q.Since.IsZero() {
		n.where(`id >= $`, job.FirstID(q.Since))
	}
	if q.Provider != "" {
		n.where(`provider = $`, encodeText(q.Provider))
	}
	if q.Source != "" {
		// A list of one name is written like every longer one around it.
		list := stored.Strings([]string{q.Source})
		n.where(`position($ IN sources) > 0`, encodeText(list[1:len(list)-1]))
	}
	switch q.Outcome {
	case "":
	case job.Queued:
		n.sql.WriteString(` AND outcome = 'queued'`)
	case job.Duplicate, job.NotQueued, job.HeldBack, job.Unmatched, job.Empty, job.Handshake, job.Unparseable:
		n.sql.WriteString(` AND outcome = '` + string(q.Outcome) + `' AND outcome <> 'queued'`)
	default:
		return nil, fmt.Errorf("list receipts: no such outcome: %q", q.Outcome)
	}
	if q.Dead {
		n.sql.WriteString(` AND id IN (SELECT id FROM receipts WHERE outcome = 'unparseable' AND outcome <> 'queued'
				UNION ALL SELECT receipt FROM jobs WHERE state = 'dead' AND state <> 'waiting' AND receipt <> ''
				UNION ALL SELECT e.receipt FROM jobs j JOIN job_events e ON e.job = j.id
					WHERE j.state = 'dead' AND j.state <> 'waiting' AND e.receipt <> '')
			AND NOT EXISTS (SELECT 1 FROM receipts r WHERE r.replay_of = receipts.id AND r.replay_of <> '')`)
	}
	sql, args := n.newest(q)
	out, err := list(ctx, r, scanOneReceipt, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list receipts: %w", err)
	}
	return out, nil
}

func scanOneReceipt(row pgx.Row) (job.Receipt, error) { return scanReceipt(row) }

// Taken implements [store.Store].
func (r *Reader) Taken(ctx context.Context, receipts []string) ([]store.Taken, error) {
	out, err := list(ctx, r, scanTaken, `SELECT `+bareColumns+`, asked, name, delivery, joined FROM (
			SELECT j.*, n.place, n.asked, j.event AS name, j.delivery_id AS delivery, false AS joined
				FROM unnest($1::text[]) WITH ORDINALITY AS n (asked, place) JOIN jobs j ON j.receipt = n.asked AND j.receipt <> ''
			UNION ALL
			SELECT j.*, n.place, n.asked, e.event, e.delivery_id, true
				FROM unnest($1::text[]) WITH ORDINALITY AS n (asked, place) JOIN job_events e ON e.receipt = n.asked AND e.receipt <> ''
				JOIN jobs j ON j.id = e.job) AS taken
		ORDER BY place, joined, id`, encodeTexts(receipts))
	if err != nil {
		return nil, fmt.Errorf("jobs of receipts: %w", err)
	}
	return out, nil
}

func scanTaken(row pgx.Row) (t store.Taken, err error) {
	t.Job, err = scanBareJob(row, text{&t.Receipt}, text{&t.Event}, text{&t.DeliveryID}, &t.Joined)
	return t, err
}
