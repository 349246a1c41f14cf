package pluginhost

import "github.com/prometheus/client_golang/prometheus"

// footprint is what a process has used, or uses.
type footprint struct {
	cpu      float64 // seconds, since its start
	resident float64 // bytes
	files    float64 // descriptors
}

// UsageCollector tells Prometheus what the process of each provider uses, read
// when it is asked for. Where nobody can tell, the series are absent.
type UsageCollector struct {
	status                func() []Status
	cpu, resident, opened *prometheus.Desc
}

// NewUsageCollector returns a collector over the Status method of a Host.
func NewUsageCollector(status func() []Status) *UsageCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"provider"}, nil)
	}
	return &UsageCollector{
		status:   status,
		cpu:      desc("al_provider_process_cpu_seconds_total", "CPU time that the provider's process has used; a restart begins anew. Linux only."),
		resident: desc("al_provider_process_resident_memory_bytes", "Resident memory of the provider's process. Linux only."),
		opened:   desc("al_provider_process_open_fds", "File descriptors that the provider's process has open. Linux only."),
	}
}

// Describe implements prometheus.Collector.
func (c *UsageCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.cpu
	ch <- c.resident
	ch <- c.opened
}

// Collect implements prometheus.Collector.
func (c *UsageCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.status() {
		if s.PID == 0 {
			continue
		}
		u, ok := footprintOf(s.PID)
		if !ok {
			continue // it has ended meanwhile
		}
		ch <- prometheus.MustNewConstMetric(c.cpu, prometheus.CounterValue, u.cpu, s.Type)
		ch <- prometheus.MustNewConstMetric(c.resident, prometheus.GaugeValue, u.resident, s.Type)
		ch <- prometheus.MustNewConstMetric(c.opened, prometheus.GaugeValue, u.files, s.Type)
	}
}
