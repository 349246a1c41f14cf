package tracing

import (
	"context"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/action-llama/gateway/host/logline"
)

// What became of spans.
const (
	spanSent    = "sent"
	spanFailed  = "failed"  // the collector did not take it, or is not there
	spanDropped = "dropped" // too many waited
)

type metrics struct {
	spans *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{spans: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "al_trace_spans_total",
		Help: "Spans by what became of them: sent, failed (the collector did not take them) or dropped (too many waited). All 0 without traces.",
	}, []string{"outcome"})}
	for _, outcome := range []string{spanSent, spanFailed, spanDropped} {
		m.spans.WithLabelValues(outcome)
	}
	r.MustRegister(m.spans)
	return m
}

// bounded hands on as many spans as may wait, and counts the rest: what comes
// after it would drop them silently.
type bounded struct {
	sdktrace.SpanProcessor
	exporter *exporter
}

func (b *bounded) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if b.exporter.waiting.Add(1) > mostSpans {
		b.exporter.waiting.Add(-1)
		b.exporter.metrics.spans.WithLabelValues(spanDropped).Inc()
		return
	}
	b.SpanProcessor.OnEnd(s)
}

// exporter counts what is sent, and says once when that does not work any more,
// and once when it does again.
type exporter struct {
	sdktrace.SpanExporter
	metrics *metrics
	log     hclog.Logger
	waiting atomic.Int64
	down    atomic.Bool
}

func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	defer e.waiting.Add(-int64(len(spans)))
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		e.metrics.spans.WithLabelValues(spanFailed).Add(float64(len(spans)))
		if !e.down.Swap(true) {
			e.log.Warn("traces can not be sent; they are lost until they can", "error", logline.Error(err))
		}
		return nil // was told
	}
	e.metrics.spans.WithLabelValues(spanSent).Add(float64(len(spans)))
	if e.down.Swap(false) {
		e.log.Info("traces can be sent again")
	}
	return nil
}
