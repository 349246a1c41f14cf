package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/action-llama/gateway/host/internal/stored"
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
		op.sensitive[i] = stored.Strings(a.Jobs[i].Sensitive)
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
	for i := range o.Jobs {
		verdict, id, err := o.enqueue(t, i)
		if err != nil {
			return err
		}
		o.out.Verdicts[i], o.out.IDs[i] = verdict, id
	}
	if o.receipt == nil {
		return nil
	}
	r := *o.receipt
	r.Outcome = o.out.Outcome(r.Outcome)
	return t.insertReceipt(&r)
}

func (o *acceptOp) receiptID() string {
	if o.receipt == nil {
		return ""
	}
	return o.receipt.ID
}

// enqueue decides what becomes of one job, in the order in which a person
// would ask: is it a repeat, may it wait, does it join another, is its key
// busy; and only then is it queued, and the queue's bound kept.
func (o *acceptOp) enqueue(t *tx, i int) (store.Verdict, int64, error) {
	j := &o.Jobs[i]
	if j.Again {
		if err := t.freeKey(j.Agent, j.Source, j.Key); err != nil {
			return 0, 0, err
		}
	}
	if id, err := t.jobByKey(j.Agent, j.Source, j.Key); id != 0 || err != nil {
		return store.Duplicate, id, err
	}
	row, err := t.queue(j.Agent)
	if err != nil {
		return 0, 0, err
	}
	if !j.Tick.IsZero() { // kept whatever becomes of the job
		if row.lastTick == stored.Nanos(j.Tick) {
			return store.Duplicate, 0, nil
		}
		row.lastTick = max(row.lastTick, stored.Nanos(j.Tick))
	}
	if j.OnlyIfFree {
		verdict, err := o.free(t, row, j)
		if verdict != store.Enqueued || err != nil {
			return verdict, 0, err
		}
	}
	if id, err := t.join(o, i); id != 0 || err != nil {
		return store.Merged, id, err
	}
	limited, err := t.limited(row, o.At)
	if err != nil {
		return 0, 0, err
	}
	if limited {
		id, err := o.refuse(t, row, i, "not queued: the budget of runs (maxRunsPerHour, maxRunsPerDay) is used up")
		return store.Limited, id, err
	}
	c := j.Concurrency
	before, err := t.firstInLine(j.Agent, c.Key)
	if err != nil {
		return 0, 0, err
	}
	if before != 0 && c.OnBusy == store.BusySkip {
		id, err := o.refuse(t, row, i, fmt.Sprintf("skipped: job %d with the same concurrency key is not done", before))
		return store.Skipped, id, err
	}
	id, err := o.queue(t, row, i, before)
	return store.Enqueued, id, err
}

// free says whether a job could start at once.
func (o *acceptOp) free(t *tx, row *queueRow, j *store.NewJob) (store.Verdict, error) {
	if row.paused || t.totals.paused {
		return store.Paused, nil
	}
	at := stored.Nanos(o.At)
	if row.closedUntil > at || t.totals.closedUntil > at {
		return store.Busy, nil
	}
	first, err := t.couldStart(j.Agent, row.scale-row.running)
	if err != nil {
		return 0, err
	}
	if row.running+first >= row.scale {
		return store.Busy, nil
	}
	before, err := t.firstInLine(j.Agent, j.Concurrency.Key)
	if before != 0 {
		return store.Busy, err
	}
	return store.Enqueued, err
}

// couldStart counts the waiting jobs that would take a free slot, up to as many
// as there are. Those that wait for a time or for their turn take none: a retry
// that is an hour away does not keep a schedule from ticking.
func (t *tx) couldStart(agent string, slots int64) (n int64, err error) {
	q := t.prepare(`SELECT id FROM jobs INDEXED BY jobs_ready
		WHERE agent = ? AND state = 'waiting' AND blocked = 0 AND ready_at IS NULL LIMIT ?`).text(agent).int(max(slots, 0))
	for q.next() {
		n++
	}
	return n, q.done()
}

