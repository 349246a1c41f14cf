package queue

import (
	"context"
	"slices"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// lastPatience is what a renewal gets at least, when a run depends on it.
const lastPatience = time.Second

// keepLeases renews the leases of all runs, in one call, three times as often
// as they end, and looks for runs of hosts that died.
//
// Where no other host could run its job (see Options.Fence), a run is not
// cancelled because the store can not be reached: most outages are short, and
// hours of an agent's work are worth more than the small risk of doing a job
// twice.
func (d *Dispatcher) keepLeases(ctx context.Context) {
	var retry backoff
	var said complaint
	recovered := time.Now()
	wait := d.renewEvery()
	stopping := d.stopping
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-stopping:
			timer.Stop()
			stopping = nil
		case <-timer.C:
		}
		err := d.renew(ctx)
		// Only behind a renewal that worked: after a sleep of the machine our
		// own leases have ended too, and must not be taken for a dead host's.
		if err == nil && !d.leaving() && time.Since(recovered) >= d.recoverEvery() {
			recovered = time.Now()
			err = d.giveBack(ctx, d.opts.Now())
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			d.fence()
		}
		switch news := said.news(err); {
		case err != nil && news:
			d.log.Warn("leases can not be kept, trying again", "error", err)
		case news:
			d.log.Info("leases are kept again")
		}
		wait = d.renewEvery()
		if err != nil {
			wait = min(wait, retry.next())
		} else {
			retry.reset()
		}
		if next := d.nextFence(); err != nil && !next.IsZero() {
			wait = min(wait, max(0, time.Until(next)))
		}
	}
}

// recoverEvery is how often runs of hosts that died are looked for. Where there
// are others, their jobs wait for it.
func (d *Dispatcher) recoverEvery() time.Duration {
	if d.opts.Fence {
		return d.opts.Lease / 3
	}
	return d.opts.Lease
}

// fence ends the runs whose lease was not renewed for so long that they have to
// go. Whether one that has ended by itself was still this host's, the store tells.
func (d *Dispatcher) fence() {
	if !d.opts.Fence {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, a := range d.active {
		if a.mayBeFenced() && !time.Now().Before(d.fenceOf(a)) {
			a.fenced = true
			d.log.Warn("run is ended: its lease could not be kept", "agent", a.claimed.Job.Agent, "run", id)
			a.cancel(ErrUnkept)
		}
	}
}

// nextFence is when a run has to go unless its lease is renewed; zero for never.
func (d *Dispatcher) nextFence() (next time.Time) {
	if !d.opts.Fence {
		return next
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.active {
		if at := d.fenceOf(a); a.mayBeFenced() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

func (a *active) mayBeFenced() bool { return !a.ended && !a.isLost && !a.fenced }

func (d *Dispatcher) fenceOf(a *active) time.Time { return a.kept.Add(d.opts.Lease - d.endMargin()) }

// isFenced says whether it is too late for a run to begin, or to go on.
func (d *Dispatcher) isFenced(a *active) bool {
	d.mu.Lock() // the keeper may have renewed it already
	defer d.mu.Unlock()
	return !time.Now().Before(d.fenceOf(a))
}

// endMargin is how long before the end of its lease a run is told to end.
func (d *Dispatcher) endMargin() time.Duration { return min(endWithin, d.opts.Lease/3) }

func (d *Dispatcher) renew(ctx context.Context) error {
	d.mu.Lock()
	runs := make([]string, 0, len(d.active))
	for id, a := range d.active {
		if !a.isLost {
			runs = append(runs, id)
		}
	}
	d.mu.Unlock()
	if len(runs) == 0 {
		return nil
	}
	patience := min(storeTimeout, d.opts.Lease/3)
	if next := d.nextFence(); !next.IsZero() {
		patience = min(patience, max(time.Until(next), lastPatience))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	renewed, err := d.opts.Store.Renew(ctx, runs, d.opts.Now().Add(d.opts.Lease))
	if err != nil {
		return err
	}
	for id, reason := range renewed.Cancelled {
		d.CancelRun(id, reason)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range runs {
		if a := d.active[id]; a != nil {
			a.kept = began
		}
	}
	for _, id := range renewed.Lost {
		// One that was recorded while the store looked is not lost.
		if a := d.active[id]; a != nil && !a.isLost {
			a.isLost = true
			close(a.lost)
			a.cancel(ErrLost)
		}
	}
	return nil
}

// recoverAtStart gives the jobs of lost runs back before anything is claimed.
// It tells whether that worked before the dispatcher was stopped.
func (d *Dispatcher) recoverAtStart(ctx context.Context) bool {
	var retry backoff
	var said complaint
	for {
		now := d.opts.Now()
		before := now
		if d.opts.Exclusive {
			before = now.AddDate(100, 0, 0) // whatever a wrong clock has written
		}
		err := d.giveBack(ctx, before)
		if err == nil {
			return true
		}
		if said.news(err) {
			d.log.Warn("lost runs can not be recovered, trying again", "error", err)
		}
		timer := time.NewTimer(retry.next())
		select {
		case <-d.stopping:
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

// giveBack takes all runs for lost whose lease ended before a time, but those of
// hosts that live: of the others that do, and of those that are named.
func (d *Dispatcher) giveBack(ctx context.Context, leaseEndedBefore time.Time, living ...string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if d.opts.Living != nil {
		others, err := d.opts.Living()
		if err != nil {
			return err
		}
		living = append(living, others...)
	}
	r, err := d.opts.Store.Recover(ctx, store.Recovery{
		At: d.opts.Now(), LeaseEndedBefore: leaseEndedBefore, Living: living, MaxAttempts: d.opts.MaxAttempts,
	})
	if err != nil {
		return err
	}
	for _, run := range r.Lost {
		d.log.Warn("run was lost with its host, its job went back", "agent", run.Agent, "run", run.ID,
			"job", run.Job, "attempt", run.Attempt, "lost_host", run.Host)
		if slices.Contains(r.Dead, run.Job) {
			d.metrics.jobEnded(run.Agent, job.Dead)
		}
	}
	for _, id := range r.Dead {
		d.log.Error("job is dead, its runs were lost too often", "job", id, "max_attempts", d.opts.MaxAttempts)
	}
	if len(r.Lost) > 0 {
		d.Wake()
	}
	return nil
}
