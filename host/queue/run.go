package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/logline"
	"github.com/action-llama/gateway/host/store"
)

// How a run ended, in logs and metrics.
const (
	outcomeDone     = string(job.Done)
	outcomeFailed   = string(job.Failed)
	outcomeKilled   = "killed"   // by the operator, or for a newer event
	outcomeReleased = "released" // the host stopped or lost the store, or its agent is gone
	outcomeLost     = "lost"     // not ours any more, or not recorded
)

// active is a run under way, from its claim until its result is recorded.
type active struct {
	claimed store.Claimed
	cancel  context.CancelCauseFunc
	// lost is closed when the store says that the run is another's. It tells
	// what the cause of a context can not when a kill came first.
	lost chan struct{}

	// Guarded by Dispatcher.mu.
	ended  bool // Execute has returned
	isLost bool
	fenced bool      // was told to end, for want of a lease
	kept   time.Time // when its lease was last known to begin, by the steady clock
}

// start owns a run from here on, whose claim began at a time.
func (d *Dispatcher) start(storeCtx context.Context, c store.Claimed, began time.Time) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(storeCtx))
	a := &active{claimed: c, cancel: cancel, lost: make(chan struct{}), kept: began}
	d.mu.Lock()
	d.active[c.Run.ID] = a
	stopping := !d.deadline.IsZero()
	d.mu.Unlock()

	d.work.Go(func() {
		defer cancel(nil)
		var recorded bool
		switch {
		case stopping: // claimed while Stop was called
			recorded = d.record(storeCtx, a, Result{State: job.Waiting, Reason: ErrShutdown.Error()}, time.Time{})
		case d.opts.Fence && d.isFenced(a): // the answer took so long that it is another's by now, or soon
			recorded = d.record(storeCtx, a, Result{State: job.Waiting, Reason: ErrUnkept.Error()}, time.Time{})
		default:
			recorded = d.supervise(ctx, storeCtx, a)
		}
		if !recorded && storeCtx.Err() != nil {
			return // stays, for Run to tell of it
		}
		d.mu.Lock()
		delete(d.active, c.Run.ID)
		d.mu.Unlock()
		d.Wake() // there is room now
	})
}

// supervise executes a job and reports whether its end was recorded.
func (d *Dispatcher) supervise(ctx, storeCtx context.Context, a *active) bool {
	c := a.claimed
	log := d.log.With(about(c)...)
	log.Info("run started", "waited", logline.Took(max(0, c.Run.StartedAt.Sub(c.Job.QueuedAt))))
	began := time.Now() // keeps the monotonic clock, which opts.Now may not
	d.metrics.started(c)

	result := d.execute(ctx, a)
	if !result.Launched.IsZero() {
		d.metrics.starting.Observe(max(0, result.Launched.Sub(began)).Seconds())
	}

	d.mu.Lock()
	a.ended = true
	result, outcome := judge(result, context.Cause(ctx))
	d.mu.Unlock()
	took := time.Since(began)

	var retryAt time.Time
	if outcome == outcomeFailed && d.opts.Retry != nil {
		retryAt = d.opts.Retry(c.Job, d.opts.Now())
	}
	recorded := outcome != outcomeLost && d.record(storeCtx, a, result, retryAt)
	switch {
	case !recorded:
		outcome = outcomeLost
	case result.State != job.Waiting && retryAt.IsZero():
		d.metrics.jobEnded(c.Job.Agent, result.State)
	}
	d.metrics.ended(c, outcome, took)
	fields := []any{"outcome", outcome, "duration", logline.Took(took), "exit_code", result.ExitCode}
	if result.Reason != "" {
		fields = append(fields, "reason", logline.Sentence(result.Reason))
	}
	if recorded && !retryAt.IsZero() {
		fields = append(fields, "retry_at", retryAt.UTC().Format(time.RFC3339))
	}
	log.Info("run ended", fields...)
	return recorded
}

