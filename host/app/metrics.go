package app

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/internal/histogram"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/host/version"
)

// metrics are those of the parts that keep none themselves: provider processes
// and the store tell what happens, and know no Prometheus.
type metrics struct {
	up       *prometheus.GaugeVec
	restarts *prometheus.CounterVec
	replaced *prometheus.CounterVec
	faults   *prometheus.CounterVec
	rpc      *prometheus.HistogramVec
	commit   prometheus.Histogram
	batch    prometheus.Histogram

	reloads  *prometheus.CounterVec
	loaded   prometheus.Gauge
	loadedAt prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "al_provider_up",
			Help: "1 while the provider's process answers.",
		}, []string{"provider", "version"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "al_provider_restarts_total",
			Help: "Launches of a provider's process after the first.",
		}, []string{"provider"}),
		replaced: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "al_provider_replacements_total",
			Help: "Attempts to put another file in the place of a provider that runs, by result: replaced, or failed, and what ran stays.",
		}, []string{"provider", "result"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "al_provider_faults_total",
			Help: "What a provider did wrong, by kind; docs/provider-sandbox.md says what each is.",
		}, []string{"provider", "kind"}),
		rpc: prometheus.NewHistogramVec(histogram.Native(prometheus.HistogramOpts{
			Name:    "al_provider_rpc_seconds",
			Help:    "Time of calls to a provider, without waiting for a restart.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}), []string{"provider", "method"}),
		commit: prometheus.NewHistogram(histogram.Native(prometheus.HistogramOpts{
			Name: "al_store_commit_seconds",
			Help: "Time of one transaction of the store, to the disk and back.",
			// From a fast disk to one that hangs.
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		})),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "al_store_batch_size",
			Help:    "Operations that shared one transaction.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256},
		}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "al_config_reloads_total",
			Help: "Reloads of the configuration, by outcome: reloaded, unchanged (somebody asked) or failed.",
		}, []string{"outcome"}),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "al_config_last_reload_successful",
			Help: "0 while the files of the project are not what the gateway goes by, because they have errors.",
		}),
		loadedAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "al_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration that counts was loaded.",
		}),
	}
	for _, outcome := range []string{api.ReloadDone, api.ReloadUnchanged, api.ReloadFailed} {
		m.reloads.WithLabelValues(outcome)
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "al_build_info",
		Help: "Always 1; the labels say what was built with what.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(version.Version, runtime.Version()).Set(1)
	r.MustRegister(m.up, m.restarts, m.replaced, m.faults, m.rpc, m.commit, m.batch, m.reloads, m.loaded, m.loadedAt, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) committed(took time.Duration, ops int) {
	m.commit.Observe(took.Seconds())
	m.batch.Observe(float64(ops))
}

// configuration tells whether the last reload worked, and when one did.
func (m *metrics) configuration(ok bool, at time.Time) {
	if !ok {
		m.loaded.Set(0)
		return
	}
	m.loaded.Set(1)
	m.loadedAt.Set(float64(at.UnixMilli()) / 1000)
}

// unavailable tells of providers that have not come up yet: they have no version,
// and tell nothing themselves.
func (m *metrics) unavailable(routes *ingest.Routes) {
	for typ, route := range routes.Types {
		switch {
		case route.Unavailable != nil:
			m.up.WithLabelValues(typ, "").Set(0)
		case route.Descriptor.Version != "": // one that came up while it was looked for
			m.up.DeleteLabelValues(typ, "")
		}
	}
}

// ofProviders is what the plugin host is given. changed is called when a
// provider begins to answer.
func (m *metrics) ofProviders(changed func()) pluginhost.Metrics {
	return pluginhost.Metrics{
		RPC: func(provider, method string, took time.Duration) {
			m.rpc.WithLabelValues(provider, method).Observe(took.Seconds())
		},
		Up: func(provider, version string, up bool) {
			// One series for each provider: an upgrade replaces its version.
			m.up.DeletePartialMatch(prometheus.Labels{"provider": provider})
			value := 0.0
			if up {
				value = 1
			}
			m.up.WithLabelValues(provider, version).Set(value)
			m.restarts.WithLabelValues(provider)
			for _, result := range []string{api.ProviderReplaced, api.ProviderFailed} {
				m.replaced.WithLabelValues(provider, result)
			}
			for _, kind := range pluginhost.Faults() {
				m.faults.WithLabelValues(provider, string(kind))
			}
			m.rpc.WithLabelValues(provider, "deliver") // the others are for people
			if up {
				changed()
			}
		},
		Restart: func(provider string) { m.restarts.WithLabelValues(provider).Inc() },
		Replaced: func(provider string, ok bool) {
			result := api.ProviderReplaced
			if !ok {
				result = api.ProviderFailed
			}
			m.replaced.WithLabelValues(provider, result).Inc()
		},
		Fault: func(provider string, kind pluginhost.Fault) {
			m.faults.WithLabelValues(provider, string(kind)).Inc()
		},
		Gone: func(provider string) {
			gone := prometheus.Labels{"provider": provider}
			m.up.DeletePartialMatch(gone)
			m.restarts.DeletePartialMatch(gone)
			m.replaced.DeletePartialMatch(gone)
			m.faults.DeletePartialMatch(gone)
			m.rpc.DeletePartialMatch(gone)
		},
	}
}
