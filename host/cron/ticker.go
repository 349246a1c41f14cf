package cron

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// ticker is one agent's way through its schedule.
type ticker struct {
	Entry
	next  time.Time // as the schedule has it
	due   time.Time // when it is asked for: next, and its jitter
	last  time.Time // the latest that was due
	index int       // in the heap; -1 when not in it
}

// fires returns when a tick is asked for: its own time, and with jitter some
// time after. That depends on nothing but agent and tick, so that all hosts
// agree, and a host with itself after a restart.
func (e Entry) fires(tick time.Time) time.Time {
	if e.Jitter <= 0 || tick.IsZero() {
		return tick
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", e.Agent, tick.Unix()))
	return tick.Add(time.Duration(binary.BigEndian.Uint64(sum[:]) % uint64(e.Jitter)))
}

func (t *ticker) set(next time.Time) { t.next, t.due = next, t.fires(next) }

// begin finds the first tick that fires after a time. With jitter it may be one
// that the schedule had before it. The clock may have been set back a little
// since the last tick.
func (t *ticker) begin(now time.Time) {
	t.set(t.Schedule.Next(later(now.Add(-t.Jitter), t.last)))
	for !t.next.IsZero() && !t.due.After(now) {
		t.set(t.Schedule.Next(t.next))
	}
}

// take moves on to the next tick that is to come, and returns the latest that
// is due, if it is good.
func (t *ticker) take(now time.Time) (at time.Time, good bool) {
	t.last = t.next
	if now.Sub(t.due) > goodFor {
		t.set(t.Schedule.Next(later(t.next, now.Add(-goodFor-t.Jitter-1)))) // may still be good
	}
	for !t.next.IsZero() && !t.due.After(now) {
		if now.Sub(t.due) <= goodFor {
			at, good = t.next, true
		}
		t.last = t.next
		t.set(t.Schedule.Next(t.next))
	}
	return at, good
}

// missed returns the newest tick that should have fired after one time and by
// another. It is zero when there is none, or when the newest is still to fire,
// so that there is no need to make up for one before it.
func (e Entry) missed(after, now time.Time) time.Time {
	at := e.Schedule.newest(after, now)
	if e.fires(at).After(now) {
		return time.Time{}
	}
	return at
}

// newest returns the last tick after one time and not after another, or zero.
func (s Schedule) newest(after, until time.Time) time.Time {
	due := func(unix int64) bool {
		next := s.Next(time.Unix(unix, 0))
		return !next.IsZero() && !next.After(until)
	}
	// The next tick after low comes in time, that after high does not.
	low, high := after.Unix(), until.Unix()
	if !due(low) {
		return time.Time{}
	}
	for high-low > 1 {
		if middle := low + (high-low)/2; due(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return s.Next(time.Unix(low, 0))
}

// tickers is a heap by when the next tick is due, and by name for one moment.
type tickers []*ticker

func (h tickers) Len() int { return len(h) }

func (h tickers) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return strings.Compare(h[i].Agent, h[j].Agent) < 0
}

func (h tickers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *tickers) Push(x any) {
	if t, ok := x.(*ticker); ok {
		t.index = len(*h)
		*h = append(*h, t)
	}
}

func (h *tickers) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}
