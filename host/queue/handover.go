package queue

import (
	"context"
	"time"
)

// Hold keeps the dispatcher from starting runs until Resume, and returns when it
// is not about to start one. Runs under way go on.
func (d *Dispatcher) Hold(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Resume ends a Hold.
func (d *Dispatcher) Resume() {
	<-d.turn
	d.Wake()
}

// Leave ends the dispatcher like Stop, but for the runs under way, which have
// all the time that they want: another host starts those that wait. A Stop ends
// that. It returns when Run does.
func (d *Dispatcher) Leave() { d.Stop(forever) }

const forever = 100 * 365 * 24 * time.Hour

// renewWhileLeaving is how often a host that leaves looks whether its runs are
// to end. Whoever ends them asks the other host, which can tell it by the store
// alone.
const renewWhileLeaving = time.Second

// renewEvery is how often leases are renewed. Where a run ends for want of a
// renewal, an outage of the store should find it with a lease as fresh as can be.
func (d *Dispatcher) renewEvery() time.Duration {
	every := d.opts.Lease / 3
	if d.opts.Fence {
		every = d.opts.Lease / 6
	}
	if d.leaving() {
		every = min(every, renewWhileLeaving)
	}
	return every
}

func (d *Dispatcher) leaving() bool {
	select {
	case <-d.stopping:
		return true
	default:
		return false
	}
}

// Recover gives back the jobs of all runs but those of this host and of others
// that live: for when a host is known to be gone, so that its leases need not be
// waited for.
func (d *Dispatcher) Recover(ctx context.Context) error {
	return d.giveBack(ctx, d.opts.Now().AddDate(100, 0, 0), d.opts.Host)
}
