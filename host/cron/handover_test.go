package cron

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		b := setup(t, mem, map[string]string{"a": "*/10 * * * * *"})
		pass(15 * time.Second)
		if err := b.Hold(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(30 * time.Second)
		wantTicks(t, mem, "a 00:00:10")
		again, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := b.Hold(again); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("held twice: %v", err)
		}
		cancel()
		b.Resume()
		pass(5 * time.Second)
		wantTicks(t, mem, "a 00:00:10", "a 00:00:40", "a 00:00:50")
		if err := b.Hold(t.Context()); err != nil { // and a stop does not wait for its end
			t.Fatal(err)
		}
		b.stop()
	})
}

// One scheduler follows another: whenever that is, each tick fires once.
func TestOneFollowsAnother(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{0, time.Millisecond, 500 * time.Millisecond, 999 * time.Millisecond, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			mem := newMemory()
			mem.busy["busy"] = true
			list := entries(t, map[string]string{"a": "* * * * * *", "b": "*/20 * * * * *", "busy": "*/7 * * * * *"})
			old := setupEntries(t, mem, list)
			pass(20*time.Second - late/2)
			since := time.Now().Add(-2 * time.Second)
			if err := old.Hold(t.Context()); err != nil {
				t.Fatal(err)
			}
			pass(late)
			next := setupEntries(t, mem, nil)
			next.SetSchedulesSince(since, list)
			pass(20 * time.Second)
			next.stop()
			old.stop()
			got := mem.took()
			for _, want := range []string{"b 00:00:20", "b 00:00:40"} {
				if n := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s != want })); n != 1 {
					t.Errorf("late %s: tick %s fired %d times: %q", late, want, n, got)
				}
			}
			slices.Sort(got)
			if n := len(got); len(slices.Compact(got)) != n {
				t.Errorf("late %s: a tick fired twice: %q", late, got)
			}
		})
	}
}
