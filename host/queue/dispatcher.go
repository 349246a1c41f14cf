// Package queue runs the jobs that wait in the store. The dispatcher claims a
// job whenever there may be room, executes it, keeps its lease while it runs
// and records how it ended.
//
// It holds no queue of its own: which job is next and whether a limit leaves
// room for it are decided by the store, in the transaction that starts the
// run, so that several hosts on one store keep the limits together. It does
// not know what a run is either; Options.Execute does.
//
// A job is run at least once. Its result is recorded at most once: a run whose
// lease was lost records nothing.
package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/scrape"
	"github.com/action-llama/gateway/host/store"
)

// The causes with which the context of a run is cancelled; see context.Cause.
var (
	ErrShutdown = errors.New("the host stops")
	ErrKilled   = errors.New("killed")
	ErrLost     = errors.New("the run was given back to the queue")
	ErrUnkept   = errors.New("the host could not keep the run's lease: the store was out of its reach")
)

// killed is an ErrKilled that says why.
type killed struct{ reason string }

func (k killed) Error() string        { return k.reason }
func (k killed) Is(target error) bool { return target == ErrKilled }

const (
	defaultLease       = 30 * time.Second
	defaultMaxAttempts = 2

	// pollEvery finds what no wake-up told of: jobs that another host queued
	// or gave back. Within one host, wake-ups do all the work, and a timer for
	// what waits for a time.
	pollEvery = 3 * time.Second

	// storeTimeout bounds one call of the store, far above what a commit
	// takes on a slow disk.
	storeTimeout = 10 * time.Second

	// endWithin is what a run has to end after its context is cancelled: the
	// 10 s between SIGTERM and SIGKILL, and some to collect and record.
	endWithin = 15 * time.Second

	// giveUpWithin is for runs to notice that recording was given up.
	giveUpWithin = time.Second
)

// Store is what the dispatcher needs of the store.
type Store interface {
	Claim(ctx context.Context, c store.Claim) (*store.Claimed, error)
	Due(ctx context.Context) (time.Time, error)
	Renew(ctx context.Context, runs []string, until time.Time) (store.Renewed, error)
	Cancel(ctx context.Context, agentOrRun, reason string) ([]string, error)
	Finish(ctx context.Context, f store.Finish) error
	Release(ctx context.Context, run, reason string, at time.Time) error
	Recover(ctx context.Context, r store.Recovery) (store.Recovered, error)
}

// Result is how a run ended.
type Result struct {
	// State is job.Done or job.Failed, or job.Waiting for a run that was
	// interrupted because its context was cancelled with ErrShutdown: its job
	// goes back to the head of its queue.
	State    job.State
	ExitCode int
	Reason   string // for people: why it failed
	// Launched is when its first process was started; zero when none was.
	Launched time.Time
	// Unstarted says of job.Waiting that nothing was run, though nobody stopped
	// it. Whoever returns it sees to it that the job is not claimed again at once.
	Unstarted bool
}

// Options of a dispatcher. Store and Execute are required.
type Options struct {
	Store Store
	// Execute runs a job to its end. It must return soon (see Stop) after its
	// context is cancelled, whose cause is one of the errors of this package.
	Execute func(ctx context.Context, c store.Claimed) Result
	// Retry says when a job whose run failed is to be tried again, or zero for
	// never. It is asked with the job as it was when the run began: Failures
	// counts those before. Nil never retries.
	Retry func(j job.Job, failedAt time.Time) time.Time
	// Host names this host in the records of its runs.
	Host string
	Log  hclog.Logger
	// Registerer takes the metrics of all runs together, and Board those of each
	// agent. Nil means none are shown.
	Registerer prometheus.Registerer
	Board      *scrape.Board

	// Lease is for how long a run belongs to this host without a sign of
	// life. It is renewed three times as often. Short leases give the jobs of
	// a dead host back sooner, long ones outlast a longer outage of the store.
	// Defaults to 30 s.
	Lease time.Duration
	// MaxAttempts is how many runs of a job may be lost with their host before
	// it is dead. Defaults to 2.
	MaxAttempts int
	// Exclusive says that no other host uses the store but those that Living
	// names: every other run it holds at the start is lost, whatever its lease.
	Exclusive bool
	// Living names hosts that are known to be alive besides this one, such as
	// one that has handed over and finishes its runs. Their runs are never taken
	// for lost. Nil knows of none.
	Living func() ([]string, error)
	// Labels are those of this host; jobs of agents that ask for others are
	// left to others. Nil has none.
	Labels func() []string
	// Fence ends runs whose lease could not be renewed, early enough for them
	// to be over when it ends: from then on another host may run their jobs.
	// Without it they go on, for there is none that could.
	Fence bool
	// Now tells the wall clock. Defaults to time.Now.
	Now func() time.Time
}

