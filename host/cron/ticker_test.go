package cron

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/action-llama/gateway/host/store"
)

// The bubble's clock starts then, on a Saturday.
var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// special is an agent that makes up for missed ticks, or has jitter.
func special(t *testing.T, agent, expr string, catchUp bool, jitter time.Duration) Entry {
	t.Helper()
	e := entries(t, map[string]string{agent: expr})[0]
	e.CatchUp, e.Jitter = catchUp, jitter
	return e
}

// lastTick is what the store knows of the agent a.
func lastTick(at time.Time) func(*Options) {
	return func(o *Options) {
		o.LastTicks = func(context.Context) (map[string]time.Time, error) {
			return map[string]time.Time{"a": at}, nil
		}
	}
}

func TestTheNewestMissedTickIsMadeUpFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		expr string
		last time.Time
		want []string // at the start
	}{
		{"one was missed", "30 23 * * *", midnight.AddDate(0, 0, -1), []string{"a 23:30:00"}},
		{"of many the newest", "*/10 * * * *", midnight.Add(-5 * time.Hour), []string{"a 00:00:00"}},
		{"of a year of seconds", "* * * * * *", midnight.AddDate(-1, 0, 0), []string{"a 00:00:00"}},
		{"seconds ago", "59 59 23 * * *", midnight.AddDate(0, 0, -1), []string{"a 23:59:59"}},
		{"by @every", "@every 7h", midnight.AddDate(0, 0, -9), []string{"a 18:00:00"}},
		{"none was missed", "30 23 * * *", midnight.Add(-30 * time.Minute), nil},
		{"none since", "0 12 1 6 *", midnight.AddDate(0, -6, 0), nil},
		{"at the first start", "30 23 * * *", time.Time{}, nil},
		{"when the last is ahead of a clock that was wrong", "30 23 * * *", midnight.AddDate(1, 0, 0), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := newMemory()
				b := setupEntries(t, mem, []Entry{special(t, "a", test.expr, true, 0)}, lastTick(test.last))
				wantTicks(t, mem, test.want...)
				if len(test.want) > 0 && (b.counted("a", "started") != 1 || b.wakes != 1) {
					t.Error("not counted, or nobody was woken for it")
				}
			})
		})
	}
}

func TestMissedTicksAreLetGoUnlessWanted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		setup(t, mem, map[string]string{"a": "30 23 * * *"}, lastTick(midnight.AddDate(0, 0, -3)))
		pass(time.Minute)
		wantTicks(t, mem)
	})
}

func TestAPausedOrBusyAgentMakesUpForNothing(t *testing.T) {
	t.Parallel()
	for _, outcome := range []string{outcomePaused, outcomeSkipped} {
		synctest.Test(t, func(t *testing.T) {
			mem := newMemory()
			mem.paused["a"], mem.busy["a"] = outcome == outcomePaused, outcome == outcomeSkipped
			b := setupEntries(t, mem, []Entry{special(t, "a", "30 23 * * *", true, 0)}, lastTick(midnight.AddDate(0, 0, -1)))
			mem.set(func() { mem.paused, mem.busy = nil, nil })
			pass(time.Hour)
			wantTicks(t, mem)
			if b.counted("a", outcome) != 1 {
				t.Errorf("not counted as %s", outcome)
			}
		})
	}
}

// The store is asked until it answers, and nothing that ticks meanwhile waits
// for that.
func TestMissedTicksWaitForTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		var up atomic.Bool
		b := setupEntries(t, mem, []Entry{special(t, "a", "30 23 * * *", true, 0), special(t, "b", "* * * * *", false, 0)}, func(o *Options) {
			o.LastTicks = func(context.Context) (map[string]time.Time, error) {
				if !up.Load() {
					return nil, store.ErrUnavailable
				}
				return map[string]time.Time{"a": midnight.AddDate(0, 0, -1)}, nil
			}
		})
		pass(90 * time.Second)
		wantTicks(t, mem, "b 00:01:00")
		up.Store(true)
		pass(retryEvery)
		wantTicks(t, mem, "b 00:01:00", "a 23:30:00")

		// Nor is one given up that can not be recorded within a minute.
		mem.set(func() { mem.down = errors.New("no room") })
		b.stop()
		c := setupEntries(t, mem, []Entry{special(t, "a", "15 23 * * *", true, 0)}, lastTick(midnight.AddDate(0, 0, -1)))
		pass(5 * time.Minute)
		mem.set(func() { mem.down = nil })
		pass(retryEvery)
		wantTicks(t, mem, "b 00:01:00", "a 23:30:00", "a 23:15:00")
		c.stop()
	})
}

func TestASleepIsMadeUpFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		b := setupEntries(t, mem, []Entry{special(t, "a", "*/10 * * * *", true, 0)}, lastTick(time.Time{}))
		pass(5*time.Minute + 40*time.Second)
		b.clock.jump(39 * time.Minute) // 00:44:40
		pass(time.Minute)
		wantTicks(t, mem, "a 00:40:00")
		pass(5 * time.Minute)
		wantTicks(t, mem, "a 00:40:00", "a 00:50:00")
	})
}

func TestJitterSpreadsTicksOverSomeTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const agents = 20
		mem := newMemory()
		var list []Entry
		for n := range agents {
			list = append(list, special(t, fmt.Sprint("agent-", n), "30 * * * *", false, 10*time.Minute))
		}
		one := setupEntries(t, mem, list)
		two := setupEntries(t, newMemory(), list)
		moments := map[time.Time]bool{}
		for _, e := range list {
			at := one.Next(e.Agent)
			if at.Before(midnight.Add(30*time.Minute)) || !at.Before(midnight.Add(40*time.Minute)) {
				t.Errorf("%s ticks at %s", e.Agent, at)
			}
			if !two.Next(e.Agent).Equal(at) {
				t.Errorf("%s ticks at %s on one host and at %s on another", e.Agent, at, two.Next(e.Agent))
			}
			moments[at] = true
		}
		if len(moments) < agents {
			t.Errorf("%d moments for %d agents", len(moments), agents)
		}
		pass(35 * time.Minute)
		if n := len(mem.took()); n == 0 || n == agents {
			t.Errorf("%d of %d agents ticked in the first half of the time", n, agents)
		}
		pass(5 * time.Minute)
		for _, tick := range mem.took() {
			if !strings.HasSuffix(tick, " 00:30:00") {
				t.Errorf("tick %s is not that of the schedule", tick)
			}
		}
		if n := len(mem.took()); n != agents {
			t.Errorf("%d ticks, want one of each agent", n)
		}
	})
}

// A host that starts between a tick's time and its jitter is not too late.
func TestARestartWithinTheJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		e := special(t, "a", "30 * * * *", true, 10*time.Minute)
		due := e.fires(midnight.Add(30 * time.Minute))
		b := setupEntries(t, mem, []Entry{e}, lastTick(midnight.Add(-30*time.Minute)))
		pass(due.Sub(midnight) - time.Second)
		b.stop()
		b = setupEntries(t, mem, []Entry{e}, lastTick(midnight.Add(-30*time.Minute)))
		wantTicks(t, mem) // it is to come, and not missed
		pass(2 * time.Second)
		wantTicks(t, mem, "a 00:30:00")
		b.stop()
		setupEntries(t, mem, []Entry{e}, lastTick(midnight.Add(30*time.Minute)))
		pass(50 * time.Minute)
		wantTicks(t, mem, "a 00:30:00") // once
	})
}

func TestJitterAcrossASleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		e := special(t, "a", "*/10 * * * *", false, 5*time.Minute)
		b := setupEntries(t, mem, []Entry{e})
		pass(time.Minute)
		b.clock.jump(3 * time.Hour)
		pass(10*time.Minute + 5*time.Minute)
		if n := len(mem.took()); n < 1 || n > 2 {
			t.Errorf("%v in 15 minutes after a sleep", mem.took())
		}
		if next := b.Next("a"); !next.After(b.clock.now()) || next.After(b.clock.now().Add(15*time.Minute)) {
			t.Errorf("it is %s, and the next tick at %s", b.clock.now(), next)
		}
	})
}

// The search for the newest tick finds what counting finds.
func TestNewest(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe"} {
		for _, expr := range []string{"*/7 * * * *", "30 2 * * *", "0 0 1 * *", "0 */5 * * mon-fri", "@every 37m", "0 12 29 2 *"} {
			s, err := Parse(expr, zone(t, name))
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				after := time.Unix(1_774_000_000+random.Int64N(20_000_000), 0)
				until := after.Add(time.Duration(random.Int64N(int64(40 * 24 * time.Hour))))
				var want time.Time
				for at := s.Next(after); !at.IsZero() && !at.After(until); at = s.Next(at) {
					want = at
				}
				if got := s.newest(after, until); !got.Equal(want) {
					t.Errorf("%s %q between %s and %s: got %s, want %s", name, expr, after, until, got, want)
				}
			}
		}
	}
}
