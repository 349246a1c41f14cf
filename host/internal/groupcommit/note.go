package groupcommit

import (
	"context"
	"sync"
	"time"
)

const (
	// noteDelay is how long a note may wait for a commit to travel with.
	noteDelay = 50 * time.Millisecond
	// noteRetry is the pause after a failed write of notes.
	noteRetry = time.Second
	// MaxNotes and MaxNoteBytes bound the notes that wait. At full speed that
	// is less than a second's worth.
	MaxNotes     = 4096
	MaxNoteBytes = 16 << 20
)

// notes are work that nobody waits for.
type notes[W any] struct {
	mu     sync.Mutex
	list   []*Op[W]
	count  int // of those in the list and those being written
	bytes  int
	signal chan struct{} // there is something to write
}

// Note has work recorded with a transaction of the near future, and does not
// wait for it. It returns false when too much waits already, or at the end.
func (w *Writer[W]) Note(work W, bytes int) bool {
	select {
	case <-w.closing:
		return false
	default:
	}
	n := &w.notes
	n.mu.Lock()
	defer n.mu.Unlock()
	// A note larger than the bound is taken when nothing else waits.
	if n.count >= MaxNotes || n.bytes > 0 && n.bytes+bytes > MaxNoteBytes {
		return false
	}
	n.list = append(n.list, &Op[W]{Work: work, ctx: context.Background(), bytes: bytes})
	n.count++
	n.bytes += bytes
	if len(n.list) == 1 {
		n.tell()
	}
	return true
}

func (n *notes[W]) tell() {
	select {
	case n.signal <- struct{}{}:
	default:
	}
}

// waiting is how many wait to be written.
func (n *notes[W]) waiting() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.list)
}

// take hands out the oldest notes, at least one if there is any. They count
// until they come back to written.
func (n *notes[W]) take(count, bytes int) []*Op[W] {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken, size := 0, 0
	for taken < len(n.list) && taken < count && size < bytes {
		size += n.list[taken].bytes
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
		n.tell() // what is left does not wait for another note to come
	}
	return list
}

// written takes back what was handed out: for good, or to the front of those
// that wait.
func (n *notes[W]) written(list []*Op[W], ok bool) {
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
	for _, o := range list {
		n.bytes -= o.bytes
	}
}
