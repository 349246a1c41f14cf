package cron

import (
	"container/heap"
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
	"github.com/action-llama/gateway/host/store"
)

const (
	// goodFor is how late a tick may be. It covers a busy machine and a store
	// that restarts; beyond, a person would not expect it any more.
	goodFor = time.Minute

	// lookEvery bounds how long the wall clock goes unread: timers stand still
	// while the machine sleeps, and do not see the clock being set.
	lookEvery = 30 * time.Second

	acceptTimeout = 10 * time.Second // far above a commit on a slow disk
	retryEvery    = 2 * time.Second  // a store that is down, within goodFor
)

// Entry is the schedule of an agent.
type Entry struct {
	Agent    string
	Schedule Schedule
	Source   string // the expression, for logs and to see whether it changed
	// Jitter spreads the ticks over so much time after their own.
	Jitter time.Duration
	// CatchUp makes up for the newest tick that nobody was there for.
	CatchUp bool
	// Apply says in a tick's job how it goes through the queue. May be nil.
	Apply func(*store.NewJob)
}

// Options of a scheduler. Accept is required.
type Options struct {
	// Accept is the store's.
	Accept func(context.Context, store.Acceptance) (store.Accepted, error)
	// Wake tells the queue that a job was accepted.
	Wake func()
	Log  hclog.Logger
	// Registerer takes the metrics of ticks. Nil means none are kept.
	Registerer prometheus.Registerer
	// LastTicks tells the latest tick of each agent that any host asked for.
	// It is needed for schedules with CatchUp.
	LastTicks func(context.Context) (map[string]time.Time, error)
	// Now tells the wall clock. Defaults to time.Now.
	Now func() time.Time
}

// Scheduler ticks. Its methods may be called at any time, from anywhere.
type Scheduler struct {
	opts    Options
	metrics metrics
	changed chan struct{} // holds one notice of new schedules
	turn    chan struct{} // held while ticks are taken, and from Hold to Resume

	mu      sync.Mutex
	started bool
	agents  map[string]*ticker
	due     tickers // those that have a next tick, the soonest first
}

// New returns a scheduler without schedules.
func New(o Options) (*Scheduler, error) {
	if o.Accept == nil {
		return nil, errors.New("cron: accept is required")
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("cron: register metrics: %w", err)
	}
	return &Scheduler{opts: o, metrics: m, changed: make(chan struct{}, 1), turn: make(chan struct{}, 1), agents: make(map[string]*ticker)}, nil
}

// SetSchedules replaces all schedules. An agent whose schedule is as before
// keeps its next tick; a new schedule counts from now.
func (s *Scheduler) SetSchedules(entries []Entry) { s.SetSchedulesSince(s.opts.Now(), entries) }

