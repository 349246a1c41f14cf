package cli

import (
	"context"
	"time"
)

// poll waits between two looks at something that may change: shortly while it
// does, and longer while it does not.
type poll struct{ last time.Duration }

const (
	pollMin = 50 * time.Millisecond
	pollMax = 500 * time.Millisecond
)

// news says that the last look saw a change.
func (p *poll) news() { p.last = 0 }

// wait returns false when ctx ended.
func (p *poll) wait(ctx context.Context) bool {
	p.last = min(max(2*p.last, pollMin), pollMax)
	timer := time.NewTimer(p.last)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
