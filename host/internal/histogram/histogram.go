// Package histogram is what the histograms of the gateway have in common: native
// buckets beside the classic ones, and the receipt as exemplar. It defines none.
package histogram

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Native has a histogram serve exponential buckets besides the classic ones, to
// those who ask in the form that carries them. A hundred cover six orders of
// magnitude within some 10 percent.
func Native(o prometheus.HistogramOpts) prometheus.HistogramOpts {
	o.NativeHistogramBucketFactor = 1.1
	o.NativeHistogramMaxBucketNumber = 100
	o.NativeHistogramMinResetDuration = time.Hour
	return o
}

// Observe notes a time and keeps the receipt with its bucket, for those who want
// to see one of the deliveries or jobs that are in it. receipt may be empty.
func Observe(o prometheus.Observer, took time.Duration, receipt string) {
	if with, ok := o.(prometheus.ExemplarObserver); ok && receipt != "" {
		with.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"receipt_id": receipt})
		return
	}
	o.Observe(took.Seconds())
}