// about is what the lines of a run say of it. What a stranger wrote is bounded,
// and what is not known left out.
func about(c store.Claimed) []any {
	args := []any{"agent", c.Job.Agent, "run", c.Run.ID, "job", c.Job.ID, "attempt", c.Job.Attempt, "trigger", c.Job.Trigger}
	text := func(key, value string) {
		if value != "" {
			args = append(args, key, value)
		}
	}
	text("receipt", c.Job.Receipt)
	text("provider", c.Job.Provider)
	text("source", c.Job.Source)
	text("event", logline.Text(c.Job.Event))
	text("delivery_id", logline.Text(c.Job.DeliveryID))
	if c.Job.Merged > 0 {
		args = append(args, "merged", c.Job.Merged)
	}
	return args
}

// execute contains a panic: one job must not take the others down. What was
// thrown may quote a payload, so only a runtime error's text is told.
func (d *Dispatcher) execute(ctx context.Context, a *active) (r Result) {
	defer func() {
		if thrown := recover(); thrown != nil {
			what := fmt.Sprintf("%T", thrown)
			if re, ok := thrown.(runtime.Error); ok {
				what = re.Error()
			}
			d.log.Error("execute panicked", "agent", a.claimed.Job.Agent, "run", a.claimed.Run.ID,
				"panic", what, "stack", string(debug.Stack()))
			r = Result{State: job.Failed, ExitCode: -1, Reason: "internal error: panic while the job ran"}
		}
	}()
	return d.opts.Execute(ctx, a.claimed)
}

// judge weighs what a run says of itself against why it was cancelled.
func judge(r Result, cause error) (Result, string) {
	switch {
	case errors.Is(cause, ErrLost):
		return r, outcomeLost
	case errors.Is(cause, ErrKilled):
		return Result{State: job.Failed, ExitCode: r.ExitCode, Reason: cause.Error()}, outcomeKilled
	case (errors.Is(cause, ErrShutdown) || errors.Is(cause, ErrUnkept)) && r.State != job.Done:
		return Result{State: job.Waiting, ExitCode: r.ExitCode, Reason: cause.Error()}, outcomeReleased
	case r.State == job.Waiting && r.Unstarted:
		return r, outcomeReleased
	case r.State == job.Done:
		return r, outcomeDone
	case r.State == job.Failed:
		return r, outcomeFailed
	default:
		// A job that is given back for no reason would come straight back.
		return Result{State: job.Failed, ExitCode: r.ExitCode, Reason: fmt.Sprintf("internal error: run ended as %q", r.State)}, outcomeFailed
	}
}

// record writes the result down, and tries for as long as the store is down
// and the run is ours; its lease is renewed meanwhile. It reports whether the
// store took it.
func (d *Dispatcher) record(ctx context.Context, a *active, r Result, retryAt time.Time) bool {
	ended := d.opts.Now()
	log := d.log.With("agent", a.claimed.Job.Agent, "run", a.claimed.Run.ID)
	var retry backoff
	var said complaint
	for {
		err := d.recordOnce(ctx, a.claimed.Run.ID, r, ended, retryAt)
		switch {
		case err == nil:
			if said.news(nil) {
				log.Info("run recorded at last")
			}
			return true
		case errors.Is(err, store.ErrLost):
			return false
		case errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrNotFound):
			log.Error("run not recorded", "error", err)
			return false
		case said.news(err):
			log.Warn("run not recorded yet, trying again", "error", err)
		}
		timer := time.NewTimer(retry.next())
		select {
		case <-timer.C:
		case <-a.lost:
			timer.Stop()
			return false
		case <-ctx.Done():
			timer.Stop()
			log.Error("run not recorded before the host stopped, its job will be run again", "error", err)
			return false
		}
	}
}

func (d *Dispatcher) recordOnce(ctx context.Context, run string, r Result, ended, retryAt time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if r.State == job.Waiting {
		return d.opts.Store.Release(ctx, run, r.Reason, ended)
	}
	return d.opts.Store.Finish(ctx, store.Finish{Run: run, State: r.State, ExitCode: r.ExitCode, Reason: r.Reason, At: ended, RetryAt: retryAt})
}