// Dispatcher runs jobs. Its methods may be called at any time, from anywhere.
type Dispatcher struct {
	opts    Options
	log     hclog.Logger
	metrics *metrics
	wake    chan struct{} // holds one wake-up

	// turn is held while a run is claimed, and from Hold to Resume.
	turn chan struct{}

	stopping chan struct{} // closed by the first Stop
	hurry    chan struct{} // a later Stop moved the deadline forward
	done     chan struct{} // closed when Run returns
	work     sync.WaitGroup

	mu       sync.Mutex
	started  bool
	deadline time.Time // of the grace; zero until Stop
	active   map[string]*active
}

// New returns a dispatcher that does nothing until Run is called.
func New(o Options) (*Dispatcher, error) {
	if o.Store == nil || o.Execute == nil {
		return nil, errors.New("queue: store and execute are required")
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Lease <= 0 {
		o.Lease = defaultLease
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = defaultMaxAttempts
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Labels == nil {
		o.Labels = func() []string { return nil }
	}
	m, err := newMetrics(o.Registerer, o.Board)
	if err != nil {
		return nil, fmt.Errorf("queue: register metrics: %w", err)
	}
	return &Dispatcher{
		opts:     o,
		log:      o.Log,
		metrics:  m,
		wake:     make(chan struct{}, 1),
		turn:     make(chan struct{}, 1),
		stopping: make(chan struct{}),
		hurry:    make(chan struct{}, 1),
		done:     make(chan struct{}),
		active:   make(map[string]*active),
	}, nil
}

// Wake says that there may be work or room for it: a job was accepted, or the
// limits changed. It never blocks, and many calls may cost one look.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // the look that is due will see this change too
	}
}

// Run dispatches until Stop is called or the context is cancelled, which is a
// Stop without grace. It returns when every run has ended and is recorded, or
// an error that names the runs that did not end in time; their leases bring
// their jobs back.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.mu.Lock()
	again := d.started
	d.started = true
	d.mu.Unlock()
	if again {
		return errors.New("queue: run was called twice")
	}
	defer close(d.done)

	// The store is needed for as long as there are runs to record, which is
	// longer than ctx lives.
	storeCtx, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	keeperCtx, stopKeeper := context.WithCancel(storeCtx)
	var keeper sync.WaitGroup
	defer keeper.Wait()
	defer stopKeeper()

	recovered := make(chan struct{})
	keeper.Go(func() {
		select {
		case <-recovered:
			d.keepLeases(keeperCtx)
		case <-keeperCtx.Done():
		}
	})
	d.work.Go(func() {
		if d.recoverAtStart(storeCtx) {
			close(recovered)
			d.claimLoop(storeCtx)
		}
	})

	select {
	case <-d.stopping:
	case <-ctx.Done():
		d.requestStop(0)
	}
	idle := make(chan struct{})
	go func() {
		d.work.Wait()
		close(idle)
	}()
	d.awaitGrace(ctx, idle)
	d.cancelAll()
	if !within(endWithin, idle) {
		giveUp()
		within(giveUpWithin, idle)
	}
	return d.leftOver()
}

// Stop ends the dispatcher: no new runs from now on, those under way have the
// grace to finish, are then cancelled with ErrShutdown and have 15 s to end;
// their jobs return to the queue. Stop returns when Run does. A second Stop
// may shorten the grace of the first.
func (d *Dispatcher) Stop(grace time.Duration) {
	if d.requestStop(grace) {
		<-d.done
	}
}

func (d *Dispatcher) requestStop(grace time.Duration) (started bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	deadline := time.Now().Add(grace)
	if d.deadline.IsZero() {
		close(d.stopping)
	}
	if d.deadline.IsZero() || deadline.Before(d.deadline) {
		d.deadline = deadline
		select {
		case d.hurry <- struct{}{}:
		default:
		}
	}
	return d.started
}

