package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/store"
)

const (
	// maxBatchOps and maxBatchBytes bound one transaction. Beyond some hundred
	// operations sharing a commit saves nothing more, and the callers at the
	// front, and other hosts, only wait for those at the back.
	maxBatchOps   = 256
	maxBatchBytes = 8 << 20
	// maxQueued bounds the operations that wait for the writer. Their callers
	// wait, too, each until its own deadline.
	maxQueued = 1024
	// writeTimeout bounds a transaction, with the connecting for it. Callers
	// have shorter deadlines; it is for a database that is gone without a word.
	writeTimeout = 15 * time.Second
	// maxTries is how often a transaction is tried that the database had to
	// give up for another's sake.
	maxTries = 5
)

// locks are what a transaction needs before it begins; see al_lock.
type locks struct {
	agents, ends, renews, cancels []string
}

func (l *locks) add(m locks) {
	l.agents = append(l.agents, m.agents...)
	l.ends = append(l.ends, m.ends...)
	l.renews = append(l.renews, m.renews...)
	l.cancels = append(l.cancels, m.cancels...)
}

func (l *locks) none() bool {
	return len(l.agents)+len(l.ends)+len(l.renews)+len(l.cancels) == 0
}

// op is one call on its way through the writer.
type op struct {
	ctx   context.Context
	bytes int
	locks locks
	// ask queues its statements, and hear reads their results, in the same
	// order. Both may run again, for another try.
	ask  func(*pgx.Batch)
	hear func(pgx.BatchResults) error
	// stores is how many bytes of receipts it adds.
	stores int64
	answer error

	taken atomic.Bool // by the writer, or by a caller who has given up
	done  chan struct{}
}

// writer puts the operations that wait at the same time into one transaction.
type writer struct {
	pools    *pools
	log      hclog.Logger
	onCommit func(time.Duration, int)
	part     int // of receipt_bytes

	ops     chan *op
	notes   notes
	closing chan struct{}
	once    sync.Once
	stopped chan struct{}

	// The rest belongs to the goroutine.
	failed bool // the last transaction; says when a recovery is news
	batch  []*op
}

func newWriter(p *pools, part int, opts Options) *writer {
	return &writer{
		pools: p, part: part, log: opts.Log, onCommit: opts.OnCommit,
		ops:     make(chan *op, maxQueued),
		notes:   notes{signal: make(chan struct{}, 1)},
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
}

// stop lets the writer finish what waits and returns when it has ended.
func (w *writer) stop() {
	w.once.Do(func() { close(w.closing) })
	<-w.stopped
}

// do has an operation recorded, and waits until it is, or failed. A ctx that
// ends before the writer has taken it up means that nothing was recorded. If it
// ends later then patient callers learn the outcome nevertheless: for them it
// would be worse not to know what was recorded than to be late.
func (w *writer) do(o *op, patient bool) error {
	ctx := o.ctx
	if err := ctx.Err(); err != nil {
		return err
	}
	o.done = make(chan struct{})
	select {
	case <-w.closing:
		return store.ErrClosed
	default:
	}
	select {
	case w.ops <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return store.ErrClosed
	}

	over := ctx.Done()
	for {
		select {
		case <-o.done:
			return o.answer
		case <-over:
			if !o.taken.Swap(true) {
				return ctx.Err()
			}
			if !patient {
				return fmt.Errorf("%w while it was being recorded", ctx.Err())
			}
			over = nil
		case <-w.stopped:
			select {
			case <-o.done:
				return o.answer
			default:
				return store.ErrClosed
			}
		}
	}
}

func (w *writer) run() {
	defer close(w.stopped)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case o := <-w.ops:
			w.write(o)
		case <-w.notes.signal:
			timer.Reset(noteDelay)
			continue
		case <-timer.C:
			w.write(nil)
		case <-w.closing:
			w.drain()
			return
		}
		if w.failed && w.notes.waiting() {
			timer.Reset(noteRetry)
		}
	}
}

