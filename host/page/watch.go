package page

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/deliveries"
)

// Topics are what may change.
const (
	topicAgents     = "agents"
	topicDeliveries = "deliveries"
	topicRuns       = "runs"
)

const (
	// pollEvery is how soon a change is seen, while somebody looks.
	pollEvery = time.Second
	// pollShare bounds the part of the time that is spent on looking: a poll
	// that took a second is followed by ten of rest.
	pollShare = 10
	// sightFor is how long what was read is good for others who ask.
	sightFor = 400 * time.Millisecond
	// totalsFor is the same for what is read of many records.
	totalsFor = 15 * time.Second
	// totalsPatience bounds the wait for them.
	totalsPatience = 2 * time.Second
	// maxWatchers bounds the streams. Each holds a connection.
	maxWatchers = 32
	// newest is how many of the newest records are watched.
	newest = 50
)

// sight is what is to be seen in one moment.
type sight struct {
	at       time.Time
	status   api.Status
	receipts []deliveries.Receipt
	runs     []api.RunStatus
	totals   totals
}

// totals is what the last day came to, and what waits for a person.
type totals struct {
	at           time.Time
	Known        bool // it could be counted
	Done, Failed int
	Dead         int
	ManyDead     bool // there are more than were counted
}

// maxDead is how many dead letters are counted.
const maxDead = 100

// Rate is how many of the runs that ended were fine, in percent.
func (t totals) Rate() int {
	if t.Done+t.Failed == 0 {
		return 0
	}
	return t.Done * 100 / (t.Done + t.Failed)
}

// watch looks at a gateway for all who look at the page, once for all of them.
type watch struct {
	gateway Gateway
	log     hclog.Logger
	depths  depths

	reading sync.Mutex // one reads, and the others take what it read
	seen    sight

	mu       sync.Mutex
	watchers map[*watcher]bool
	marks    map[string]uint64 // of what each topic was when it was last told
}

func newWatch(g Gateway, log hclog.Logger) *watch {
	return &watch{gateway: g, log: log, watchers: map[*watcher]bool{}, marks: map[string]uint64{}}
}

// watcher is one who is told of changes. Those that come while it is busy become
// one.
type watcher struct {
	topics map[string]bool
	wake   chan struct{}
}

// join returns nil when there are too many.
func (w *watch) join() *watcher {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.watchers) >= maxWatchers {
		return nil
	}
	one := &watcher{topics: map[string]bool{}, wake: make(chan struct{}, 1)}
	w.watchers[one] = true
	return one
}

func (w *watch) leave(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watchers, one)
}

// take returns what changed since the last call.
func (w *watch) take(one *watcher) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var topics []string
	for t := range one.topics {
		topics = append(topics, t)
	}
	clear(one.topics)
	slices.Sort(topics)
	return topics
}

// many is how many watch.
func (w *watch) many() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watchers)
}

// run samples queues all the time, and looks for changes while somebody wants to
// know of them.
func (w *watch) run(ctx context.Context, enabled func() bool) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var sampled, rested time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !enabled() {
			continue
		}
		now := time.Now()
		if now.Sub(sampled) >= sampleEvery {
			sampled = now
			w.sample(ctx, now)
		}
		if now.After(rested) && w.many() > 0 {
			w.poll(ctx)
			rested = time.Now().Add(pollShare * time.Since(now))
		}
	}
}

func (w *watch) sample(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	queues, err := w.gateway.Queues(ctx)
	if err != nil {
		w.log.Debug("queue depths not sampled", "error", err)
		return
	}
	w.depths.add(now, queues)
}

// poll tells watchers which topics changed.
func (w *watch) poll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := w.look(ctx)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			w.log.Debug("no look at the gateway", "error", err)
		}
		return
	}
	now := map[string]uint64{
		topicAgents: fingerprint(still(s.status), s.totals, w.depths.mark()), topicDeliveries: fingerprint(s.receipts), topicRuns: fingerprint(s.runs),
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for topic, mark := range now {
		if w.marks[topic] == mark {
			continue
		}
		w.marks[topic] = mark
		for one := range w.watchers {
			one.topics[topic] = true
			select {
			case one.wake <- struct{}{}:
			default: // it is told already that there is something
			}
		}
	}
}

// still is a status without what changes by itself.
func still(s api.Status) api.Status {
	s.Agents = slices.Clone(s.Agents)
	for i := range s.Agents {
		s.Agents[i].OldestSeconds = 0
	}
	return s
}

func fingerprint(values ...any) uint64 {
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(values) // a hash takes all, and these are plain data
	return h.Sum64()
}

// look returns what is to be seen now, or was a moment ago.
func (w *watch) look(ctx context.Context) (sight, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	now := time.Now()
	if now.Sub(w.seen.at) < sightFor {
		return w.seen, nil
	}
	s := sight{at: now, totals: w.seen.totals}
	var err error
	if s.status, err = w.gateway.Status(ctx); err != nil {
		return s, err
	}
	if s.receipts, err = w.gateway.Deliveries().List(ctx, deliveries.Filter{Limit: newest}); err != nil {
		return s, err
	}
	if s.runs, err = w.gateway.Runs(ctx, api.RunsQuery{Limit: newest}); err != nil {
		return s, err
	}
	if now.Sub(s.totals.at) >= totalsFor {
		s.totals = w.count(ctx, now)
	}
	w.seen = s
	return s, nil
}

// forget makes the next look a new one: somebody did something.
func (w *watch) forget() {
	w.reading.Lock()
	defer w.reading.Unlock()
	w.seen.at, w.seen.totals.at = time.Time{}, time.Time{}
}

// count reads totals. Without them a page is still worth a look.
func (w *watch) count(ctx context.Context, now time.Time) totals {
	ctx, cancel := context.WithTimeout(ctx, totalsPatience)
	defer cancel()
	out := totals{at: now}
	stats, err := w.gateway.Stats(ctx, "", 24*time.Hour)
	if err != nil {
		w.log.Debug("runs not counted", "error", err)
		return out
	}
	for _, a := range stats.Agents {
		out.Done += a.Done
		out.Failed += a.Failed
	}
	dead, err := w.gateway.Deliveries().List(ctx, deliveries.Filter{Dead: true, Limit: maxDead})
	if err != nil {
		w.log.Debug("dead letters not counted", "error", err)
		return out
	}
	out.Dead, out.ManyDead, out.Known = len(dead), len(dead) == maxDead, true
	return out
}