// awaitGrace returns when all work is done or its grace is over.
func (d *Dispatcher) awaitGrace(ctx context.Context, idle <-chan struct{}) {
	for {
		d.mu.Lock()
		left := time.Until(d.deadline)
		d.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-idle:
			timer.Stop()
			return
		case <-timer.C:
			return
		case <-d.hurry:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// within waits for an end, and tells whether it came in time.
func within(limit time.Duration, end <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-end:
		return true
	case <-timer.C:
		return false
	}
}

func (d *Dispatcher) leftOver() error {
	var ids []string
	for _, run := range d.Active() {
		ids = append(ids, run.Agent+"/"+run.ID)
	}
	if len(ids) == 0 {
		return nil
	}
	return fmt.Errorf("queue: %d runs did not end or could not be recorded in time: %s", len(ids), strings.Join(ids, ", "))
}

// claimLoop starts runs until the dispatcher stops.
func (d *Dispatcher) claimLoop(ctx context.Context) {
	var retry backoff
	var said complaint
	for {
		err := d.claimAll(ctx)
		switch news := said.news(err); {
		case err != nil && news:
			d.log.Warn("jobs can not be claimed, trying again", "error", err)
		case news:
			d.log.Info("jobs can be claimed again")
		}
		wait, wake := pollEvery, d.wake
		if err == nil {
			wait, err = d.untilDue(ctx)
		}
		if err != nil {
			wait, wake = retry.next(), nil // a wake-up does not mend a store
		} else {
			retry.reset()
		}
		timer := time.NewTimer(wait)
		select {
		case <-d.stopping:
			timer.Stop()
			return
		case <-wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// claimAll claims until there is nothing to claim, or no room.
func (d *Dispatcher) claimAll(ctx context.Context) error {
	for {
		select {
		case <-d.stopping:
			return nil
		default:
		}
		select {
		case <-d.stopping:
			return nil
		case d.turn <- struct{}{}:
		}
		began := time.Now()
		c, err := d.claim(ctx)
		if err == nil && c != nil {
			d.start(ctx, *c, began)
		}
		<-d.turn
		if err != nil || c == nil {
			return err
		}
	}
}

// claim is not interrupted by a Stop: the store might have started the run
// already, and would count it as lost with its host. That is also what becomes
// of a run whose claim took too long to be told of; its lease is not renewed.
func (d *Dispatcher) claim(ctx context.Context) (*store.Claimed, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	now := d.opts.Now()
	return d.opts.Store.Claim(ctx, store.Claim{
		Host: d.opts.Host, At: now, Until: now.Add(d.opts.Lease), Run: job.NewID(now), Labels: d.opts.Labels(),
	})
}

// untilDue returns for how long there will be nothing to claim, as far as this
// host can tell.
func (d *Dispatcher) untilDue(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	due, err := d.opts.Store.Due(ctx)
	if err != nil || due.IsZero() {
		return pollEvery, err
	}
	// What is due already could not be claimed: there is no room for it, and
	// room comes with a wake-up.
	left := due.Sub(d.opts.Now())
	if left <= 0 {
		return pollEvery, nil
	}
	return min(left, pollEvery), nil
}

// Kill ends a run, or the runs of an agent, on whichever host they are, and
// returns their ids. Their jobs are failed and not tried again.
func (d *Dispatcher) Kill(ctx context.Context, agentOrRun, reason string) ([]string, error) {
	ids, err := d.opts.Store.Cancel(ctx, agentOrRun, reason)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		d.CancelRun(id, reason)
	}
	return ids, nil
}

// CancelRun ends a run of this host which the store knows is to be ended. The
// runs of other hosts end when these renew their leases.
func (d *Dispatcher) CancelRun(id, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.active[id]; a != nil && !a.ended {
		a.cancel(killed{reason})
	}
}

// Active returns the runs under way, the longest running first. A run counts
// until its result is recorded.
func (d *Dispatcher) Active() []job.Run {
	d.mu.Lock()
	runs := make([]job.Run, 0, len(d.active))
	for _, a := range d.active {
		runs = append(runs, a.claimed.Run)
	}
	d.mu.Unlock()
	slices.SortFunc(runs, func(a, b job.Run) int { return strings.Compare(a.ID, b.ID) })
	return runs
}

func (d *Dispatcher) cancelAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.active {
		a.cancel(ErrShutdown)
	}
}
