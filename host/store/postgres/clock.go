package postgres

import (
	"sync/atomic"
	"time"
)

// clock tells the database's time without asking it each time. It goes by the
// host's steady clock in between, so that setting a host's clock changes
// nothing.
type clock struct {
	seen atomic.Pointer[sighting]
}

type sighting struct {
	local time.Time // with its monotonic reading
	there time.Time
}

// set takes a time of the database that was asked for and received then. It
// counts as that of the middle.
func (c *clock) set(there int64, asked, received time.Time) {
	c.seen.Store(&sighting{local: asked.Add(received.Sub(asked) / 2), there: time.Unix(0, there)})
}

func (c *clock) now() time.Time {
	s := c.seen.Load()
	if s == nil {
		return time.Now()
	}
	return s.there.Add(time.Since(s.local))
}
