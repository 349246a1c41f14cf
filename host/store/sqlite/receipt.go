package sqlite

import (
	"context"
	"fmt"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

const receiptColumns = `id, provider, sources, delivery_id, received_at, method, path, query,
	outcome, reason, event, events, matched, replay_of, header`

func (s *stmt) receiptAt() (job.Receipt, error) {
	r := job.Receipt{
		ID: s.ColumnText(0), Provider: s.ColumnText(1), DeliveryID: s.ColumnText(3), ReceivedAt: s.timeAt(4),
		Method: s.ColumnText(5), Path: s.ColumnText(6), Query: s.ColumnText(7),
		Outcome: job.Outcome(s.ColumnText(8)), Reason: s.ColumnText(9), Event: s.ColumnText(10),
		Events: s.ColumnInt(11), Matched: s.ColumnInt(12), ReplayOf: s.ColumnText(13),
	}
	var err error
	if r.Sources, err = stored.ParseStrings(s.ColumnText(2)); err != nil {
		return r, fmt.Errorf("receipt %s: sources: %w", r.ID, err)
	}
	if r.Header, err = stored.ParseHeader(s.ColumnText(14)); err != nil {
		return r, fmt.Errorf("receipt %s: header: %w", r.ID, err)
	}
	return r, nil
}

// Receipts implements [store.Store]. A receipt has neither agent nor state;
// those of a query do not narrow it.
func (r *Reader) Receipts(ctx context.Context, q store.Query) ([]job.Receipt, error) {
	if err := checkOutcome(q.Outcome); err != nil {
		return nil, fmt.Errorf("list receipts: %w", err)
	}
	var list []job.Receipt
	err := r.read(ctx, func(c *conn) error {
		s := c.receipts(q)
		for s.next() {
			one, err := s.receiptAt()
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		return s.done()
	})
	if err != nil {
		return nil, fmt.Errorf("list receipts: %w", err)
	}
	return list, nil
}

// Receipt implements [store.Store].
func (r *Reader) Receipt(ctx context.Context, id string) (job.Receipt, error) {
	var out job.Receipt
	var codec int
	var body []byte
	found := false
	err := r.read(ctx, func(c *conn) error {
		s := c.prepare(`SELECT ` + receiptColumns + `, codec, seq FROM receipts WHERE id = ?`).text(id)
		ok, err := s.one()
		if !ok {
			return err
		}
		found = true
		if out, err = s.receiptAt(); err != nil {
			return err
		}
		codec = s.ColumnInt(15)
		seq := s.ColumnInt64(16)
		if err := s.Reset(); err != nil {
			return err
		}
		body, err = c.readBody(seq)
		return err
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return job.Receipt{}, fmt.Errorf("receipt %s: %w", id, err)
	}
	if body, err = unpack(codec, body); err != nil {
		return job.Receipt{}, fmt.Errorf("receipt %s: %w", id, err)
	}
	if len(body) > 0 {
		out.Body = body
	}
	return out, nil
}
