package pluginhost

import (
	"fmt"
	"time"
)

// What a provider may take. They are far above what one needs that computes for
// a fraction of a millisecond per delivery, and low enough for the others on the
// machine.
const (
	// DefaultMaxMemory holds some of the largest bodies several times over.
	DefaultMaxMemory = 1 << 30
	maxChildren      = 32
	// maxFiles are connections to the host (a few), and what a runtime opens.
	maxFiles = 1024
	// maxFileSize is of one that it writes.
	maxFileSize = 256 << 20
)

// usage is what a process and its children take.
type usage struct {
	memory   int64 // resident, in bytes
	cpu      time.Duration
	children int
}

// watcher looks at what a process takes.
type watcher struct {
	in    *instance
	since time.Time // since when nobody has asked it anything
	calls uint64    // by then
	cpu   time.Duration
}

// look says why a process has to be ended.
func (w *watcher) look(t timing, maxMemory int64) error {
	u, ok := measure(w.in.proc.pid)
	if !ok {
		return nil // the platform does not say, or it is gone
	}
	if maxMemory > 0 && u.memory > maxMemory {
		return faulty(FaultMemory, fmt.Errorf("it takes %d MiB of memory; [plugins] maxMemoryBytes is %d MiB", u.memory>>20, maxMemory>>20))
	}
	if u.children > maxChildren {
		return faulty(FaultChildren, fmt.Errorf("it has %d children; %d is the most", u.children, maxChildren))
	}
	calls := w.in.calls.Load()
	if w.since.IsZero() || calls != w.calls || len(w.in.slots) > 0 {
		w.since, w.calls, w.cpu = time.Now(), calls, u.cpu
		return nil
	}
	idle := time.Since(w.since)
	if used := u.cpu - w.cpu; idle >= t.spin && float64(used) > t.spinShare*float64(idle) {
		return faulty(FaultCPU, fmt.Errorf("it computed for %s of %s in which it was asked nothing",
			used.Round(time.Millisecond), idle.Round(time.Millisecond)))
	}
	if idle >= 2*t.spin {
		w.since, w.cpu = time.Now(), u.cpu // what it does from now on counts
	}
	return nil
}
