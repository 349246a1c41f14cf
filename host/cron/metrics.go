package cron

import (
	"github.com/prometheus/client_golang/prometheus"
)

// What became of a tick. One that another host took is not counted here.
const (
	outcomeStarted = "started"
	outcomeSkipped = "skipped" // every slot of its agent was busy
	outcomePaused  = "paused"
)

type metrics struct{ ticks *prometheus.CounterVec }

func newMetrics(r prometheus.Registerer) (metrics, error) {
	m := metrics{ticks: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "al_cron_ticks_total",
		Help: "Ticks of schedules, by outcome: started, skipped (every slot was busy) or paused.",
	}, []string{"agent", "outcome"})}
	if r == nil {
		return m, nil
	}
	return m, r.Register(m.ticks)
}

func (m metrics) count(agent, outcome string) { m.ticks.WithLabelValues(agent, outcome).Inc() }

// create makes the series of an agent at zero, so that its first tick is a rise.
func (m metrics) create(agent string) {
	for _, outcome := range []string{outcomeStarted, outcomeSkipped, outcomePaused} {
		m.ticks.WithLabelValues(agent, outcome)
	}
}

func (m metrics) drop(agent string) { m.ticks.DeletePartialMatch(prometheus.Labels{"agent": agent}) }
