package cli

import (
	"fmt"
	"sync"
	"time"
)

// progress is a line on the terminal that says what takes so long. It comes
// after a second, counts on, and is gone when it is stopped; without a terminal
// there is none. While there is one, nobody else writes to the terminal.
type progress struct {
	s    Streams
	say  chan string
	done chan struct{}
	work sync.WaitGroup
}

const (
	progressAfter = time.Second
	progressEvery = time.Second
)

// startProgress begins one. Whoever starts it stops it.
func startProgress(s Streams, what string) *progress {
	p := &progress{s: s, say: make(chan string), done: make(chan struct{})}
	if s.ErrTerminal {
		p.work.Go(func() { p.run(what) })
	}
	return p
}

func (p *progress) run(what string) {
	s := p.s
	began := time.Now()
	next := time.NewTimer(progressAfter)
	defer next.Stop()
	shown := false
	draw := func() {
		fmt.Fprintf(s.Err, "\r\x1b[K%s", s.errPaint(dim, fmt.Sprintf("%s (%s)", what, time.Since(began).Round(time.Second))))
		shown = true
	}
	for {
		select {
		case <-p.done:
			if shown {
				fmt.Fprint(s.Err, "\r\x1b[K")
			}
			return
		case what = <-p.say:
			if shown {
				draw()
			}
		case <-next.C:
			draw()
			next.Reset(progressEvery)
		}
	}
}

// update says something else from now on.
func (p *progress) update(what string) {
	if p.s.ErrTerminal {
		p.say <- what
	}
}

// stop takes the line away.
func (p *progress) stop() {
	close(p.done)
	p.work.Wait()
}
