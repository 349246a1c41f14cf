package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// ErrGone: the other side ended, or closed the connection.
var ErrGone = errors.New("the other side is gone")

// gone makes an ErrGone of what the network says of a connection that ended.
func gone(err error) error {
	for _, end := range []error{io.EOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNREFUSED, syscall.ENOENT} {
		if errors.Is(err, end) {
			return ErrGone
		}
	}
	return err
}

// Successor is the side that takes over. It is for one goroutine.
type Successor struct {
	wire *wire
	// Previous is the gateway that runs.
	Previous Hello
}

// Meet connects to a running gateway. It changes nothing for that one.
func Meet(ctx context.Context, path string, self Hello) (*Successor, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, gone(err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("no Unix socket"), c.Close())
	}
	s := &Successor{wire: &wire{conn: conn}}
	if err := s.greet(ctx, self); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Successor) greet(ctx context.Context, self Hello) error {
	if err := checkPeer(s.wire.conn); err != nil {
		return err
	}
	self.Protocol = Protocol
	if err := send(ctx, s.wire, self); err != nil {
		return gone(err)
	}
	if err := receive(ctx, s.wire, helloWithin, &s.Previous); err != nil {
		return gone(err)
	}
	if p := s.Previous.Protocol; p != Protocol {
		return fmt.Errorf("the running gateway (al %s) hands over by protocol %d, and this al knows %d", s.Previous.Version, p, Protocol)
	}
	return nil
}

// Take has the running gateway start nothing new, and returns what it hands on.
// Until Serving it takes it all back when this side closes the connection.
func (s *Successor) Take(ctx context.Context) (Estate, error) {
	a, err := s.ask(ctx, question{Do: askTake}, holdWithin+helloWithin)
	if err != nil {
		return Estate{}, err
	}
	files, err := s.wire.take(a.Passed)
	if err != nil {
		return Estate{}, err
	}
	listener, lock := files[passedListener], files[passedLock]
	for name, f := range files {
		if name != passedListener && name != passedLock {
			_ = f.Close()
		}
	}
	if listener == nil || lock == nil {
		return Estate{}, errors.New("the running gateway did not hand over what was asked for")
	}
	tcp, err := adopt(listener)
	if err != nil {
		return Estate{}, errors.Join(err, lock.Close())
	}
	return Estate{Listener: tcp, Lock: &Lock{lock}}, nil
}

// Ready asks whether this side may begin. ErrGone when the other has ended, or
// goes on by itself; whether it lives has to be found out.
func (s *Successor) Ready(ctx context.Context) error {
	_, err := s.ask(ctx, question{Do: askReady}, helloWithin)
	return err
}

// Serving says that this side works: the other may leave.
func (s *Successor) Serving(ctx context.Context) error {
	_, err := s.ask(ctx, question{Do: askServing}, helloWithin)
	return err
}

// Close ends the talk.
func (s *Successor) Close() error { return s.wire.close() }

func (s *Successor) ask(ctx context.Context, q question, limit time.Duration) (answer, error) {
	var a answer
	if err := send(ctx, s.wire, q); err != nil {
		return a, gone(err)
	}
	if err := receive(ctx, s.wire, limit, &a); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			return a, context.Cause(ctx)
		}
		return a, gone(err)
	}
	if !a.OK {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// AskStop asks a gateway to stop, as al stop does. It returns at once.
func AskStop(ctx context.Context, path string, self Hello, now bool) error {
	s, err := Meet(ctx, path, self)
	if err != nil {
		return err
	}
	_, err = s.ask(ctx, question{Do: askStop, Now: now}, helloWithin)
	return errors.Join(err, s.Close())
}
