package page

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// attempts bounds how often each address may try to log in. The key that the
// gateway makes is beyond guessing; one that a person chose may not be.
type attempts struct {
	mu sync.Mutex
	of map[netip.Prefix]*rate.Limiter
	// others is for all addresses that there is no room for.
	others *rate.Limiter
}

const (
	maxAddresses  = 1024
	attemptsBurst = 10
	attemptsEvery = 6 * time.Second
)

func newAttempts() *attempts {
	return &attempts{of: map[netip.Prefix]*rate.Limiter{}, others: newLimiter()}
}

func newLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(attemptsEvery), attemptsBurst) }

// take counts an attempt, or returns how long to wait before the next.
func (a *attempts) take(remote string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.limiter(remote, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now) // who is told to wait has not tried
	}
	return wait
}

func (a *attempts) limiter(remote string, now time.Time) *rate.Limiter {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return a.others
	}
	bits := 32
	if addr := from.Addr().Unmap(); addr.Is6() {
		bits = 64 // whoever has one address has all of these
	}
	prefix, err := from.Addr().Unmap().WithZone("").Prefix(bits)
	if err != nil {
		return a.others
	}
	l := a.of[prefix]
	if l != nil {
		return l
	}
	if len(a.of) >= maxAddresses {
		for other, l := range a.of {
			if l.TokensAt(now) >= attemptsBurst {
				delete(a.of, other)
			}
		}
	}
	if len(a.of) >= maxAddresses {
		return a.others
	}
	l = newLimiter()
	a.of[prefix] = l
	return l
}
