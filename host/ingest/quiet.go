package ingest

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

// quietLog lets through a few lines a second of each kind: what a stranger can
// cause must not fill a disk. What was held back is counted in the next line.
type quietLog struct {
	out hclog.Logger

	mu    sync.Mutex
	kinds map[quietKind]*quietState
}

// quietKind is bounded: messages are constants, providers those configured.
type quietKind struct{ message, provider string }

type quietState struct {
	limit *rate.Limiter
	held  int
}

const (
	quietEvery = time.Second
	quietBurst = 5
)

func newQuietLog(out hclog.Logger) *quietLog {
	return &quietLog{out: out, kinds: map[quietKind]*quietState{}}
}

func (q *quietLog) log(message, provider string, args ...any) {
	q.mu.Lock()
	kind := quietKind{message, provider}
	state := q.kinds[kind]
	if state == nil {
		state = &quietState{limit: rate.NewLimiter(rate.Every(quietEvery), quietBurst)}
		q.kinds[kind] = state
	}
	if !state.limit.Allow() {
		state.held++
		q.mu.Unlock()
		return
	}
	held := state.held
	state.held = 0
	q.mu.Unlock()

	args = append([]any{"provider", provider}, args...)
	if held > 0 {
		args = append(args, "not_logged", held)
	}
	q.out.Warn(message, args...)
}
