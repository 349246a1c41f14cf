package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/action-llama/gateway/host/api"
)

// stopping is how a gateway is told to stop, and told again that it takes too
// long.
type stopping struct {
	mu    sync.Mutex
	asked chan struct{} // closed when somebody asked
	now   chan struct{} // closed when somebody does not want to wait for runs
	until time.Time     // when runs under way are ended; zero while nobody asked
}

func newStopping() *stopping {
	return &stopping{asked: make(chan struct{}), now: make(chan struct{})}
}

// ask asks for a stop with a grace. A later call may shorten it, and nothing
// makes it longer again.
func (s *stopping) ask(grace time.Duration, now bool) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until.IsZero() {
		s.until = time.Now().Add(grace)
		close(s.asked)
	}
	if at := time.Now(); now && at.Before(s.until) {
		s.until = at
		close(s.now)
	}
	return s.until
}

// deadline is when runs under way are ended, or zero while nobody asked.
func (s *stopping) deadline() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until
}

// RequestStop asks Run to stop and returns at once. With now, runs under way
// are ended without the grace; a second call may ask for that after a first one
// that did not.
func (a *App) RequestStop(now bool) time.Time {
	return a.stopping.ask(a.config.get().project.Gateway.ShutdownGrace, now)
}

// StopRequested says that the gateway is on its way down.
func (a *App) StopRequested() bool { return !a.stopping.deadline().IsZero() }

// Stop implements [api.Control].
func (a *App) Stop(_ context.Context, ask api.StopAsk) (api.Stopping, error) {
	return api.Stopping{Until: a.RequestStop(ask.Now).UTC()}, nil
}

// deliveryGrace is for deliveries that are being answered; none takes longer
// than the longest deadline of a vendor.
const deliveryGrace = 10 * time.Second

// othersGrace is what gateways before have to end after the grace, as this one
// has: for harnesses that do not want to, and for what follows.
const othersGrace = 20 * time.Second

// stopOthers stops those that have handed over and finish their runs. One that
// has itself handed over leaves that to the next.
func (a *App) stopOthers(now bool) {
	if a.left.now.Load() {
		return
	}
	others, err := a.earlier()
	if err == nil {
		err = stopAll(context.Background(), others, a.hello(), now)
	}
	if err != nil {
		a.log.Warn("gateways before were not told to stop", "error", err)
	}
}

// drain ends the work, and then the taking of deliveries: what comes while runs
// have their grace is queued for the next start.
func (a *App) drain() error {
	left := time.Until(a.stopping.deadline())
	a.stopOthers(false)
	ended := make(chan struct{})
	var hurry sync.WaitGroup
	hurry.Go(func() {
		select {
		case <-a.stopping.now:
			a.log.Info("ending the runs under way")
			a.stopOthers(true)
			a.dispatcher.Stop(0)
		case <-ended:
		}
	})
	a.dispatcher.Stop(left)
	if !a.left.now.Load() {
		until, cancel := context.WithDeadline(context.Background(), a.stopping.deadline().Add(othersGrace))
		a.awaitOthers(until)
		cancel()
	}
	close(ended)
	hurry.Wait()

	ctx, cancel := context.WithTimeout(context.Background(), deliveryGrace)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("deliveries still being answered were cut off: %w", errors.Join(err, a.server.Close()))
	}
	return nil
}