// SetSchedulesSince does the same, and new schedules count from a time before:
// when the scheduler before this one may have ticked last. Of what that has asked
// the store for, asking again is a repeat.
func (s *Scheduler) SetSchedulesSince(now time.Time, entries []Entry) {
	s.mu.Lock()
	agents := make(map[string]*ticker, len(entries))
	for _, e := range entries {
		t := &ticker{Entry: e, index: -1}
		if old := s.agents[e.Agent]; old != nil {
			t.last = old.last
			if old.Source == e.Source && old.Schedule.same(e.Schedule) {
				t.set(old.next)
			}
		}
		if t.next.IsZero() {
			t.begin(now)
		}
		agents[e.Agent] = t
		s.metrics.create(e.Agent)
	}
	for agent := range s.agents {
		if agents[agent] == nil {
			s.metrics.drop(agent)
		}
	}
	s.agents = agents
	s.sort()
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// sort builds the heap anew.
func (s *Scheduler) sort() {
	s.due = s.due[:0]
	for _, t := range s.agents {
		t.index = -1
		if !t.next.IsZero() {
			t.index = len(s.due)
			s.due = append(s.due, t)
		}
	}
	heap.Init(&s.due)
}

// Next returns when an agent ticks next, with its jitter, or zero when it has no
// schedule.
func (s *Scheduler) Next(agent string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.agents[agent]; t != nil {
		return t.due
	}
	return time.Time{}
}

// Hold keeps the scheduler from ticking until Resume, and returns when no tick is
// on its way to the store. What is due meanwhile is late then, as after a sleep.
func (s *Scheduler) Hold(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Resume ends a Hold.
func (s *Scheduler) Resume() { <-s.turn }

// Run ticks until the context is cancelled.
func (s *Scheduler) Run(ctx context.Context) error {
	s.mu.Lock()
	again := s.started
	s.started = true
	s.mu.Unlock()
	if again {
		return errors.New("cron: run was called twice")
	}

	var open []tick // due, but not yet in the store
	var failing string
	missed := s.opts.LastTicks != nil // not looked for yet
	seen := s.opts.Now()
	for {
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		now := s.opts.Now()
		if seen.Sub(now) > maxShift {
			// So far back that it was a correction, as cron(8) has it. Ticks
			// that come a second time have the key of the first.
			s.opts.Log.Warn("the clock was set back, schedules count from the new time", "from", seen, "to", now)
			s.restart(now)
		}
		seen = now

		open = s.still(now, open, s.takeDue(now))
		var unread error
		if missed {
			open, unread = s.addMissed(ctx, now, open)
			missed = unread != nil
		}
		err := s.accept(ctx, now, open)
		<-s.turn
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop: what it interrupted is no failure
		}
		if err == nil {
			open = nil
		}
		wait := min(lookEvery, s.untilNext())
		if err = errors.Join(unread, err); err == nil {
			failing = ""
		} else {
			if err.Error() != failing {
				failing = err.Error()
				s.opts.Log.Warn("ticks can not be queued, trying again", "ticks", len(open), "error", err)
			}
			wait = retryEvery
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// tick of an agent that is due.
type tick struct {
	agent string
	at    time.Time
	apply func(*store.NewJob)
	// missed: it is late already, and good until a newer one comes.
	missed bool
}

// takeDue returns the ticks that are due and moves their agents on. Of several
// ticks of one agent the latest counts.
func (s *Scheduler) takeDue(now time.Time) []tick {
	var ticks []tick
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.due) > 0 && !s.due[0].due.After(now) {
		t := s.due[0]
		first := t.next
		at, good := t.take(now)
		made := false
		if !good && t.CatchUp {
			at = t.missed(first.Add(-1), now)
			made = !at.IsZero()
		}
		if good || made {
			ticks = append(ticks, tick{agent: t.Agent, at: at, apply: t.Apply, missed: made})
		} else {
			s.opts.Log.Info("tick missed, waiting for the next", "agent", t.Agent, "tick", first, "next", t.due)
		}
		if t.next.IsZero() {
			heap.Remove(&s.due, t.index)
		} else {
			heap.Fix(&s.due, t.index)
		}
	}
	return ticks
}

// addMissed adds the ticks that came while no host was there, for the agents
// that want to make up for the newest. It is done once, at the start; an agent
// that never ticked has missed nothing.
func (s *Scheduler) addMissed(ctx context.Context, now time.Time, open []tick) ([]tick, error) {
	wanted := s.catchingUp(open)
	if len(wanted) == 0 {
		return open, nil
	}
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	last, err := s.opts.LastTicks(ctx)
	if err != nil {
		return open, fmt.Errorf("look for missed ticks: %w", err)
	}
	for _, e := range wanted {
		if last[e.Agent].IsZero() {
			continue
		}
		if at := e.missed(last[e.Agent], now); !at.IsZero() {
			s.opts.Log.Info("making up for a missed tick", "agent", e.Agent, "tick", at)
			open = append(open, tick{agent: e.Agent, at: at, apply: e.Apply, missed: true})
		}
	}
	return open, nil
}

// catchingUp lists those that make up for missed ticks and have none to ask for.
func (s *Scheduler) catchingUp(open []tick) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	for _, t := range s.agents {
		if t.CatchUp && !slices.ContainsFunc(open, func(o tick) bool { return o.agent == t.Agent }) {
			out = append(out, t.Entry)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Agent, b.Agent) })
	return out
}

// still returns what is worth asking the store for: the new ticks, and the
// open ones that are still good and that no newer tick replaces.
func (s *Scheduler) still(now time.Time, open, fresh []tick) []tick {
	s.mu.Lock()
	defer s.mu.Unlock()
	open = slices.DeleteFunc(open, func(t tick) bool {
		if slices.ContainsFunc(fresh, func(f tick) bool { return f.agent == t.agent }) || s.agents[t.agent] == nil {
			return true
		}
		late := !t.missed && now.Sub(s.agents[t.agent].fires(t.at)) > goodFor
		if late {
			s.opts.Log.Warn("tick missed, it could not be queued in time", "agent", t.agent, "tick", t.at)
		}
		return late
	})
	return append(open, fresh...)
}

// accept asks the store for the jobs of all ticks in one commit.
func (s *Scheduler) accept(ctx context.Context, now time.Time, ticks []tick) error {
	a := store.Acceptance{At: now}
	for _, t := range ticks {
		j := store.NewJob{
			Agent:      t.agent,
			Trigger:    job.Schedule,
			Key:        "tick/" + t.at.UTC().Format(time.RFC3339), // the same on every host
			OnlyIfFree: true,
			Tick:       t.at,
		}
		if t.apply != nil {
			t.apply(&j)
		}
		a.Jobs = append(a.Jobs, j)
	}
	var verdicts []store.Verdict
	if len(ticks) > 0 {
		ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
		defer cancel()
		accepted, err := s.opts.Accept(ctx, a)
		if err != nil {
			return err
		}
		if verdicts = accepted.Verdicts; len(verdicts) != len(ticks) {
			return fmt.Errorf("the store judged %d of %d ticks", len(verdicts), len(ticks))
		}
	}
	started := false
	for i, t := range ticks {
		log := s.opts.Log.With("agent", t.agent, "tick", t.at)
		switch verdicts[i] {
		case store.Enqueued:
			started = true
			s.metrics.count(t.agent, outcomeStarted)
			log.Debug("tick started a job")
		case store.Paused:
			s.metrics.count(t.agent, outcomePaused)
			log.Debug("tick let go by, its agent is paused")
		case store.Busy, store.Limited:
			s.metrics.count(t.agent, outcomeSkipped)
			log.Info("tick skipped, its agent has no slot, or no budget, free for it")
		case store.Duplicate:
			log.Debug("tick was another host's")
		default: // the others are not for what is only taken when it can start
		}
	}
	if started {
		s.opts.Wake()
	}
	return nil
}

func (s *Scheduler) untilNext() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.due) == 0 {
		return lookEvery
	}
	return s.due[0].due.Sub(s.opts.Now())
}

// restart makes all schedules count from a new time.
func (s *Scheduler) restart(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.agents {
		t.last = time.Time{}
		t.begin(now)
	}
	s.sort()
}

// same tells whether two schedules with one source tick alike.
func (s Schedule) same(o Schedule) bool {
	return (s.loc == nil) == (o.loc == nil) && (s.loc == nil || s.loc.String() == o.loc.String())
}
