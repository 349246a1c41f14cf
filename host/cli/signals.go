package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
)

// interrupts are the SIGINTs and SIGTERMs of one call. The first ends the
// context of the command. The second is the command's when it said before that
// it has use for it, and ends the process otherwise, as any after it does.
type interrupts struct {
	wanted atomic.Bool
	second chan struct{} // closed by the second, when it is wanted
}

type interruptsKey struct{}

// withInterrupts returns a context that the first one ends. The function ends
// the listening.
func withInterrupts(ctx context.Context) (context.Context, func()) {
	in := &interrupts{second: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, interruptsKey{}, in))
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	var listening sync.WaitGroup
	listening.Go(func() {
		defer signal.Stop(signals)
		select {
		case <-done:
			return
		case <-signals:
			cancel()
		}
		if !in.wanted.Load() {
			return
		}
		select {
		case <-done:
		case <-signals:
			close(in.second)
		}
	})
	return ctx, func() {
		close(done)
		listening.Wait()
		cancel()
	}
}

// secondInterrupt asks for the second signal, and must do so before the first.
func secondInterrupt(ctx context.Context) <-chan struct{} {
	in, ok := ctx.Value(interruptsKey{}).(*interrupts)
	if !ok {
		return nil
	}
	in.wanted.Store(true)
	return in.second
}
