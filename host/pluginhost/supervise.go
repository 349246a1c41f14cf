package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// State of a provider.
type State string

const (
	Starting State = "starting" // its first launch is under way
	Up       State = "up"       // it answers
	Backoff  State = "backoff"  // it died or did not start, and is tried again soon
	Failing  State = "failing"  // the same, for the fifth time in a row or without hope
	Stopped  State = "stopped"  // by Stop, or removed
)

// quickDeaths in a row are not bad luck any more.
const quickDeaths = 5

// Status is what `al stat` shows of a provider.
type Status struct {
	Type      string
	Version   string // of the last one that answered
	Protocol  int    // the version that it and the host speak
	Path      string
	State     State
	PID       int // 0 while there is no process
	Restarts  int
	LastError string    // why it died or did not start the last time
	Since     time.Time // when the state began
	// NotReplaced is why the file that is there now did not take the place of
	// the process that runs, and NotReplacedAt when that was tried.
	NotReplaced   string
	NotReplacedAt time.Time
}

// supervise keeps one process of the provider running until ctx is done. It is
// the only one that launches, so two callers who find the provider dead can not
// start it twice.
func (p *Provider) supervise(ctx context.Context) {
	defer close(p.done)
	defer p.end()
	defer p.enter(Stopped, nil)
	defer p.retiring.Wait()
	var asked *order // who asked for the next launch is told of it
	for deaths := 0; ; {
		in, err := p.launch(ctx)
		if err == nil && in.file != p.served && p.served != (fileID{}) {
			// Not the file that died: it has to show what one shows that is to
			// replace a process.
			if err = p.host.try(ctx, in); err != nil {
				p.discardFor(ctx, in, err)
			}
		}
		launched := err == nil
		if launched {
			p.publish(in)
			p.told(asked, nil)
			if in, err = p.serve(ctx, in); err == nil {
				p.stopErr = p.retire(in, p.host.timing.drain)
				return
			}
			if time.Since(in.up) >= p.host.timing.healthy {
				deaths = -1 // this one was bad luck; the next launch comes at once
			}
		}
		if ctx.Err() != nil {
			p.told(asked, err)
			return
		}
		deaths++
		delay := p.host.timing.delay(deaths, launched)
		hopeless := errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnusable)
		if hopeless {
			delay = min(delay, p.host.timing.lookAgain) // somebody may be installing it
		}
		state := Backoff
		if hopeless || deaths >= quickDeaths {
			state = Failing
		}
		p.enter(state, func(s *Status) { s.LastError = err.Error() })
		if !launched {
			p.logFailure(state, err, delay)
			p.told(asked, err)
		}
		asked = nil
		select {
		case <-time.After(delay):
		case asked = <-p.orders:
		case <-ctx.Done():
			return
		}
		p.restarts()
	}
}

// told tells those who wait for a launch what became of it.
func (p *Provider) told(asked *order, err error) {
	select {
	case <-p.first:
	default:
		p.firstErr = err
		close(p.first)
	}
	asked.answer(Replacement{Type: p.typ, Version: p.Describe().Version, Replaced: err == nil}, err)
}

// serve watches over a process until it dies or hangs, and returns the process
// that was the last, reloads considered, and why it ended. When ctx is done it
// returns a process that still runs, and no error.
func (p *Provider) serve(ctx context.Context, in *instance) (*instance, error) {
	tick := time.NewTicker(p.host.timing.health)
	defer tick.Stop()
	look := time.NewTicker(p.host.timing.watch)
	defer look.Stop()
	misses, watched := 0, &watcher{in: in}
	for {
		select {
		case <-ctx.Done():
			p.withdraw(in, nil)
			return in, nil
		case <-in.proc.exited:
			return in, p.bury(ctx, in, nil)
		case o := <-p.orders:
			if next := p.renew(ctx, in, o); next != in {
				in, misses, watched = next, 0, &watcher{in: next}
			}
		case <-look.C:
			if why := watched.look(p.host.timing, p.host.opts.MaxMemory); why != nil {
				in.proc.kill()
				return in, p.bury(ctx, in, why)
			}
		case <-tick.C:
			if err := p.ping(ctx, in); err == nil {
				misses = 0
				continue
			}
			if misses++; misses == 2 {
				in.proc.kill()
				return in, p.bury(ctx, in, faulty(FaultHang, fmt.Errorf("no answer to two health calls within %s each", p.host.timing.ping)))
			}
		}
	}
}

func (p *Provider) ping(ctx context.Context, in *instance) error {
	ctx, cancel := context.WithTimeout(ctx, p.host.timing.ping)
	defer cancel()
	return in.client.Ping(ctx)
}

