package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// noteDelay is how long a note may wait for a commit to travel with.
	noteDelay = 50 * time.Millisecond
	// noteRetry is the pause after a failed write of notes.
	noteRetry = time.Second
	// maxNotes and maxNoteBytes bound what waits, of which a database takes
	// less than a second's time.
	maxNotes     = 4096
	maxNoteBytes = 16 << 20
)

// notes are receipts that nobody waits for.
type notes struct {
	mu     sync.Mutex
	list   []receipt
	count  int // of those in the list and those being written
	bytes  int
	signal chan struct{} // there is something to write
}

func (w *writer) note(r receipt) bool {
	select {
	case <-w.closing:
		return false
	default:
	}
	n := &w.notes
	size := int(r.size())
	n.mu.Lock()
	defer n.mu.Unlock()
	// A receipt larger than the bound is taken when nothing else waits.
	if n.count >= maxNotes || n.bytes > 0 && n.bytes+size > maxNoteBytes {
		return false
	}
	n.list = append(n.list, r)
	n.count++
	n.bytes += size
	if len(n.list) == 1 {
		select {
		case n.signal <- struct{}{}:
		default:
		}
	}
	return true
}

func (n *notes) waiting() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.list) > 0
}

// take hands out the oldest notes, at least one if there is any. They count
// until they come back to written.
func (n *notes) take(count, bytes int) []receipt {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken, size := 0, 0
	for taken < len(n.list) && taken < count && size < bytes {
		size += int(n.list[taken].size())
		taken++
	}
	if taken == 0 {
		return nil
	}
	list := n.list[:taken:taken]
	n.list = n.list[taken:]
	if len(n.list) == 0 {
		n.list = nil
	} else {
		select { // what is left does not wait for another note to come
		case n.signal <- struct{}{}:
		default:
		}
	}
	return list
}

// written takes back what was handed out: for good, or to the front of those
// that wait.
func (n *notes) written(list []receipt, ok bool) {
	if len(list) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !ok {
		n.list = append(list, n.list...)
		return
	}
	n.count -= len(list)
	for i := range list {
		n.bytes -= int(list[i].size())
	}
}

func noteOp(r *receipt) *op {
	return &op{
		ctx: context.Background(), stores: r.size(), ask: r.insert,
		hear: func(results pgx.BatchResults) error {
			_, err := results.Exec()
			return err
		},
	}
}
