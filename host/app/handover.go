package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/action-llama/gateway/host/handover"
)

// This is the side of the gateway that hands over.

// giver is the gateway as the next one sees it.
type giver struct{ *App }

var _ handover.Giver = giver{}

// holder is a part that can be kept from starting anything.
type holder interface {
	Hold(ctx context.Context) error
	Resume()
}

func (a *App) holders() []holder { return []holder{a.keeper, a.cron, a.dispatcher} }

// Hold implements [handover.Giver].
func (g giver) Hold(ctx context.Context) (handover.Estate, error) {
	if g.StopRequested() {
		return handover.Estate{}, errStopping
	}
	for i, part := range g.holders() {
		if err := part.Hold(ctx); err != nil {
			for _, held := range g.holders()[:i] {
				held.Resume()
			}
			return handover.Estate{}, fmt.Errorf("it is busy: %w", err)
		}
	}
	return handover.Estate{Listener: g.listener, Lock: g.lock}, nil
}

var errStopping = errors.New("it is stopping")

// Ready implements [handover.Giver].
func (g giver) Ready() error {
	if g.StopRequested() {
		return errStopping
	}
	return nil
}

// Resume implements [handover.Giver]. What the other one did before it went away
// is undone.
func (g giver) Resume() {
	if !g.StopRequested() {
		ctx, cancel := context.WithTimeout(context.Background(), limitsPatience)
		defer cancel()
		now := g.config.get()
		err := errors.Join(
			g.config.replace(now, func() error { return g.store.SetLimits(ctx, limitsOf(now.project)) }),
			announce(now.project.Dir, g.self),
			g.bury(ctx),
		)
		if err != nil {
			g.log.Warn("not all is as it was before another al began to take over; al reload, or a restart, makes it so", "error", err)
		}
	}
	for _, part := range g.holders() {
		part.Resume()
	}
}

// Leave implements [handover.Giver].
func (g giver) Leave(next handover.Hello) {
	g.left.next = next
	g.left.now.Store(true)
	// The next one has both. Should it end while this one still has runs, another
	// may start.
	_ = g.listener.Close()
	_ = g.lock.Release()
	g.lock = nil
	close(g.left.asked)
}

// Stop implements [handover.Giver].
func (g giver) Stop(now bool) { g.RequestStop(now) }

// leaving is how a gateway learns that another one has its place.
type leaving struct {
	now   atomic.Bool // set before the port is closed
	asked chan struct{}
	next  handover.Hello // valid once asked is closed
}

// tellEvery is how often a gateway that leaves says what it waits for.
const tellEvery = time.Minute

// finish returns when the runs of a gateway that has handed over have ended and
// nobody is connected to it any more, or when it is told to stop. The port's
// part has to be over.
func (a *App) finish(parts *sync.WaitGroup) {
	a.log.Info("handed over; the runs under way go on to their end", "to_pid", a.left.next.PID,
		"to_version", a.left.next.Version, "runs", len(a.dispatcher.Active()))
	a.page.Close() // browsers that listen find the one that serves now
	ended := make(chan struct{})
	parts.Go(func() { // a stop ends it
		a.dispatcher.Leave()
		close(ended)
	})
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-ended:
			waiting = false
		case <-tick.C:
			a.log.Info("handed over, and waiting for runs", "runs", len(a.dispatcher.Active()))
		case <-a.stopping.asked:
			return
		}
	}
	<-a.closed // by now, so that nobody is about to be counted
	// A sender may be about to use a connection that was idle until now. Each is
	// closed with the next answer, or after the server's IdleTimeout.
	patience := time.NewTimer(idleTimeout + time.Second)
	defer patience.Stop()
	select {
	case <-a.connections.none():
	case <-patience.C:
	case <-a.stopping.asked:
	}
}

// connections counts those that are open.
type connections struct {
	mu    sync.Mutex
	open  int
	empty chan struct{} // closed when there are none; made by none
}

// count is the ConnState of the server.
func (c *connections) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.add(1)
	case http.StateClosed, http.StateHijacked:
		c.add(-1)
	case http.StateActive, http.StateIdle:
	}
}

func (c *connections) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open += n; c.open == 0 && c.empty != nil {
		close(c.empty)
		c.empty = nil
	}
}

// none is closed when no connection is open. It is asked for once, when no new
// ones come.
func (c *connections) none() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	empty := make(chan struct{})
	if c.open == 0 {
		close(empty)
	} else {
		c.empty = empty
	}
	return empty
}

// closing has each connection end with its next answer when the port is another
// gateway's. To close idle ones instead would cut off requests that are on
// their way.
func (a *App) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.left.now.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
