package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/internal/groupcommit"
)

const (
	pageSize = 4096
	// idleWALPages is the log's size from which it is folded into the file as
	// soon as nobody waits. maxWALPages (32 MiB) is where it is done in any
	// case: the log costs disk, and time when a killed gateway starts again.
	idleWALPages = 1000
	maxWALPages  = 8000
)

// work runs inside a transaction. An error it returns is one of the database;
// what the store has to say to its caller goes another way. It may be run
// again, so it must not build on an earlier run's results.
type work func(*tx) error

type op = groupcommit.Op[work]

// tx is what an operation works on: the connection, in a transaction, and the
// totals and queues, which are written back once for the whole batch.
type tx struct {
	*conn
	totals totals
	queues queues
}

// writer is the one connection that writes.
type writer struct {
	group    *groupcommit.Writer[work]
	path     string
	vfs      string
	log      hclog.Logger
	onCommit func(time.Duration, int)

	// The rest belongs to the goroutine that writes.
	conn   *conn // nil after an error that it can not be trusted after
	wal    int   // pages in the log
	folded int   // of those, how many were there at the last checkpoint
	wrote  bool  // the last transaction changed something
}

func newWriter(path string, c *conn, opts Options) *writer {
	w := &writer{path: path, vfs: opts.vfs, log: opts.Log, onCommit: opts.OnCommit, conn: c}
	w.group = groupcommit.New(groupcommit.Options[work]{Log: opts.Log, Commit: w.commit, Idle: w.tidy})
	w.watchLog()
	return w
}

// do has an operation recorded; see [groupcommit.Writer.Do].
func (w *writer) do(ctx context.Context, bytes int, patient bool, apply work) error {
	return w.group.Do(ctx, apply, bytes, patient)
}

// note has a receipt recorded that nobody waits for.
func (w *writer) note(r storedReceipt) bool {
	return w.group.Note(func(t *tx) error { return t.insertReceipt(&r) }, int(r.size()))
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

// tidy folds the log into the file when it is time for that.
func (w *writer) tidy(waiting bool) {
	if due := w.wal - w.folded; due >= maxWALPages || due >= idleWALPages && !waiting {
		w.checkpoint()
	}
}

// commit makes one transaction of a batch.
func (w *writer) commit(batch []*op) error {
	start := time.Now()
	w.wrote = false
	recorded, err := w.transact(batch)
	if err != nil {
		return unavailable(w.path, err)
	}
	if w.wrote && recorded > 0 {
		w.onCommit(time.Since(start), recorded)
	}
	return nil
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
		culprit.Answer = fmt.Errorf("store %s: refused: %w", w.path, err)
		culprit.Work = func(*tx) error { return nil }
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
		if err := o.Work(t); err != nil {
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
