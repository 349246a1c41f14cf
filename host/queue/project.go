package queue

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/store"
)

// ProjectCollector is a Collector of what holds for all agents together.
type ProjectCollector struct {
	project func(context.Context) (store.Project, error)
	now     func() time.Time
	log     hclog.Logger

	active, limit, paused, budget *prometheus.Desc
}

// NewProjectCollector returns a collector over the Project method of a store.
func NewProjectCollector(project func(context.Context) (store.Project, error), now func() time.Time, log hclog.Logger) *ProjectCollector {
	return &ProjectCollector{
		project: project, now: now, log: log,
		active: prometheus.NewDesc("al_project_runs_active", "Runs under way, of all agents on all hosts of the store.", nil, nil),
		limit:  prometheus.NewDesc("al_project_runs_limit", "Runs that may be under way at once, of all agents together: the scale of the project; 0 for no limit.", nil, nil),
		paused: prometheus.NewDesc("al_project_paused", "1 while the whole project is paused.", nil, nil),
		budget: prometheus.NewDesc("al_project_budget_exhausted", "1 while maxRunsPerHour or maxRunsPerDay of the project keeps it from starting runs.", nil, nil),
	}
}

func (c *ProjectCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.active, c.limit, c.paused, c.budget} {
		ch <- d
	}
}

func (c *ProjectCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	p, err := c.project(ctx)
	if err != nil {
		c.log.Debug("the project can not be measured", "error", err)
		return
	}
	send := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	send(c.active, float64(p.Running))
	send(c.limit, float64(p.Scale))
	send(c.paused, flag(p.Paused))
	send(c.budget, flag(p.LimitedUntil.After(c.now())))
}
