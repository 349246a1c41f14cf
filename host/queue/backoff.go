package queue

import (
	"math/rand/v2"
	"time"
)

// A store that is down comes back in its own time: the first retry is quick
// enough for a short lock, the last slow enough not to be the next problem.
const (
	backoffMin = 100 * time.Millisecond
	backoffMax = 5 * time.Second
)

type backoff struct{ last time.Duration }

// next doubles the wait, and takes up to half off so that hosts that fail
// together do not return together.
func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, backoffMin), backoffMax)
	return b.last - rand.N(b.last/2)
}

func (b *backoff) reset() { b.last = 0 }

// complaint tells whether an error is news: a store that is down for an hour
// deserves one line, not thousands.
type complaint struct{ last string }

func (c *complaint) news(err error) bool {
	text := ""
	if err != nil {
		text = err.Error()
	}
	changed := text != c.last
	c.last = text
	return changed
}
