package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/store"
)

const (
	// maxBatchOps and maxBatchBytes bound one transaction. Beyond some hundred
	// operations sharing an fsync saves nothing more, and the callers at the
	// front only wait for those at the back.
	maxBatchOps   = 256
	maxBatchBytes = 8 << 20
	// maxQueued bounds the operations that wait for the writer. Their callers
	// wait, too, each until its own deadline.
	maxQueued = 1024

	pageSize = 4096
	// idleWALPages is the log's size from which it is folded into the file as
	// soon as nobody waits. maxWALPages (32 MiB) is where it is done in any
	// case: the log costs disk, and time when a killed gateway starts again.
	idleWALPages = 1000
	maxWALPages  = 8000
)

// op is one call on its way through the writer.
type op struct {
	ctx   context.Context
	bytes int
	// apply runs inside the transaction. An error it returns is one of the
	// database; what the store has to say to its caller it keeps in answer.
	// It may be run again, so it must not build on an earlier run's results.
	apply  func(*tx) error
	answer error

	taken atomic.Bool // by the writer, or by a caller who has given up
	done  chan struct{}
}

// tx is what an operation works on: the connection, in a transaction, and the
// totals and queues, which are written back once for the whole batch.
type tx struct {
	*conn
	totals totals
	queues queues
}

type writer struct {
	path     string
	vfs      string
	log      hclog.Logger
	onCommit func(time.Duration, int)

	ops     chan *op
	notes   notes
	closing chan struct{}
	once    sync.Once
	stopped chan struct{}

	// The rest belongs to the goroutine.
	conn   *conn // nil after an error that it can not be trusted after
	failed bool  // the last transaction; says when a recovery is news
	wal    int   // pages in the log
	folded int   // of those, how many were there at the last checkpoint
	wrote  bool  // the last transaction changed something
	batch  []*op
}

func newWriter(path string, c *conn, opts Options) *writer {
	w := &writer{
		path: path, vfs: opts.vfs, log: opts.Log, onCommit: opts.OnCommit, conn: c,
		ops:     make(chan *op, maxQueued),
		notes:   notes{signal: make(chan struct{}, 1)},
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	w.watchLog()
	return w
}

func (w *writer) watchLog() {
	w.conn.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		if pages < w.folded {
			w.folded = 0 // the log began anew
		}
		w.wal, w.wrote = pages, true
		return nil
	})
}

// stop lets the writer finish what waits and returns when it has ended.
func (w *writer) stop() {
	w.once.Do(func() { close(w.closing) })
	<-w.stopped
}

// do queues an operation and waits until it is on disk, or failed. A ctx that
// ends before the writer has taken it up means that nothing was recorded. If it
// ends later then patient callers learn the outcome nevertheless: for them it
// would be worse not to know what was recorded than to be late.
func (w *writer) do(ctx context.Context, bytes int, patient bool, apply func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &op{ctx: ctx, bytes: bytes, apply: apply, done: make(chan struct{})}
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
		if due := w.wal - w.folded; due >= maxWALPages || due >= idleWALPages && len(w.ops) == 0 {
			w.checkpoint()
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
	w.wrote = false
	recorded, err := w.transact(batch)
	w.notes.written(noted, err == nil)
	switch {
	case err != nil:
		err = unavailable(w.path, err)
		for _, o := range batch[:callers] {
			o.answer = err
		}
		if !w.failed {
			w.log.Error("store can not write", "error", err)
		}
	default:
		if w.wrote && recorded > 0 {
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
// then. An operation that the database refuses for what it contains gets an
// answer of its own, and the others are applied again without it.
func (w *writer) transact(batch []*op) (recorded int, err error) {
	if w.conn == nil {
		if w.conn, err = w.reopen(); err != nil {
			return 0, err
		}
	}
	defer func() {
		if err == nil {
			return
		}
		if needsReopen(err) || w.rollback() != nil {
			err = errors.Join(err, w.conn.close())
			w.conn = nil
		}
	}()
	refused := 0
	for {
		culprit, err := w.attempt(batch)
		if err == nil {
			return len(batch) - refused, nil
		}
		if culprit == nil || !ownFault(err) {
			return 0, err
		}
		culprit.answer = fmt.Errorf("store %s: refused: %w", w.path, err)
		culprit.apply = func(*tx) error { return nil }
		refused++
		if err := w.rollback(); err != nil {
			return 0, err
		}
	}
}

// attempt runs the transaction once, and names the operation that failed, if it
// was one.
func (w *writer) attempt(batch []*op) (*op, error) {
	if err := w.conn.prepare("BEGIN IMMEDIATE").exec(); err != nil {
		return nil, err
	}
	t := &tx{conn: w.conn}
	if err := t.loadTotals(); err != nil {
		return nil, err
	}
	before := t.totals
	for _, o := range batch {
		if err := o.apply(t); err != nil {
			return o, err
		}
	}
	if err := t.flushQueues(); err != nil {
		return nil, err
	}
	if t.totals != before {
		if err := t.saveTotals(); err != nil {
			return nil, err
		}
	}
	return nil, w.conn.prepare("COMMIT").exec()
}

// rollback ends a failed transaction. SQLite has ended it already after some
// errors, a full disk among them.
func (w *writer) rollback() error {
	for _, s := range w.conn.stmts {
		if s.Busy() {
			_ = s.Reset() // repeats the error that brought us here
		}
	}
	if w.conn.GetAutocommit() {
		return nil
	}
	return w.conn.Exec("ROLLBACK")
}

func (w *writer) reopen() (*conn, error) {
	c, err := dialWriter(w.path, w.vfs)
	if err != nil {
		return nil, err
	}
	w.conn = c
	w.watchLog()
	return c, nil
}

// checkpoint folds the log into the file. Nobody waits for its result, but
// whoever comes next waits until it is over, and so it is done in idle moments.
func (w *writer) checkpoint() {
	if w.conn == nil {
		return
	}
	// Where a reader still needs old pages, the rest is left to the next one.
	if _, _, err := w.conn.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE); err != nil {
		w.log.Debug("checkpoint failed", "error", err)
	}
	w.folded = w.wal
}
