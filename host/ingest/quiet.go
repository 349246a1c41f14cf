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

// quietKind is bounded: messages and reasons are constants, providers and agents
// those configured.
type quietKind struct{ message, of string }

type quietState struct {
	limit *rate.Limiter
	held  int
}

// quietRate is how many lines are let through, in a row and then a second.
type quietRate struct {
	burst  int
	second rate.Limit
}

var (
	// ofFaults: what goes wrong does so many times before it is mended, and the
	// first few say what it is.
	ofFaults = quietRate{burst: 5, second: 1}
	// ofDeliveries: more than people cause, and less than fills a disk: at 300
	// bytes a line, half a gigabyte in a day.
	ofDeliveries = quietRate{burst: 200, second: 20}
)

func newQuietLog(out hclog.Logger) *quietLog {
	return &quietLog{out: out, kinds: map[quietKind]*quietState{}}
}

// log writes a line, or counts it. of is what it is about: a provider, with the
// reason where one message has several, or an agent.
func (q *quietLog) log(r quietRate, level hclog.Level, message, of string, args ...any) {
	if level < q.out.GetLevel() {
		return
	}
	held, ok := q.take(r, quietKind{message, of})
	if !ok {
		return
	}
	if held > 0 {
		args = append(args, "not_logged", held)
	}
	q.out.Log(level, message, args...)
}

// take says whether a line of a kind may be written, and how many before it were
// not.
func (q *quietLog) take(r quietRate, kind quietKind) (held int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	state := q.kinds[kind]
	if state == nil {
		state = &quietState{limit: rate.NewLimiter(r.second, r.burst)}
		q.kinds[kind] = state
	}
	if !state.limit.AllowN(time.Now(), 1) {
		state.held++
		return 0, false
	}
	held, state.held = state.held, 0
	return held, true
}
