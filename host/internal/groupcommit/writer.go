package groupcommit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

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
)

// Op is one call on its way through a Writer.
type Op[W any] struct {
	Work W
	// Answer is what the call returns when the transaction was committed: what
	// the store has to say to this caller alone.
	Answer error

	ctx   context.Context
	bytes int
	taken atomic.Bool // by the writer, or by a caller who has given up
	done  chan struct{}
}

// Options of a Writer.
type Options[W any] struct {
	Log hclog.Logger
	// Commit makes one transaction of a batch. Its error is that of the whole
	// batch, of which nothing is recorded then.
	Commit func(batch []*Op[W]) error
	// Idle is called after each transaction, and told whether somebody waits
	// for the next. It may be nil.
	Idle func(waiting bool)
}

// Writer is the one goroutine that writes, and the queue before it.
type Writer[W any] struct {
	opts Options[W]

	ops     chan *Op[W]
	notes   notes[W]
	closing chan struct{}
	once    sync.Once
	stopped chan struct{}

	// The rest belongs to the goroutine.
	failed bool // the last transaction; says when a recovery is news
	batch  []*Op[W]
}

// New returns a Writer, whose Run has to be started.
func New[W any](opts Options[W]) *Writer[W] {
	return &Writer[W]{
		opts:    opts,
		ops:     make(chan *Op[W], maxQueued),
		notes:   notes[W]{signal: make(chan struct{}, 1)},
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
}

// Stop lets the writer finish what waits and returns when it has ended.
func (w *Writer[W]) Stop() {
	w.once.Do(func() { close(w.closing) })
	<-w.stopped
}

// Waiting is how many calls wait to be taken up.
func (w *Writer[W]) Waiting() int { return len(w.ops) }

// Do has work recorded, and waits until it is, or failed. A ctx that ends before
// the writer has taken it up means that nothing was recorded. If it ends later
// then patient callers learn the outcome nevertheless: for them it would be
// worse not to know what was recorded than to be late. bytes is about what the
// work adds to a transaction.
func (w *Writer[W]) Do(ctx context.Context, work W, bytes int, patient bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &Op[W]{Work: work, ctx: ctx, bytes: bytes, done: make(chan struct{})}
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
			return o.Answer
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
				return o.Answer
			default:
				return store.ErrClosed
			}
		}
	}
}

// Run writes until Stop.
func (w *Writer[W]) Run() {
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
		if w.failed && w.notes.waiting() > 0 {
			timer.Reset(noteRetry)
		}
		if w.opts.Idle != nil {
			w.opts.Idle(len(w.ops) > 0)
		}
	}
}

// drain writes what was queued before the end.
func (w *Writer[W]) drain() {
	for {
		select {
		case o := <-w.ops:
			w.write(o)
		default:
			for w.notes.waiting() > 0 {
				if w.write(nil); w.failed {
					w.opts.Log.Warn("records of deliveries lost at the end", "count", w.notes.waiting())
					return
				}
			}
			return
		}
	}
}

// write puts an operation and those that wait behind it into one transaction.
func (w *Writer[W]) write(first *Op[W]) {
	batch, bytes := w.batch[:0], 0
	take := func(o *Op[W]) {
		if o.ctx.Err() == nil && !o.taken.Swap(true) {
			batch = append(batch, o)
			bytes += o.bytes
			return
		}
		o.Answer = o.ctx.Err()
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
	batch = append(batch, noted...)
	if len(batch) == 0 {
		return
	}

	err := w.opts.Commit(batch)
	w.notes.written(noted, err == nil)
	switch {
	case err != nil:
		for _, o := range batch[:callers] {
			o.Answer = err
		}
		if !w.failed {
			w.opts.Log.Error("store can not write", "error", err)
		}
	case w.failed:
		w.opts.Log.Info("store writes again")
	}
	w.failed = err != nil
	for _, o := range batch[:callers] {
		close(o.done)
	}
	clear(batch)
	w.batch = batch
}
