//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// crashLedger is what the senders of the crash test know: what they sent, and
// what was promised to them.
type crashLedger struct {
	kinds [][]string // of deliveries

	mu   sync.Mutex
	open map[string]*crashSent // not yet seen to their end, by delivery id
	last int

	sent, accepted, unanswered int
	refused                    map[int]int // by status
	codes                      map[int]int // of the gateway that runs now
}

// crashSent is one delivery.
type crashSent struct {
	delivery
	agents   []string // that it starts
	times    int      // how often it was sent
	accepted bool     // a 2xx was received
}

func newCrashLedger() *crashLedger {
	return &crashLedger{kinds: crashKinds(), open: map[string]*crashSent{}, refused: map[int]int{}, codes: map[int]int{}}
}

// make writes down a delivery before it is sent.
func (l *crashLedger) make() *crashSent {
	return l.makeFor(l.kinds[rand.IntN(len(l.kinds))])
}

func (l *crashLedger) makeFor(labels []string) *crashSent {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	s := &crashSent{delivery: crashIssue(fmt.Sprintf("d%d", l.last), 1+rand.IntN(5), labels), agents: labels}
	switch {
	case labels[0] == "nobody":
		s.agents = nil
	case rand.IntN(25) == 0:
		s.secret, s.agents = "not the secret", nil
	}
	l.open[s.id] = s
	return s
}

// unanswered lists what a vendor would send again.
func (l *crashLedger) toRepeat() []*crashSent {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*crashSent
	for _, s := range l.open {
		if !s.accepted && s.secret == "" {
			out = append(out, s)
		}
	}
	return out
}

// send sends a delivery and writes down what was answered. It returns an error
// when there was no answer.
func (l *crashLedger) send(g *gateway, s *crashSent) error {
	l.mu.Lock()
	s.times++
	l.sent++
	l.mu.Unlock()
	a, err := g.send(s.delivery)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.unanswered++
		return err
	}
	l.codes[a.code]++
	if a.code == http.StatusOK {
		s.accepted = true
		l.accepted++
	} else {
		l.refused[a.code]++
	}
	return nil
}

// load is what several clients send while the gateway is killed.
type crashLoad struct {
	clients int
	each    int           // deliveries of one client
	pause   time.Duration // of a client between two
}

func someCrashLoad() crashLoad {
	l := crashLoad{clients: 1 + rand.IntN(8), each: 1 + rand.IntN(10)}
	if rand.IntN(3) > 0 { // else all at once, for commits that many share
		l.pause = time.Duration(rand.IntN(20)) * time.Millisecond
	}
	return l
}

// start sends until everything is sent, an answer does not come, or the
// context ends. The channel is closed then.
func (l *crashLedger) start(ctx context.Context, g *gateway, load crashLoad) <-chan struct{} {
	repeat := l.toRepeat()
	var clients sync.WaitGroup
	clients.Go(func() {
		for _, s := range repeat {
			if ctx.Err() != nil || l.send(g, s) != nil {
				return
			}
		}
	})
	for range load.clients {
		clients.Go(func() {
			for range load.each {
				if ctx.Err() != nil || l.send(g, l.make()) != nil {
					return
				}
				pauseFor(ctx, load.pause)
			}
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	return done
}

func pauseFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