// bury cleans up after a process that died, or is about to.
func (p *Provider) bury(ctx context.Context, in *instance, why error) error {
	p.withdraw(in, why)
	select {
	case <-in.proc.exited:
	case <-time.After(p.host.timing.killed):
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		in.plugin.Kill() // its goroutines end with the process and its pipes
	}()
	select {
	case <-gone:
	case <-time.After(p.host.timing.killed + pipeGrace):
	}
	how := "not gone after SIGKILL"
	select {
	case <-in.proc.exited:
		how, _ = in.proc.end()
	default:
	}
	cause := faulty(FaultCrash, fmt.Errorf("ended: %s", how))
	if why != nil {
		cause = fmt.Errorf("killed: %w", why)
	}
	if err := in.dir.remove(); err != nil {
		p.log.Warn("directory of the socket stays behind", "error", err)
	}
	log := p.log.Error
	if ctx.Err() != nil {
		log = p.log.Debug // while the host stops it is no news
	} else {
		p.blame(cause)
	}
	log("provider exited", "pid", in.proc.ID(), "cause", cause, "uptime", time.Since(in.up).Round(time.Millisecond),
		"stderr", in.stderr.String())
	return in.withQuote(cause)
}

// retire ends a process that calls do not reach any more: it waits for those in
// flight, asks it to leave, and kills it if it does not.
func (p *Provider) retire(in *instance, drain time.Duration) error {
	t := p.host.timing
	in.drain(p.host.force, drain)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		in.plugin.Kill() // blocks for as long as the process likes
	}()
	select {
	case <-gone:
	case <-time.After(t.stop):
		p.fault(FaultStop)
		p.log.Warn("provider does not leave, killing it", "pid", in.proc.ID())
	case <-p.host.force.Done():
	}
	in.proc.kill()
	var err error
	select {
	case <-gone:
		p.log.Debug("provider left", "pid", in.proc.ID())
	case <-time.After(t.killed):
		err = fmt.Errorf("process %s is still there after SIGKILL", in.proc.ID())
		p.log.Error("provider is still there after SIGKILL", "pid", in.proc.ID())
	}
	return errors.Join(err, in.dir.remove())
}

// drain returns when no call is in flight, or has taken too long.
func (in *instance) drain(force context.Context, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for range cap(in.slots) {
		select {
		case in.slots <- struct{}{}:
		case <-timer.C:
			return
		case <-force.Done():
			return
		case <-in.proc.exited:
			return
		}
	}
}

// publish lets calls through to a process.
func (p *Provider) publish(in *instance) {
	d := in.client.Describe()
	p.logged = ""
	p.descriptor.Store(&d)
	p.described.Store(true)
	p.served = in.file
	p.current.Store(in)
	p.enter(Up, func(s *Status) {
		s.Version, s.Protocol, s.Path, s.PID = d.Version, in.protocol, in.path, in.proc.pid
		s.NotReplaced, s.NotReplacedAt = "", time.Time{}
	})
	p.log.Info("provider up", "version", d.Version, "pid", in.proc.ID(), "path", in.path)
	if !slices.Equal(p.hidden, in.hides) {
		p.hidden = in.hides
		for _, path := range in.hides {
			p.fault(FaultTwice)
			p.log.Warn("another file of this type is not used; remove the one that is not meant", "used", in.path, "not_used", path)
		}
	}
	if in.proc.unbounded != nil {
		p.log.Warn("provider runs without bounds of the kernel", "error", in.proc.unbounded)
	}
	p.tellUp(d.Version, true)
}

// withdraw keeps calls away from a process.
func (p *Provider) withdraw(in *instance, why error) {
	p.current.Store(nil)
	p.enter(Backoff, func(s *Status) {
		s.PID = 0
		if why != nil {
			s.LastError = why.Error()
		}
	})
	p.tellUp(in.client.Describe().Version, false)
}

// logFailure logs why a launch failed, loudly when it is news.
func (p *Provider) logFailure(state State, err error, delay time.Duration) {
	log := p.log.Warn
	if text := err.Error(); p.logged == text {
		log = p.log.Debug
	} else {
		p.logged = text
	}
	log("provider did not start", "state", state, "retry_in", delay.Round(time.Millisecond), "error", err)
}

func (p *Provider) restarts() {
	p.mu.Lock()
	p.status.Restarts++
	p.mu.Unlock()
	p.tell(func(m Metrics) {
		if m.Restart != nil {
			m.Restart(p.typ)
		}
	})
}

// enter changes the state and wakes whoever waits for a change.
func (p *Provider) enter(state State, change func(*Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status.State != state {
		p.status.State, p.status.Since = state, time.Now()
	}
	if change != nil {
		change(&p.status)
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// Status returns the state of the provider.
func (p *Provider) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}
