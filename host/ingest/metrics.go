package ingest

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/job"
)

// unknownProvider is the label of requests to a type that no source has: what
// a stranger puts into a URL creates no series.
const unknownProvider = "unknown"

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	events   *prometheus.CounterVec
	trips    *prometheus.CounterVec
	inflight prometheus.GaugeFunc
}

func newMetrics(r prometheus.Registerer, b *budget) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "al_webhook_requests_total",
			Help: "Deliveries answered, by provider type and HTTP status.",
		}, []string{"provider", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "al_webhook_duration_seconds",
			Help: "Time from the headers of a delivery to its answer.",
			// From a round trip to the longest deadline of a vendor.
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"provider"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "al_events_total",
			Help: "Events by what became of them: queued, merged, duplicate, dropped, held_back or unmatched.",
		}, []string{"provider", "outcome"}),
		trips: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "al_agent_loops_total",
			Help: "How often an agent was paused because it kept starting itself.",
		}, []string{"agent"}),
		inflight: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "al_webhook_inflight_bytes",
			Help: "Memory held by bodies of deliveries that are being answered.",
		}, func() float64 { return float64(b.used.Load()) }),
	}
	r.MustRegister(m.requests, m.duration, m.events, m.trips, m.inflight)
	return m
}

// initialise creates the series of a provider at zero, so that a rate over them
// works from the first delivery.
func (m *metrics) initialise(provider string) {
	for _, code := range []string{"200", "400", "401", "413", "503"} {
		m.requests.WithLabelValues(provider, code)
	}
	for _, outcome := range []job.Outcome{job.Queued, job.Merged, job.Duplicate, job.NotQueued, job.HeldBack, job.Unmatched} {
		m.events.WithLabelValues(provider, string(outcome))
	}
	m.duration.WithLabelValues(provider)
}

func (m *metrics) answered(provider string, code int, took time.Duration) {
	m.requests.WithLabelValues(provider, strconv.Itoa(code)).Inc()
	m.duration.WithLabelValues(provider).Observe(took.Seconds())
}
