package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// events keeps what the metrics are told.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, fmt.Sprintf(format, args...))
}

func (e *events) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// A provider that is not needed any more answers what it was asked, and goes;
// the others are not touched.
func TestRemove(t *testing.T) {
	t.Parallel()
	told := new(events)
	b := newBench(t, []string{"ok", "ok2"}, func(o *Options) {
		o.Metrics = Metrics{
			Up:   func(provider, _ string, up bool) { told.add("%s %t", provider, up) },
			Gone: func(provider string) { told.add("%s gone", provider) },
		}
	})
	ok, ok2 := b.start(t, "ok"), b.start(t, "ok2")
	alive, before := watch(t, ask(t, ok).PID), ask(t, ok2)
	in := ok.current.Load()
	ctx, answer := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := ok.Parse(ctx, request("/hang"))
		answered <- err
	}()
	until(t, "the call is in flight", func() bool { return len(in.slots) == 1 })

	b.Remove([]string{"ok", "never started"})
	if _, there := b.Provider("ok"); there || len(b.Status()) != 1 {
		t.Errorf("still there: %+v", b.Status())
	}
	until(t, "new calls are refused", func() bool {
		_, err := ok.Parse(within(t, time.Second), request("/"))
		return errors.Is(err, ErrProviderDown)
	})
	if !alive() {
		t.Error("gone while it had something to answer")
	}
	answer()
	if err := <-answered; errors.Is(err, ErrProviderDown) {
		t.Errorf("the call was cut: %v", err)
	}
	until(t, "its end", func() bool { return !alive() })
	if after := ask(t, ok2); after.PID != before.PID {
		t.Error("the other one was started again")
	}
	if got, want := told.all(), []string{"ok true", "ok2 true", "ok gone"}; !slices.Equal(got, want) {
		t.Errorf("told %q; want %q", got, want)
	}
}

// A type that is needed again is not kept waiting by the process that leaves,
// and is not mistaken for it.
func TestRemoveAndStartAgain(t *testing.T) {
	t.Parallel()
	told := new(events)
	b := newBench(t, []string{"ok"}, func(o *Options) {
		o.Metrics.Up = func(_, _ string, up bool) { told.add("%t", up) }
	})
	before := watch(t, ask(t, b.start(t, "ok")).PID)
	b.Remove([]string{"ok"})
	ask(t, b.start(t, "ok"))
	until(t, "the end of the first", func() bool { return !before() })
	if got := told.all(); !slices.Equal(got, []string{"true", "true"}) {
		t.Errorf("told up: %q", got)
	}
}

// What could not be started is not tried any more, and Stop waits for what is
// still leaving.
func TestRemoveWhatIsDown(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"ok"})
	if err := b.Start(t.Context(), []string{"absent"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("started: %v", err)
	}
	absent, _ := b.Provider("absent")
	b.Remove([]string{"absent"})
	<-absent.done
	alive := watch(t, ask(t, b.start(t, "ok")).PID)
	b.Remove([]string{"ok"})
	if err := b.Stop(within(t, 30*time.Second)); err != nil {
		t.Error(err)
	}
	if alive() {
		t.Error("a removed provider outlives Stop")
	}
}
