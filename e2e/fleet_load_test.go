//go:build e2e

package e2e

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	fleetSenders = 6
	fleetPause   = 300 * time.Millisecond // of a sender between two, at most
	fleetBacklog = 200                    // jobs, above which nothing new is sent
	fleetLong    = 6                      // the same of the agent "long"
	fleetLook    = 500 * time.Millisecond // how often that is looked at
)

// fleetLoad is what vendors do: they send to the balancer, and again whatever was
// not answered 2xx; some of it reaches two hosts at once.
type fleetLoad struct {
	*crashLedger
	balancer string
	hosts    func() []string // those that two at once are sent to
	busy     atomic.Bool     // enough waits
	noLong   atomic.Bool     // enough waits of the agent "long"

	mu      sync.Mutex
	again   []repeat
	twice   int // deliveries sent to two hosts at once
	faults  []string
	slowest time.Duration // answer of a host
}

// repeat is a delivery that is to be sent again.
type repeat struct {
	sent  *crashSent
	at    time.Time
	delay time.Duration
}

func newFleetLoad(balancer string, hosts func() []string) *fleetLoad {
	l := &fleetLoad{crashLedger: newCrashLedger(), balancer: balancer, hosts: hosts}
	l.kinds = fleetKinds()
	return l
}

// run sends until the context ends. Then what was refused is sent on until all
// is accepted, or patience is over.
func (l *fleetLoad) run(ctx context.Context) {
	var senders sync.WaitGroup
	for range fleetSenders {
		senders.Go(func() {
			for ctx.Err() == nil {
				if r, ok := l.due(); ok {
					l.one(r)
				} else if !l.busy.Load() {
					l.one(repeat{sent: l.make()})
				}
				pauseFor(ctx, rand.N(fleetPause))
			}
		})
	}
	senders.Go(func() {
		for ctx.Err() == nil {
			if !l.noLong.Load() {
				l.one(repeat{sent: l.makeFor([]string{"long"})})
			}
			pauseFor(ctx, fleetLook)
		}
	})
	senders.Wait()
}

// rest sends again what was refused until all of it is accepted.
func (l *fleetLoad) rest(ctx context.Context) {
	var senders sync.WaitGroup
	for range fleetSenders {
		senders.Go(func() {
			for ctx.Err() == nil {
				l.mu.Lock()
				left := len(l.again)
				l.mu.Unlock()
				if left == 0 {
					return
				}
				if r, ok := l.due(); ok {
					l.one(r)
				} else {
					pauseFor(ctx, 20*time.Millisecond)
				}
			}
		})
	}
	senders.Wait()
}

func (l *fleetLoad) due() (repeat, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range l.again {
		if !time.Now().Before(r.at) {
			l.again = slices.Delete(l.again, i, i+1)
			return r, true
		}
	}
	return repeat{}, false
}

func (l *fleetLoad) one(r repeat) {
	to := []string{l.balancer}
	if rand.IntN(10) == 0 {
		if urls := l.hosts(); len(urls) >= 2 {
			rand.Shuffle(len(urls), func(i, j int) { urls[i], urls[j] = urls[j], urls[i] })
			to = urls[:2]
		}
	}
	var sending sync.WaitGroup
	for _, url := range to {
		sending.Go(func() { l.send(url, r.sent) })
	}
	sending.Wait()

	l.crashLedger.mu.Lock()
	accepted := r.sent.accepted
	l.crashLedger.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(to) == 2 {
		l.twice++
	}
	if !accepted && r.sent.secret == "" {
		r.delay = min(max(2*r.delay, 200*time.Millisecond), 3*time.Second)
		r.at = time.Now().Add(r.delay/2 + rand.N(r.delay/2))
		l.again = append(l.again, r)
	}
}

// send sends a delivery once, and writes down what was answered.
func (l *fleetLoad) send(url string, s *crashSent) {
	began := time.Now()
	l.crashLedger.mu.Lock()
	s.times++
	l.sent++
	l.crashLedger.mu.Unlock()
	a, err := answerTo(s.request(url))
	l.crashLedger.mu.Lock()
	defer l.crashLedger.mu.Unlock()
	if err != nil {
		l.unanswered++
		return
	}
	fromHost := a.code != http.StatusBadGateway && a.header.Get("X-Balancer") == ""
	if a.code == http.StatusOK {
		s.accepted = true
		l.accepted++
	} else {
		l.refused[a.code]++
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case a.code == http.StatusOK || !fromHost:
	case a.code == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
	case a.code == http.StatusUnauthorized && s.secret != "":
	default:
		l.faults = append(l.faults, s.id+" was answered "+http.StatusText(a.code)+" "+a.text)
	}
	if fromHost {
		l.slowest = max(l.slowest, time.Since(began))
	}
}

// counts is a copy of the answers that were no 2xx.
func (l *fleetLoad) counts() map[int]int {
	l.crashLedger.mu.Lock()
	defer l.crashLedger.mu.Unlock()
	return maps.Clone(l.refused)
}
