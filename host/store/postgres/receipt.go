package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// receipt is one in the form of its row, prepared by the caller so that the
// writer does not spend its time on compression.
type receipt struct {
	job.Receipt
	sources string
	header  string
	packed  stored.Bytes
}

func encodeReceipt(r job.Receipt) (receipt, error) {
	if r.ID == "" {
		return receipt{}, fmt.Errorf("receipt without id")
	}
	if r.ReceivedAt.IsZero() {
		return receipt{}, fmt.Errorf("receipt %s: without the time of its receipt", r.ID)
	}
	header, err := stored.Header(r.Header)
	if err != nil {
		return receipt{}, fmt.Errorf("receipt %s: header: %w", r.ID, err)
	}
	out := receipt{Receipt: r, sources: stored.Strings(r.Sources), header: header, packed: stored.Pack(r.Body)}
	out.Body = nil // only the stored form is kept while it waits
	return out, nil
}

func (r *receipt) size() int64 { return int64(len(r.header) + len(r.packed.Data)) }

// insert asks for the row of a receipt.
func (r *receipt) insert(b *pgx.Batch) {
	body := r.packed.Data
	if body == nil {
		body = []byte{}
	}
	b.Queue(`INSERT INTO receipts (id, provider, sources, delivery_id, received_at, method, path, query,
			outcome, reason, event, events, matched, replay_of, size, codec, header, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		encodeText(r.ID), encodeText(r.Provider), encodeText(r.sources), encodeText(r.DeliveryID), nanos(r.ReceivedAt),
		encodeText(r.Method), encodeText(r.Path), encodeText(r.Query),
		encodeText(string(r.Outcome)), encodeText(r.Reason), encodeText(r.Event), r.Events, r.Matched, encodeText(r.ReplayOf),
		r.size(), r.packed.Codec, encodeText(r.header), body)
}

const receiptColumns = `id, provider, sources, delivery_id, received_at, method, path, query,
	outcome, reason, event, events, matched, replay_of, header`

func scanReceipt(row pgx.Row, more ...any) (r job.Receipt, err error) {
	var sources, header string
	err = row.Scan(append([]any{
		text{&r.ID}, text{&r.Provider}, text{&sources}, text{&r.DeliveryID}, instant{&r.ReceivedAt},
		text{&r.Method}, text{&r.Path}, text{&r.Query}, text{(*string)(&r.Outcome)}, text{&r.Reason}, text{&r.Event},
		&r.Events, &r.Matched, text{&r.ReplayOf}, text{&header},
	}, more...)...)
	if err != nil {
		return r, err
	}
	if r.Sources, err = stored.ParseStrings(sources); err != nil {
		return r, fmt.Errorf("receipt %s: sources: %w", r.ID, err)
	}
	if r.Header, err = stored.ParseHeader(header); err != nil {
		return r, fmt.Errorf("receipt %s: header: %w", r.ID, err)
	}
	return r, nil
}

// Receipt implements [store.Store].
func (r *Reader) Receipt(ctx context.Context, id string) (out job.Receipt, err error) {
	var body stored.Bytes
	err = r.read(ctx, func(pool querier) (err error) {
		out, err = scanReceipt(pool.QueryRow(ctx, `SELECT `+receiptColumns+`, codec, body FROM receipts WHERE id = $1`, encodeText(id)),
			&body.Codec, &body.Data)
		if errors.Is(err, pgx.ErrNoRows) {
			err = store.ErrNotFound
		}
		return err
	})
	if err == nil {
		out.Body, err = body.Unpack()
	}
	if err != nil {
		return job.Receipt{}, fmt.Errorf("receipt %s: %w", id, err)
	}
	return out, nil
}
