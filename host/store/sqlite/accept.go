package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Accept implements [store.Store].
func (s *Store) Accept(ctx context.Context, a store.Acceptance) (store.Accepted, error) {
	for i := range a.Jobs {
		if a.Jobs[i].Agent == "" {
			return store.Accepted{}, fmt.Errorf("accept: job %d names no agent", i)
		}
	}
	op := acceptOp{Acceptance: a}
	bytes := 0
	if a.Receipt != nil {
		stored, err := encodeReceipt(*a.Receipt)
		if err != nil {
			return store.Accepted{}, fmt.Errorf("accept: %w", err)
		}
		op.receipt = &stored
		bytes = int(stored.size())
	}
	op.sensitive = make([]string, len(a.Jobs))
	op.contexts = make([]packed, len(a.Jobs))
	for i := range a.Jobs {
		op.sensitive[i] = encodeStrings(a.Jobs[i].Sensitive)
		op.contexts[i] = pack(a.Jobs[i].Context)
		bytes += len(op.contexts[i].bytes)
	}
	// A repeat is recognised by its key, so a caller who left early can come
	// back with the same request. It need not wait beyond its deadline.
	if err := s.writer.do(ctx, bytes, false, op.apply); err != nil {
		return store.Accepted{}, fmt.Errorf("accept: %w", err)
	}
	return op.out, nil
}

type acceptOp struct {
	store.Acceptance
	receipt   *storedReceipt
	sensitive []string
	contexts  []packed
	out       store.Accepted
}

func (o *acceptOp) apply(t *tx) error {
	o.out = store.Accepted{Verdicts: make([]store.Verdict, len(o.Jobs)), IDs: make([]int64, len(o.Jobs))}
	duplicates := 0
	for i := range o.Jobs {
		verdict, id, err := o.enqueue(t, i)
		if err != nil {
			return err
		}
		o.out.Verdicts[i], o.out.IDs[i] = verdict, id
		if verdict == store.Duplicate {
			duplicates++
		}
	}
	if o.receipt == nil {
		return nil
	}
	r := *o.receipt
	if duplicates > 0 && duplicates == len(o.Jobs) {
		r.Outcome = job.Duplicate
	}
	return t.insertReceipt(&r)
}

func (o *acceptOp) enqueue(t *tx, i int) (store.Verdict, int64, error) {
	j := &o.Jobs[i]
	if j.OnlyIfFree {
		// A repeat is one even when there is no room for it.
		if id, err := t.jobByKey(j.Agent, j.Source, j.Key); id != 0 || err != nil {
			return store.Duplicate, id, err
		}
		q, err := t.queue(j.Agent)
		if err != nil {
			return 0, 0, err
		}
		if q.running+q.waiting >= q.scale {
			return store.Busy, 0, nil
		}
	}
	receipt := ""
	if o.receipt != nil {
		receipt = o.receipt.ID
	}
	id := t.totals.lastJob + 1
	err := t.prepare(`INSERT INTO jobs (id, agent, trigger, receipt, source, provider, event, delivery_id, key,
			state, attempt, crashes, queued_at, reason, sensitive, codec, context)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', 0, 0, ?, '', ?, ?, ?)
		ON CONFLICT (agent, source, key) WHERE key <> '' AND state IN ('waiting', 'running', 'done') DO NOTHING`).
		int(id).text(j.Agent).text(string(j.Trigger)).text(receipt).text(j.Source).text(j.Provider).
		text(j.Event).text(j.DeliveryID).text(j.Key).
		time(o.At).text(o.sensitive[i]).int(o.contexts[i].codec).blob(o.contexts[i].bytes).exec()
	if err != nil {
		return 0, 0, err
	}
	if t.Changes() == 0 {
		id, err := t.jobByKey(j.Agent, j.Source, j.Key)
		return store.Duplicate, id, err
	}
	t.totals.lastJob = id

	q, err := t.queue(j.Agent)
	if err != nil {
		return 0, 0, err
	}
	if q.waiting == 0 {
		q.head = id
	}
	q.waiting++
	for q.waiting > q.capacity {
		dropped, err := t.dropHead(&q, o.At)
		if err != nil {
			return 0, 0, err
		}
		o.out.Dropped = append(o.out.Dropped, store.Drop{Agent: j.Agent, ID: dropped})
	}
	return store.Enqueued, id, t.saveQueue(&q)
}

// dropHead pushes the oldest waiting job out of a full queue.
func (t *tx) dropHead(q *queueRow, at time.Time) (int64, error) {
	id := q.head
	err := t.prepare(`UPDATE jobs SET state = 'dropped', ended_at = ?, reason = ? WHERE id = ? AND state = 'waiting'`).
		time(at).text(fmt.Sprintf("pushed out of the full queue (capacity %d) by a newer job", q.capacity)).int(id).exec()
	if err != nil {
		return 0, err
	}
	q.dropped++
	return id, t.popHead(q)
}

// jobByKey returns the job that a repeat with this key would repeat, or 0.
func (t *tx) jobByKey(agent, source, key string) (int64, error) {
	if key == "" {
		return 0, nil
	}
	q := t.prepare(`SELECT id FROM jobs WHERE agent = ? AND source = ? AND key = ?
		AND key <> '' AND state IN ('waiting', 'running', 'done')`).text(agent).text(source).text(key)
	ok, err := q.one()
	if !ok {
		return 0, err
	}
	id := q.ColumnInt64(0)
	return id, q.Reset()
}

func (t *tx) insertReceipt(r *storedReceipt) error {
	q := t.prepare(`INSERT INTO receipts (id, provider, sources, delivery_id, received_at, method, path, query,
			outcome, reason, events, matched, size, codec, header, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).
		text(r.ID).text(r.Provider).text(r.sources).text(r.DeliveryID).time(r.ReceivedAt).
		text(r.Method).text(r.Path).text(r.Query).text(string(r.Outcome)).text(r.Reason).
		int(int64(r.Events)).int(int64(r.Matched)).int(r.size()).int(r.packed.codec).
		text(r.header)
	body := r.packed.bytes
	whole := len(body) <= bodyChunk
	if whole {
		q = q.blob(body)
	} else {
		q = q.zeros(len(body))
	}
	err := q.exec()
	if err == nil && !whole {
		err = t.writeBody(t.LastInsertRowID(), body)
	}
	if err != nil {
		return fmt.Errorf("receipt %s: %w", r.ID, err)
	}
	t.totals.receiptBytes += r.size()
	return nil
}
