package handover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// helloWithin is for the first lines, of which nothing is computed.
	helloWithin = 10 * time.Second
	// askWithin is what the next gateway may take from its hello to its first
	// question: its providers start meanwhile.
	askWithin = 5 * time.Minute
	// holdWithin is for what is under way and must not be cut: a claim, a tick,
	// a reload of the configuration.
	holdWithin = 30 * time.Second
	// readyWithin is for the next one to open the store.
	readyWithin = 2 * time.Minute
	// servingWithin is for it to begin. It was told that it may, so that this
	// one does not go on when the time is over, unless the other is gone.
	servingWithin = time.Minute

	maxSessions = 8
)

// Estate is what one gateway hands to the next.
type Estate struct {
	Listener *net.TCPListener
	Lock     *Lock // of the project
}

// Giver is a gateway that may hand over.
type Giver interface {
	// Hold stops starting anything new: runs, ticks, other configurations.
	// Deliveries are still taken. What is under way goes on.
	Hold(ctx context.Context) (Estate, error)
	// Ready returns nil when the next one may begin.
	Ready() error
	// Resume ends what Hold began: there is no next gateway.
	Resume()
	// Leave is for good: the next one serves.
	Leave(next Hello)
	// Stop is what al stop asks for, or with now al stop --now.
	Stop(now bool)
}

// Offer waits for the next gateway.
type Offer struct {
	Listener *net.UnixListener
	Self     Hello // all but Protocol
	Giver    Giver
	Log      hclog.Logger

	mu   sync.Mutex
	busy bool // with a gateway that takes over
	left bool
}

// Listen opens the socket of an offer. The folder has to be the user's alone.
func Listen(path string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Serve answers until ctx ends, and closes the socket.
func (o *Offer) Serve(ctx context.Context) error {
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer context.AfterFunc(ctx, func() { _ = o.Listener.Close() })()
	slots := make(chan struct{}, maxSessions)
	for {
		c, err := o.Listener.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for the next gateway: %w", err)
		}
		select {
		case slots <- struct{}{}:
		default:
			_ = c.Close() // it is told by that, and may try again
			continue
		}
		sessions.Go(func() {
			defer func() { <-slots }()
			w := &wire{conn: c}
			defer func() { _ = w.close() }()
			if err := o.session(ctx, w); err != nil {
				o.Log.Debug("talk with another al", "error", err)
			}
		})
	}
}

func (o *Offer) session(ctx context.Context, w *wire) error {
	if err := checkPeer(w.conn); err != nil {
		return err
	}
	var other Hello
	err := receive(ctx, w, helloWithin, &other)
	if err != nil {
		return err
	}
	self := o.Self
	self.Protocol = Protocol
	if err := send(ctx, w, self); err != nil || other.Protocol != Protocol {
		return err // the other side sees what it has to
	}
	var q question
	if err := receive(ctx, w, askWithin, &q); err != nil {
		return err
	}
	switch q.Do {
	case askStop:
		o.Giver.Stop(q.Now)
		return send(ctx, w, answer{OK: true})
	case askTake:
		return o.give(ctx, w, other)
	default:
		return send(ctx, w, answer{Error: fmt.Sprintf("%q is not understood", q.Do)})
	}
}

// begin makes this session the one that takes over.
func (o *Offer) begin() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.left:
		return errors.New("it has handed over to another gateway already")
	case o.busy:
		return errors.New("another al is taking over from it right now")
	}
	o.busy = true
	return nil
}

func (o *Offer) end(left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy, o.left = false, left
}

func (o *Offer) give(ctx context.Context, w *wire, next Hello) error {
	if err := o.begin(); err != nil {
		return errors.Join(send(ctx, w, answer{Error: err.Error()}), err)
	}
	holding, cancel := context.WithTimeout(ctx, holdWithin)
	estate, err := o.Giver.Hold(holding)
	cancel()
	if err != nil {
		o.end(false)
		return errors.Join(send(ctx, w, answer{Error: err.Error()}), err)
	}
	o.Log.Info("another al is taking over", "pid", next.PID, "version", next.Version)
	if err := o.settle(ctx, w, estate); err != nil {
		o.Log.Warn("the other al did not take over; this gateway goes on", "pid", next.PID, "error", err)
		o.Giver.Resume()
		o.end(false)
		return err
	}
	o.Giver.Leave(next)
	o.end(true)
	return send(ctx, w, answer{OK: true})
}

// settle returns nil when the next one serves.
func (o *Offer) settle(ctx context.Context, w *wire, estate Estate) error {
	if err := pass(ctx, w, estate); err != nil {
		return err
	}
	var q question
	if err := receive(ctx, w, readyWithin, &q); err != nil {
		return gone(err)
	}
	if q.Do != askReady {
		return fmt.Errorf("it said %q and not that it is ready", q.Do)
	}
	if err := o.Giver.Ready(); err != nil {
		return errors.Join(send(ctx, w, answer{Error: err.Error()}), err)
	}
	if err := send(ctx, w, answer{OK: true}); err != nil {
		return gone(err)
	}
	err := receive(ctx, w, servingWithin, &q)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil:
		o.Log.Warn("the other al was told to begin and does not say that it has")
		return nil
	case err != nil:
		return gone(err)
	case q.Do != askServing:
		return fmt.Errorf("it said %q and not that it serves", q.Do)
	}
	return nil
}

func pass(ctx context.Context, w *wire, estate Estate) error {
	raw, err := estate.Listener.SyscallConn()
	if err != nil {
		return err
	}
	defer w.within(ctx, helloWithin)()
	var sent error
	// The lock is a file, whose descriptor stays as it is when it is looked at.
	// That of the listener would be made blocking, for both processes.
	err = raw.Control(func(fd uintptr) {
		sent = w.write(answer{OK: true, Passed: []string{passedListener, passedLock}}, int(fd), int(estate.Lock.file.Fd()))
	})
	return errors.Join(err, sent)
}

func send(ctx context.Context, w *wire, v any) error {
	defer w.within(ctx, helloWithin)()
	return w.write(v)
}

func receive(ctx context.Context, w *wire, limit time.Duration, v any) error {
	defer w.within(ctx, limit)()
	return w.read(v)
}
