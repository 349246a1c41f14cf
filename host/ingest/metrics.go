package ingest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/internal/histogram"
	"github.com/action-llama/gateway/host/job"
)

// unknownProvider is the label of requests to a type that no source has: what
// a stranger puts into a URL creates no series.
const unknownProvider = "unknown"

// Stages of a delivery.
const (
	stageRead     = "read"     // its body
	stageProvider = "provider" // verified and parsed
	stageMatch    = "match"    // against the triggers
	stageCommit   = "commit"   // its receipt and jobs, to the disk
)

var stages = [...]string{stageRead, stageProvider, stageMatch, stageCommit}

// The words with which a delivery is refused; see refuse.
var reasons = []string{
	"bad_signature", "busy", "credential", "illegal_answer", "illegal_reply", "incomplete", "internal", "method",
	"provider_down", "provider_slow", "stale", "store", "too_large", "unknown_source", unknownType, "unparseable",
}

const unknownType = "unknown_type"

// How the vendor's limit was missed.
const (
	missedLate    = "late"     // the answer was ready after it
	missedGivenUp = "given_up" // 503 within it, because the provider or the store used up its share
)

// codes have series of their own; a provider may answer with any, and the others
// are counted by their class.
var codes = []int{
	http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent,
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
	http.StatusRequestEntityTooLarge, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
}

func codeLabel(code int) string {
	if slices.Contains(codes, code) {
		return strconv.Itoa(code)
	}
	return strconv.Itoa(code/100) + "xx"
}

// deletable are the families with series of a provider, or of an agent.
type deletable interface {
	DeletePartialMatch(prometheus.Labels) int
}

type metrics struct {
	requests *prometheus.CounterVec
	refused  *prometheus.CounterVec
	duration *prometheus.HistogramVec
	stage    *prometheus.HistogramVec
	missed   *prometheus.CounterVec
	limit    *prometheus.GaugeVec
	events   *prometheus.CounterVec
	received *prometheus.CounterVec
	trips    *prometheus.CounterVec
	counted  func() // trips changed
	heard    *lastEvents
	ofType   []deletable // those with the label provider
	known    known       // for Update, one at a time
}

// known are the labels that have, or had, series.
type known struct {
	types, agents map[string]bool
	sources       map[string]string // with their types
}

func newMetrics(o Options, b *budget) *metrics {
	r, agents, counted := o.Registerer, o.Agents, o.Counted
	if agents == nil {
		agents = r
	}
	if counted == nil {
		counted = func() {}
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		requests: counter("al_webhook_requests_total",
			"Deliveries answered, by provider type and HTTP status; unusual ones by their class, 4xx.", "provider", "code"),
		refused: counter("al_webhook_refused_total",
			"Deliveries refused, by the word that the answer has for it.", "provider", "reason"),
		duration: prometheus.NewHistogramVec(histogram.Native(prometheus.HistogramOpts{
			Name: "al_webhook_duration_seconds",
			Help: "Time from the headers of a delivery to its answer.",
			// From a round trip to the longest deadline of a vendor.
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}), []string{"provider"}),
		stage: prometheus.NewHistogramVec(histogram.Native(prometheus.HistogramOpts{
			Name: "al_webhook_stage_seconds",
			Help: "Time of the stages of a delivery: read (its body), provider (verified and parsed), match, commit (to the disk).",
			// Matching takes microseconds, a sender's slow line seconds.
			Buckets: []float64{.00001, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}), []string{"provider", "stage"}),
		missed: counter("al_webhook_deadline_missed_total",
			"Deliveries not taken within the vendor's limit: late (answered after it) or given_up (503 within it).", "provider", "how"),
		limit: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "al_webhook_deadline_seconds",
			Help: "How long the vendor waits for an answer.",
		}, []string{"provider"}),
		events: counter("al_events_total",
			"Events by what became of them: queued, merged, duplicate, dropped, held_back or unmatched.", "provider", "outcome"),
		received: counter("al_source_events_total",
			"Events that a source was proved to have sent.", "provider", "source"),
		trips: counter("al_agent_loops_total",
			"How often an agent was paused because it kept starting itself.", "agent"),
		counted: counted,
		heard:   newLastEvents(o.Now),
		known:   known{types: map[string]bool{}, agents: map[string]bool{}, sources: map[string]string{}},
	}
	m.ofType = []deletable{m.requests, m.refused, m.duration, m.stage, m.missed, m.limit, m.events}
	inflight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "al_webhook_inflight_bytes",
		Help: "Memory held by bodies of deliveries that are being answered.",
	}, func() float64 { return float64(b.used.Load()) })
	r.MustRegister(m.requests, m.refused, m.duration, m.stage, m.missed, m.limit, m.events, m.received, m.heard, inflight)
	agents.MustRegister(m.trips)
	m.requests.WithLabelValues(unknownProvider, codeLabel(http.StatusNotFound))
	m.refused.WithLabelValues(unknownProvider, unknownType)
	m.duration.WithLabelValues(unknownProvider)
	return m
}

