package queue

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/internal/histogram"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/scrape"
	"github.com/action-llama/gateway/host/store"
)

// metrics keeps the metrics of each agent by themselves, so that a scrape has
// to look at those only that did something since the last.
type metrics struct {
	board    *scrape.Board
	starting prometheus.Histogram

	mu     sync.Mutex
	agents map[string]*agentMetrics
}

type agentMetrics struct {
	part     *scrape.Part
	created  bool // its series, at zero
	jobs     jobMetrics
	runs     *prometheus.CounterVec
	duration prometheus.Histogram
	wait     prometheus.Histogram
}

func newMetrics(r prometheus.Registerer, b *scrape.Board) (*metrics, error) {
	if b == nil { // they are kept, and nobody sees them
		b = scrape.New(prometheus.NewRegistry())
	}
	m := &metrics{
		board:  b,
		agents: make(map[string]*agentMetrics),
		starting: prometheus.NewHistogram(histogram.Native(prometheus.HistogramOpts{
			Name: "al_run_start_seconds",
			Help: "Time from taking a job out of its queue to the first process of its run.",
			// Writing the prompt and forking takes milliseconds, and seconds on a
			// machine that has too much to do.
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		})),
	}
	if r == nil {
		return m, nil
	}
	return m, r.Register(m.starting)
}

// newAgentMetrics are those of an agent, and where they are gathered. An agent
// whose name can not be a label has an error, and is counted in vain.
func newAgentMetrics(name string) (*agentMetrics, *prometheus.Registry, error) {
	agent := prometheus.Labels{"agent": name}
	m := &agentMetrics{
		jobs: newJobMetrics(agent),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name:        "al_runs_total",
			Help:        "Runs that ended, by outcome: done, failed, killed, released or lost.",
			ConstLabels: agent,
		}, []string{"trigger", "outcome"}),
		duration: prometheus.NewHistogram(histogram.Native(prometheus.HistogramOpts{
			Name: "al_run_duration_seconds",
			Help: "How long runs took, whatever their outcome.",
			// An agent works for seconds to an hour; 900 s is the default timeout.
			Buckets:     []float64{1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600},
			ConstLabels: agent,
		})),
		wait: prometheus.NewHistogram(histogram.Native(prometheus.HistogramOpts{
			Name:        "al_queue_wait_seconds",
			Help:        "How long jobs waited for their first run.",
			Buckets:     []float64{0.01, 0.1, 1, 5, 15, 60, 300, 900, 3600},
			ConstLabels: agent,
		})),
	}
	r := prometheus.NewRegistry()
	return m, r, errors.Join(m.jobs.register(r), r.Register(m.runs), r.Register(m.duration), r.Register(m.wait))
}

// create makes the series that are there at zero.
func (m *agentMetrics) create() {
	for _, trigger := range []job.Trigger{job.Webhook, job.Schedule, job.Manual} {
		// The two that rates are made of; the others are rare.
		m.runs.WithLabelValues(string(trigger), outcomeDone)
		m.runs.WithLabelValues(string(trigger), outcomeFailed)
	}
	m.jobs.create()
}

// of returns the metrics of an agent, which may be one that is gone: a run may
// end after its agent.
func (m *metrics) of(name string) *agentMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.locked(name)
}

func (m *metrics) locked(name string) *agentMetrics {
	a := m.agents[name]
	if a == nil {
		var own *prometheus.Registry
		var err error
		if a, own, err = newAgentMetrics(name); err != nil {
			own = prometheus.NewRegistry()
		}
		a.part = m.board.Add(name, own)
		m.agents[name] = a
	}
	return a
}

// count changes the metrics of an agent, and has the next scrape see it.
func (m *metrics) count(agent string, change func(*agentMetrics)) {
	a := m.of(agent)
	change(a)
	a.part.Touch()
}

func (m *metrics) started(c store.Claimed) {
	if c.Job.Attempt <= 1 { // later, the wait would hold the runs before
		m.count(c.Job.Agent, func(a *agentMetrics) {
			histogram.Observe(a.wait, max(0, c.Run.StartedAt.Sub(c.Job.QueuedAt)), c.Job.Receipt)
		})
	}
}

func (m *metrics) ended(c store.Claimed, outcome string, took time.Duration) {
	m.count(c.Job.Agent, func(a *agentMetrics) {
		a.runs.WithLabelValues(string(c.Job.Trigger), outcome).Inc()
		histogram.Observe(a.duration, took, c.Job.Receipt)
	})
}

// SetAgents creates the series of the configured agents at zero, so that the
// first failure of an agent is a rise, and drops those of agents that are gone.
// Also those of agents that went before: a run that ended after its agent has
// made some again.
func (d *Dispatcher) SetAgents(agents []string) { d.metrics.set(agents) }

func (m *metrics) set(agents []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := make(map[string]bool, len(agents))
	for _, name := range agents {
		now[name] = true
		if a := m.locked(name); !a.created {
			a.created = true
			a.create()
			a.part.Touch()
		}
	}
	var gone []*scrape.Part
	for name, a := range m.agents {
		if !now[name] {
			gone = append(gone, a.part)
			delete(m.agents, name)
		}
	}
	m.board.Remove(gone...)
}