// drain writes what was queued before the store was closed.
func (w *writer) drain() {
	for {
		select {
		case o := <-w.ops:
			w.write(o)
		default:
			for w.notes.waiting() {
				if w.write(nil); w.failed {
					w.log.Warn("records of deliveries lost at the end", "count", len(w.notes.list))
					return
				}
			}
			return
		}
	}
}

// write puts an operation and those that wait behind it into one transaction.
func (w *writer) write(first *op) {
	batch, bytes := w.batch[:0], 0
	take := func(o *op) {
		if o.ctx.Err() == nil && !o.taken.Swap(true) {
			batch = append(batch, o)
			bytes += o.bytes
			return
		}
		o.answer = o.ctx.Err()
		close(o.done)
	}
	if first != nil {
		take(first)
	}
fill:
	for len(batch) < maxBatchOps && bytes < maxBatchBytes {
		select {
		case o := <-w.ops:
			take(o)
		default:
			break fill
		}
	}
	callers := len(batch)
	noted := w.notes.take(maxBatchOps, maxBatchBytes)
	for i := range noted {
		batch = append(batch, noteOp(&noted[i]))
	}
	if len(batch) == 0 {
		return
	}

	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	recorded, err := w.transact(ctx, batch)
	w.notes.written(noted, err == nil)
	switch {
	case err != nil:
		if elsewhere(err) {
			w.pools.reset()
		}
		err = unavailable(err)
		for _, o := range batch[:callers] {
			o.answer = err
		}
		if !w.failed {
			w.log.Error("store can not write", "error", err)
		}
	default:
		if recorded > 0 {
			w.onCommit(time.Since(start), recorded)
		}
		if w.failed {
			w.log.Info("store writes again")
		}
	}
	w.failed = err != nil
	for _, o := range batch[:callers] {
		close(o.done)
	}
	clear(batch)
	w.batch = batch
}

// transact applies a batch in one transaction and says how many operations it
// holds. Its error is that of the whole batch, of which nothing is recorded
// then, but for a connection that ended on the way. An operation that the
// database refuses for what it contains gets an answer of its own, and the
// others are applied again without it.
func (w *writer) transact(ctx context.Context, batch []*op) (recorded int, err error) {
	refused := map[*op]bool{}
	for tries := 1; ; {
		culprit, err := w.attempt(ctx, batch, refused)
		switch {
		case err == nil:
			return len(batch) - len(refused), nil
		case culprit != nil && ownFault(err):
			culprit.answer = fmt.Errorf("store: refused: %w", err)
			refused[culprit] = true
		case passing(err) && tries < maxTries:
			tries++
		default:
			return 0, err
		}
	}
}

// attempt runs the transaction once, in one round trip, and names the operation
// that failed, if it was one.
func (w *writer) attempt(ctx context.Context, batch []*op, refused map[*op]bool) (*op, error) {
	var needs locks
	var stored int64
	for _, o := range batch {
		if !refused[o] {
			needs.add(o.locks)
			stored += o.stores
		}
	}
	b := &pgx.Batch{}
	if !needs.none() {
		b.Queue(`SELECT al_lock($1, $2, $3, $4)`,
			encodeTexts(needs.agents), encodeTexts(needs.ends), encodeTexts(needs.renews), encodeTexts(needs.cancels))
	}
	for _, o := range batch {
		if !refused[o] {
			o.ask(b)
		}
	}
	if stored != 0 { // the last, so that hosts with the same part wait for each other's commit at most
		b.Queue(`INSERT INTO receipt_bytes AS r (part, bytes) VALUES ($1, $2)
			ON CONFLICT (part) DO UPDATE SET bytes = r.bytes + excluded.bytes`, w.part, stored)
	}
	if b.Len() == 0 {
		return nil, nil
	}
	c, err := w.pools.write.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	// What is sent together, and not told otherwise, is one transaction.
	results := c.SendBatch(ctx, b)
	if !needs.none() {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // repeats the error
			return nil, err
		}
	}
	for _, o := range batch {
		if refused[o] {
			continue
		}
		if err := o.hear(results); err != nil {
			_ = results.Close() // repeats the error
			return o, err
		}
	}
	return nil, results.Close()
}
