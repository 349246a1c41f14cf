package queue

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// What became of jobs when they came.
const (
	intoQueue     = "queued"
	intoBurst     = "merged"
	asDuplicate   = "duplicate"
	forBusyKey    = "skipped"
	forWantBudget = "limited"
)

// Why jobs were dropped.
const (
	dropFull   = "queue_full"  // the oldest, for a newer one
	dropNewer  = "newer_event" // with the same concurrency key
	dropBusy   = "busy_key"
	dropBudget = "budget"
)

// jobMetrics count jobs where runs are not enough to tell: a job has several
// runs, or none. With the depth of its queue, its active runs and its dropped
// jobs they add up for every agent:
//
//	queued + skipped + limited = done + failed + dead + dropped + depth + active
type jobMetrics struct {
	accepted *prometheus.CounterVec
	ended    *prometheus.CounterVec
	dropped  *prometheus.CounterVec
}

func newJobMetrics(agent prometheus.Labels) jobMetrics {
	return jobMetrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name:        "al_jobs_accepted_total",
			Help:        "Jobs asked for and recorded, by what became of them at once: queued, merged into one that waits, duplicate, skipped for a busy key, limited by a budget.",
			ConstLabels: agent,
		}, []string{"outcome"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name:        "al_jobs_ended_total",
			Help:        "Jobs that ended after their last run, by outcome: done, failed or dead.",
			ConstLabels: agent,
		}, []string{"outcome"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name:        "al_jobs_dropped_total",
			Help:        "Jobs that this host dropped since its start, by reason: queue_full (the oldest), newer_event (with the same key), busy_key or budget.",
			ConstLabels: agent,
		}, []string{"reason"}),
	}
}

func (m jobMetrics) register(r prometheus.Registerer) error {
	return errors.Join(r.Register(m.accepted), r.Register(m.ended), r.Register(m.dropped))
}

func (m jobMetrics) create() {
	for _, outcome := range []string{intoQueue, intoBurst, asDuplicate, forBusyKey, forWantBudget} {
		m.accepted.WithLabelValues(outcome)
	}
	for _, state := range []job.State{job.Done, job.Failed, job.Dead} {
		m.ended.WithLabelValues(string(state))
	}
	for _, reason := range []string{dropFull, dropNewer, dropBusy, dropBudget} {
		m.dropped.WithLabelValues(reason)
	}
}

func (m *metrics) jobEnded(agent string, state job.State) {
	m.count(agent, func(a *agentMetrics) { a.jobs.ended.WithLabelValues(string(state)).Inc() })
}

func (m *metrics) jobAccepted(agent, outcome string) {
	m.count(agent, func(a *agentMetrics) { a.jobs.accepted.WithLabelValues(outcome).Inc() })
}

func (m *metrics) jobDropped(agent, reason string) {
	m.count(agent, func(a *agentMetrics) { a.jobs.dropped.WithLabelValues(reason).Inc() })
}

// Accepted counts what the store made of the jobs of an acceptance. Ticks that
// it did not take are no jobs.
func (d *Dispatcher) Accepted(a store.Acceptance, out store.Accepted) {
	for i := range min(len(a.Jobs), len(out.Verdicts)) {
		var outcome string
		switch out.Verdicts[i] {
		case store.Enqueued:
			outcome = intoQueue
		case store.Merged:
			outcome = intoBurst
		case store.Duplicate:
			outcome = asDuplicate
		case store.Skipped:
			outcome = forBusyKey
			d.metrics.jobDropped(a.Jobs[i].Agent, dropBusy)
		case store.Limited:
			outcome = forWantBudget
			d.metrics.jobDropped(a.Jobs[i].Agent, dropBudget)
		case store.Busy, store.Paused:
			continue
		}
		d.metrics.jobAccepted(a.Jobs[i].Agent, outcome)
	}
	for _, drop := range out.Dropped {
		reason := dropFull
		if drop.By != 0 {
			reason = dropNewer
		}
		d.metrics.jobDropped(drop.Agent, reason)
	}
}
