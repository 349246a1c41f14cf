package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/internal/groupcommit"
)

const (
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

// work is the part of one call in a transaction.
type work struct {
	bytes int // about what it adds to the transaction
	locks locks
	// ask queues its statements, and hear reads their results, in the same
	// order. Both may run again, for another try.
	ask  func(*pgx.Batch)
	hear func(pgx.BatchResults) error
	// stores is how many bytes of receipts it adds.
	stores int64
}

type op = groupcommit.Op[*work]

// writer makes transactions of what is to be recorded.
type writer struct {
	group    *groupcommit.Writer[*work]
	pools    *pools
	onCommit func(time.Duration, int)
	part     int // of receipt_bytes
}

func newWriter(p *pools, part int, opts Options) *writer {
	w := &writer{pools: p, part: part, onCommit: opts.OnCommit}
	w.group = groupcommit.New(groupcommit.Options[*work]{Log: opts.Log, Commit: w.commit})
	return w
}

// note has a receipt recorded that nobody waits for.
func (w *writer) note(r receipt) bool {
	return w.group.Note(&work{
		stores: r.size(), ask: r.insert,
		hear: func(results pgx.BatchResults) error {
			_, err := results.Exec()
			return err
		},
	}, int(r.size()))
}

// commit makes one transaction of a batch.
func (w *writer) commit(batch []*op) error {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	recorded, err := w.transact(ctx, batch)
	switch {
	case err == nil:
		if recorded > 0 {
			w.onCommit(time.Since(start), recorded)
		}
		return nil
	case elsewhere(err):
		w.pools.reset()
	}
	return unavailable(err)
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
			culprit.Answer = fmt.Errorf("store: refused: %w", err)
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
			needs.add(o.Work.locks)
			stored += o.Work.stores
		}
	}
	b := &pgx.Batch{}
	if !needs.none() {
		b.Queue(`SELECT al_lock($1, $2, $3, $4)`,
			encodeTexts(needs.agents), encodeTexts(needs.ends), encodeTexts(needs.renews), encodeTexts(needs.cancels))
	}
	for _, o := range batch {
		if !refused[o] {
			o.Work.ask(b)
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
		if err := o.Work.hear(results); err != nil {
			_ = results.Close() // repeats the error
			return o, err
		}
	}
	return nil, results.Close()
}