// update creates the series of what the routes name at zero, so that a rate over
// them works from the first delivery, and drops those of what is gone. Also of
// what went before: a delivery that was under way has made some again.
func (m *metrics) update(routes *Routes) {
	sources := map[string]string{}
	for typ, route := range routes.Types {
		m.known.types[typ] = true
		m.create(typ)
		m.limit.WithLabelValues(typ).Set(route.Descriptor.ReplyDeadline.Seconds())
		for _, s := range route.Sources {
			sources[s.Name] = typ
		}
	}
	for typ := range m.known.types {
		if routes.Types[typ] == nil {
			for _, family := range m.ofType {
				family.DeletePartialMatch(prometheus.Labels{"provider": typ})
			}
		}
	}
	for source, typ := range m.known.sources {
		if sources[source] != typ {
			m.received.DeleteLabelValues(typ, source)
		}
	}
	maps.Copy(m.known.sources, sources)
	for source, typ := range sources {
		m.received.WithLabelValues(typ, source)
	}
	m.heard.configure(sources)
	for _, agent := range routes.Agents {
		m.known.agents[agent] = true
		m.trips.WithLabelValues(agent)
	}
	for agent := range m.known.agents {
		if !slices.Contains(routes.Agents, agent) {
			m.trips.DeleteLabelValues(agent)
		}
	}
	m.counted()
}

// tripped counts that an agent was paused.
func (m *metrics) tripped(agent string) {
	m.trips.WithLabelValues(agent).Inc()
	m.counted()
}

func (m *metrics) create(provider string) {
	for _, code := range []int{200, 400, 401, 404, 405, 413, 502, 503} {
		m.requests.WithLabelValues(provider, codeLabel(code))
	}
	for _, reason := range reasons {
		if reason != unknownType {
			m.refused.WithLabelValues(provider, reason)
		}
	}
	for _, outcome := range []job.Outcome{job.Queued, job.Merged, job.Duplicate, job.NotQueued, job.HeldBack, job.Unmatched} {
		m.events.WithLabelValues(provider, string(outcome))
	}
	for _, stage := range stages {
		m.stage.WithLabelValues(provider, stage)
	}
	m.missed.WithLabelValues(provider, missedLate)
	m.missed.WithLabelValues(provider, missedGivenUp)
	m.duration.WithLabelValues(provider)
}

// answered counts a delivery by its answer. receipt is empty when nothing of it
// is kept.
func (m *metrics) answered(provider string, a answer, took time.Duration, receipt string) {
	m.requests.WithLabelValues(provider, codeLabel(a.status)).Inc()
	if a.word != "" {
		m.refused.WithLabelValues(provider, a.word).Inc()
	}
	histogram.Observe(m.duration.WithLabelValues(provider), took, receipt)
}

// against counts a delivery that missed the vendor's limit.
func (m *metrics) against(provider string, limit, took time.Duration, a answer) {
	switch {
	case took > limit:
		m.missed.WithLabelValues(provider, missedLate).Inc()
	case a.overdue:
		m.missed.WithLabelValues(provider, missedGivenUp).Inc()
	}
}
