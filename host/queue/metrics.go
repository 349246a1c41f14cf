package queue

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

type metrics struct {
	jobs     jobMetrics
	runs     *prometheus.CounterVec
	duration *prometheus.HistogramVec
	wait     *prometheus.HistogramVec
	starting prometheus.Histogram
}

// native has a histogram serve exponential buckets besides the classic ones, to
// those who ask in the form that carries them.
func native(o prometheus.HistogramOpts) prometheus.HistogramOpts {
	o.NativeHistogramBucketFactor = 1.1
	o.NativeHistogramMaxBucketNumber = 100
	o.NativeHistogramMinResetDuration = time.Hour
	return o
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		jobs: newJobMetrics(),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "al_runs_total",
			Help: "Runs that ended, by outcome: done, failed, killed, released or lost.",
		}, []string{"agent", "trigger", "outcome"}),
		duration: prometheus.NewHistogramVec(native(prometheus.HistogramOpts{
			Name: "al_run_duration_seconds",
			Help: "How long runs took, whatever their outcome.",
			// An agent works for seconds to an hour; 900 s is the default timeout.
			Buckets: []float64{1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600},
		}), []string{"agent"}),
		wait: prometheus.NewHistogramVec(native(prometheus.HistogramOpts{
			Name:    "al_queue_wait_seconds",
			Help:    "How long jobs waited for their first run.",
			Buckets: []float64{0.01, 0.1, 1, 5, 15, 60, 300, 900, 3600},
		}), []string{"agent"}),
		starting: prometheus.NewHistogram(native(prometheus.HistogramOpts{
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
	return m, errors.Join(m.jobs.register(r), r.Register(m.runs), r.Register(m.duration), r.Register(m.wait), r.Register(m.starting))
}

func (m *metrics) started(c store.Claimed) {
	if c.Job.Attempt <= 1 { // later, the wait would hold the runs before
		observe(m.wait.WithLabelValues(c.Job.Agent), max(0, c.Run.StartedAt.Sub(c.Job.QueuedAt)), c.Job.Receipt)
	}
}

func (m *metrics) ended(c store.Claimed, outcome string, took time.Duration) {
	m.runs.WithLabelValues(c.Job.Agent, string(c.Job.Trigger), outcome).Inc()
	observe(m.duration.WithLabelValues(c.Job.Agent), took, c.Job.Receipt)
}

// observe keeps the receipt with the bucket, for those who want to see one of
// the jobs that are in it.
func observe(o prometheus.Observer, took time.Duration, receipt string) {
	if with, ok := o.(prometheus.ExemplarObserver); ok && receipt != "" {
		with.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"receipt_id": receipt})
		return
	}
	o.Observe(took.Seconds())
}

// SetAgents creates the series of the configured agents at zero, so that the
// first failure of an agent is a rise, and drops those of agents that are gone.
func (d *Dispatcher) SetAgents(agents []string) {
	m := d.metrics
	now := make(map[string]bool, len(agents))
	for _, agent := range agents {
		now[agent] = true
		for _, trigger := range []job.Trigger{job.Webhook, job.Schedule, job.Manual} {
			// The two that rates are made of; the others are rare.
			m.runs.WithLabelValues(agent, string(trigger), outcomeDone)
			m.runs.WithLabelValues(agent, string(trigger), outcomeFailed)
		}
		m.duration.WithLabelValues(agent)
		m.wait.WithLabelValues(agent)
		m.jobs.create(agent)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// Also those of agents that went before: a run that ended after its agent
	// has made some again.
	for agent := range d.agents {
		if !now[agent] {
			gone := prometheus.Labels{"agent": agent}
			m.runs.DeletePartialMatch(gone)
			m.duration.DeletePartialMatch(gone)
			m.wait.DeletePartialMatch(gone)
			m.jobs.drop(agent)
		}
	}
	maps.Copy(d.agents, now)
}

// scrapeTimeout is well inside the 10 s that Prometheus gives a scrape.
const scrapeTimeout = 2 * time.Second

// Collector reads the state of the queues from the store at scrape time, so
// that the numbers are the store's own and the same on every host. While the
// store does not answer, their series are absent, never stale.
type Collector struct {
	queues func(context.Context) ([]store.Queue, error)
	now    func() time.Time
	log    hclog.Logger

	depth, capacity, oldest, dropped, active, limit, paused, budget *prometheus.Desc
}

// NewCollector returns a collector over the Queues method of a store.
func NewCollector(queues func(context.Context) ([]store.Queue, error), now func() time.Time, log hclog.Logger) *Collector {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = hclog.NewNullLogger()
	}
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"agent"}, nil)
	}
	return &Collector{
		queues: queues, now: now, log: log,
		depth:    desc("al_queue_depth", "Jobs that wait."),
		capacity: desc("al_queue_capacity", "Jobs that may wait before the oldest is dropped."),
		oldest:   desc("al_queue_oldest_seconds", "For how long the oldest waiting job has waited; 0 when none waits."),
		dropped:  desc("al_queue_dropped_total", "Jobs that were dropped: from a full queue, for a newer one with their key, or for want of a budget."),
		active:   desc("al_runs_active", "Runs under way, on all hosts of the store."),
		limit:    desc("al_runs_limit", "Runs that may be under way at once: the scale of the agent."),
		paused:   desc("al_agent_paused", "1 while the agent is paused."),
		budget:   desc("al_runs_budget_exhausted", "1 while maxRunsPerHour or maxRunsPerDay of the agent keeps it from starting runs."),
	}
}

func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.depth, c.capacity, c.oldest, c.dropped, c.active, c.limit, c.paused, c.budget} {
		ch <- d
	}
}

func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	queues, err := c.queues(ctx)
	if err != nil {
		c.log.Debug("queues can not be measured", "error", err)
		return
	}
	now := c.now()
	for _, q := range queues {
		send := func(d *prometheus.Desc, t prometheus.ValueType, v float64) {
			m, err := prometheus.NewConstMetric(d, t, v, q.Agent)
			if err != nil { // a name that is no text must not end the host
				m = prometheus.NewInvalidMetric(d, err)
			}
			ch <- m
		}
		oldest := 0.0
		if !q.Oldest.IsZero() {
			oldest = max(0, now.Sub(q.Oldest).Seconds())
		}
		send(c.depth, prometheus.GaugeValue, float64(q.Waiting))
		send(c.capacity, prometheus.GaugeValue, float64(q.Capacity))
		send(c.oldest, prometheus.GaugeValue, oldest)
		send(c.dropped, prometheus.CounterValue, float64(q.Dropped))
		send(c.active, prometheus.GaugeValue, float64(q.Running))
		send(c.limit, prometheus.GaugeValue, float64(q.Scale))
		send(c.paused, prometheus.GaugeValue, flag(q.Paused))
		send(c.budget, prometheus.GaugeValue, flag(q.LimitedUntil.After(now)))
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
