package queue

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/action-llama/gateway/host/scrape"
	"github.com/action-llama/gateway/host/store"
)

// scrapeTimeout is well inside the 10 s that Prometheus gives a scrape.
const scrapeTimeout = 2 * time.Second

// Collector reads the state of the queues from the store at scrape time, so
// that the numbers are the store's own and the same on every host. While the
// store does not answer, their series are absent, never stale.
type Collector struct {
	queues func(context.Context) ([]store.Queue, error)
	now    func() time.Time
	log    hclog.Logger

	board  *scrape.Board
	agents map[string]*queueMetrics // used by one scrape at a time
}

// queueMetrics are those of an agent, as the store told them last.
type queueMetrics struct {
	part   *scrape.Part
	agent  []*dto.LabelPair
	values queueValues
}

// NewCollector has a board serve what the Queues method of a store returns.
func NewCollector(b *scrape.Board, queues func(context.Context) ([]store.Queue, error), now func() time.Time, log hclog.Logger) *Collector {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = hclog.NewNullLogger()
	}
	c := &Collector{queues: queues, now: now, log: log, board: b, agents: make(map[string]*queueMetrics)}
	b.Before(c.refresh)
	return c
}

// refresh asks the store, and has those agents encoded again whose numbers are
// others.
func (c *Collector) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	queues, err := c.queues(ctx)
	if err != nil {
		c.log.Debug("queues can not be measured", "error", err)
		for _, m := range c.agents {
			m.part.Show(false)
		}
		return
	}
	now := c.now()
	told := make(map[string]bool, len(queues))
	for _, q := range queues {
		if !utf8.ValidString(q.Agent) { // it would spoil the scrape
			continue
		}
		told[q.Agent] = true
		values := valuesOf(q, now)
		m := c.agents[q.Agent]
		if m == nil {
			label, agent := "agent", q.Agent
			m = &queueMetrics{agent: []*dto.LabelPair{{Name: &label, Value: &agent}}, values: values}
			m.part = c.board.Add(q.Agent, prometheus.GathererFunc(m.gather))
			c.agents[q.Agent] = m
		}
		if values != m.values {
			m.values = values
			m.part.Touch()
		}
		m.part.Show(true)
	}
	var gone []*scrape.Part
	for agent, m := range c.agents {
		if !told[agent] {
			gone = append(gone, m.part)
			delete(c.agents, agent)
		}
	}
	c.board.Remove(gone...)
}

// queueValues are in the order of queueFamilies.
type queueValues [8]float64

var queueFamilies = [len(queueValues{})]struct {
	name, help string
	kind       dto.MetricType
}{
	{"al_queue_depth", "Jobs that wait.", dto.MetricType_GAUGE},
	{"al_queue_capacity", "Jobs that may wait before the oldest is dropped.", dto.MetricType_GAUGE},
	{"al_queue_oldest_seconds", "For how long the oldest waiting job has waited; 0 when none waits.", dto.MetricType_GAUGE},
	{"al_queue_dropped_total", "Jobs that were dropped: from a full queue, for a newer one with their key, or for want of a budget.", dto.MetricType_COUNTER},
	{"al_runs_active", "Runs under way, on all hosts of the store.", dto.MetricType_GAUGE},
	{"al_runs_limit", "Runs that may be under way at once: the scale of the agent.", dto.MetricType_GAUGE},
	{"al_agent_paused", "1 while the agent is paused.", dto.MetricType_GAUGE},
	{"al_runs_budget_exhausted", "1 while maxRunsPerHour or maxRunsPerDay of the agent keeps it from starting runs.", dto.MetricType_GAUGE},
}

func valuesOf(q store.Queue, now time.Time) queueValues {
	oldest := 0.0
	if !q.Oldest.IsZero() {
		oldest = max(0, now.Sub(q.Oldest).Seconds())
	}
	return queueValues{
		float64(q.Waiting), float64(q.Capacity), oldest, float64(q.Dropped), float64(q.Running), float64(q.Scale),
		flag(q.Paused), flag(q.LimitedUntil.After(now)),
	}
}

// gather makes the families by hand: a registry for each agent would cost more
// than all it has to tell.
func (m *queueMetrics) gather() ([]*dto.MetricFamily, error) {
	out := make([]*dto.MetricFamily, 0, len(queueFamilies))
	for i, f := range queueFamilies {
		value := m.values[i]
		metric := &dto.Metric{Label: m.agent}
		if f.kind == dto.MetricType_COUNTER {
			metric.Counter = &dto.Counter{Value: &value}
		} else {
			metric.Gauge = &dto.Gauge{Value: &value}
		}
		out = append(out, &dto.MetricFamily{Name: &f.name, Help: &f.help, Type: &f.kind, Metric: []*dto.Metric{metric}})
	}
	return out, nil
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