// queue puts a job into its queue, behind what is in its line already.
func (o *acceptOp) queue(t *tx, row *queueRow, i int, before int64) (int64, error) {
	j := &o.Jobs[i]
	id := t.totals.lastJob + 1
	c := j.Concurrency
	if before != 0 && (c.OnBusy == store.BusyLatest || c.OnBusy == store.BusyCancel) {
		if err := t.supersede(row, c, id, o.At, &o.out); err != nil {
			return 0, err
		}
		var err error
		if before, err = t.firstInLine(j.Agent, c.Key); err != nil {
			return 0, err
		}
	}
	chain, err := t.chain(row, j, stored.Nanos(o.At))
	if err != nil {
		return 0, err
	}
	ready, end := burstTimes(j.Debounce, o.At)
	err = o.insert(t, i, newRow{id: id, state: job.Waiting, blocked: before != 0, ready: ready, end: end, chain: chain})
	if err != nil {
		return 0, err
	}
	o.trip(row, j, chain)
	row.waiting++
	if before == 0 && ready.IsZero() {
		row.ready(id)
	}
	for row.waiting > row.capacity {
		dropped, err := t.dropOldest(row, o.At)
		if err != nil {
			return 0, err
		}
		o.out.Dropped = append(o.out.Dropped, store.Drop{Agent: j.Agent, ID: dropped})
	}
	return id, nil
}

// refuse records a job that is not queued, so that its end can be seen.
func (o *acceptOp) refuse(t *tx, row *queueRow, i int, reason string) (int64, error) {
	id := t.totals.lastJob + 1
	err := o.insert(t, i, newRow{id: id, state: job.Dropped, ended: o.At, reason: reason})
	if err != nil {
		return 0, err
	}
	row.dropped++
	return id, nil
}

// newRow is what a job's row holds that its NewJob does not say.
type newRow struct {
	id      int64
	state   job.State
	blocked bool
	ready   time.Time
	end     time.Time // of its burst
	chain   int64
	ended   time.Time
	reason  string
}

func (o *acceptOp) insert(t *tx, i int, r newRow) error {
	j := &o.Jobs[i]
	burst := j.Debounce.Group
	if r.state != job.Waiting {
		burst = ""
	}
	t.totals.lastJob = r.id
	return t.prepare(`INSERT INTO jobs (id, agent, trigger, receipt, source, provider, event, delivery_id, key,
			state, attempt, crashes, failures, merged, concurrency_key, blocked, burst, burst_end,
			entity, sender, chain, queued_at, ready_at, ended_at, reason, sensitive, codec, context)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).
		int(r.id).text(j.Agent).text(string(j.Trigger)).text(o.receiptID()).text(j.Source).text(j.Provider).
		text(j.Event).text(j.DeliveryID).text(j.Key).text(string(r.state)).
		text(j.Concurrency.Key).bool(r.blocked).text(burst).time(r.end).
		text(j.Loop.Entity).text(j.Loop.Sender).int(r.chain).time(o.At).time(r.ready).time(r.ended).text(r.reason).
		text(o.sensitive[i]).int(o.contexts[i].codec).blob(o.contexts[i].bytes).exec()
}

// jobByKey returns the job that a repeat with this key would repeat, or 0: as
// its first event, or as one that joined it.
func (t *tx) jobByKey(agent, source, key string) (int64, error) {
	if key == "" {
		return 0, nil
	}
	q := t.prepare(`SELECT id FROM jobs INDEXED BY jobs_by_key WHERE agent = ?1 AND source = ?2 AND key = ?3
			AND key <> '' AND state IN ('waiting', 'running', 'done')
		UNION ALL
		SELECT e.job FROM job_events e INDEXED BY job_events_by_key CROSS JOIN jobs j ON j.id = e.job
			WHERE e.agent = ?1 AND e.source = ?2 AND e.key = ?3
			AND e.key <> '' AND j.state IN ('waiting', 'running', 'done')
		LIMIT 1`).text(agent).text(source).text(key)
	ok, err := q.one()
	if !ok {
		return 0, err
	}
	id := q.ColumnInt64(0)
	return id, q.Reset()
}

func (t *tx) insertReceipt(r *storedReceipt) error {
	q := t.prepare(`INSERT INTO receipts (id, provider, sources, delivery_id, received_at, method, path, query,
			outcome, reason, event, events, matched, replay_of, size, codec, header, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).
		text(r.ID).text(r.Provider).text(r.sources).text(r.DeliveryID).time(r.ReceivedAt).
		text(r.Method).text(r.Path).text(r.Query).text(string(r.Outcome)).text(r.Reason).
		text(r.Event).int(int64(r.Events)).int(int64(r.Matched)).text(r.ReplayOf).int(r.size()).int(r.packed.codec).
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
