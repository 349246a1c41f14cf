//go:build e2e

package e2e

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A wire is the network between one host and the database: a proxy that can be
// cut, fall silent, be slow, and lose all connections. It is no network that
// loses packets; what comes out is what a host sees of such: connections that are
// refused, that end, that say nothing more, or that say it late.
type wire struct {
	t       *testing.T
	to      string
	address string
	ctx     context.Context
	open    sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener  // nil while it is cut
	silent   chan struct{} // closed when it speaks again; nil while it speaks
	slow     time.Duration
	conns    map[net.Conn]bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &wire{t: t, to: to, ctx: ctx, conns: map[net.Conn]bool{}, address: "127.0.0.1:0"}
	w.listen()
	t.Cleanup(func() {
		cancel()
		w.cut()
		w.speak()
		w.open.Wait()
	})
	return w
}

func (w *wire) listen() {
	var l net.Listener
	await(w.t, "the proxy listens", func() bool {
		var err error
		l, err = net.Listen("tcp", w.address)
		return err == nil
	}, func() string { return w.address })
	w.mu.Lock()
	w.listener, w.address = l, l.Addr().String()
	w.mu.Unlock()
	w.open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.open.Go(func() { w.carry(c) })
		}
	})
}

// heal undoes all of the below.
func (w *wire) heal() {
	w.mu.Lock()
	closed := w.listener == nil
	w.slow = 0
	w.mu.Unlock()
	w.speak()
	if closed {
		w.listen()
	}
}

// cut refuses connections and ends those that are open.
func (w *wire) cut() {
	w.mu.Lock()
	if w.listener != nil {
		_ = w.listener.Close()
		w.listener = nil
	}
	w.mu.Unlock()
	w.reset()
}

// reset ends the connections that are open, as a machine does that has just
// started again.
func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

// silence keeps to itself what comes, and passes it on when it speaks again.
func (w *wire) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent == nil {
		w.silent = make(chan struct{})
	}
}

func (w *wire) speak() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent != nil {
		close(w.silent)
		w.silent = nil
	}
}

func (w *wire) slowDown(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = by
}

// wait holds back what has come for as long as it is to be held back.
func (w *wire) wait() {
	for {
		w.mu.Lock()
		silent, slow := w.silent, w.slow
		w.mu.Unlock()
		if silent == nil {
			pauseFor(w.ctx, slow)
			return
		}
		select {
		case <-silent:
		case <-w.ctx.Done():
			return
		}
	}
}

func (w *wire) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	w.wait()
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	w.mu.Lock()
	w.conns[near], w.conns[far] = true, true
	cut := w.listener == nil
	w.mu.Unlock()
	if cut {
		w.reset()
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			defer func() { _, _ = way[0].Close(), way[1].Close() }()
			buf := make([]byte, 64<<10)
			for {
				n, err := way[0].Read(buf)
				if n > 0 {
					w.wait()
					if _, err := way[1].Write(buf[:n]); err != nil {
						return
					}
				}
				if err != nil {
					if errors.Is(err, io.EOF) {
						w.wait() // an end is no faster than what came before
					}
					return
				}
			}
		})
	}
	both.Wait()
	w.mu.Lock()
	delete(w.conns, near)
	delete(w.conns, far)
	w.mu.Unlock()
}
