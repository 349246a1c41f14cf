package ingest

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lastEvents remembers of each configured source when it sent its last event,
// and tells Prometheus how long ago that is.
type lastEvents struct {
	now  func() time.Time
	desc *prometheus.Desc

	mu      sync.Mutex
	sources map[string]*lastEvent
}

type lastEvent struct {
	provider string
	at       time.Time // zero for none that is known
}

func newLastEvents(now func() time.Time) *lastEvents {
	return &lastEvents{
		now: now,
		desc: prometheus.NewDesc("al_source_last_event_age_seconds",
			"Seconds since the last event that a source was proved to have sent; +Inf when none is known.",
			[]string{"provider", "source"}, nil),
		sources: map[string]*lastEvent{},
	}
}

// configure makes the sources of a configuration those that are told of, by
// name, with their types. What is known of one that stays is kept.
func (l *lastEvents) configure(sources map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := make(map[string]*lastEvent, len(sources))
	for name, typ := range sources {
		if now := l.sources[name]; now != nil && now.provider == typ {
			next[name] = now
		} else {
			next[name] = &lastEvent{provider: typ}
		}
	}
	l.sources = next
}

// hear notes an event of a source; one that came before the last changes nothing.
func (l *lastEvents) hear(source string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sources[source]; s != nil && at.After(s.at) {
		s.at = at
	}
}

// unheard lists the sources of which no event is known, with their types.
func (l *lastEvents) unheard() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]string{}
	for name, s := range l.sources {
		if s.at.IsZero() {
			out[name] = s.provider
		}
	}
	return out
}

func (l *lastEvents) Describe(ch chan<- *prometheus.Desc) { ch <- l.desc }

func (l *lastEvents) Collect(ch chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for name, s := range l.sources {
		age := math.Inf(1)
		if !s.at.IsZero() {
			age = max(0, now.Sub(s.at).Seconds())
		}
		m, err := prometheus.NewConstMetric(l.desc, prometheus.GaugeValue, age, s.provider, name)
		if err != nil { // a name that is no text must not end the host
			m = prometheus.NewInvalidMetric(l.desc, err)
		}
		ch <- m
	}
}

// Unheard lists the sources of which no event is known since the start, by name,
// with their types.
func (h *Handler) Unheard() map[string]string { return h.metrics.heard.unheard() }

// Heard tells of an event that a source sent before the gateway was started.
func (h *Handler) Heard(source string, at time.Time) { h.metrics.heard.hear(source, at) }
