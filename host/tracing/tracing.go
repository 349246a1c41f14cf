// Package tracing tells of deliveries and runs by OTLP, each a trace from the
// request to the end of the last run. It knows what ingest and the runner tell
// of them when they are over, and makes spans of that; they know nothing of it.
//
// The ids of a trace come from those of the receipt, the job and the run, so
// that nothing has to be kept for it: a run on another host, or after a restart,
// finds its place.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/action-llama/gateway/host/logline"
)

// Options of New.
type Options struct {
	// Endpoint is the collector of the configuration, without the path. Empty
	// leaves it to the environment, as OpenTelemetry has it.
	Endpoint   string
	Version    string
	Instance   string // of the gateway
	Host       string
	Log        hclog.Logger
	Registerer prometheus.Registerer
}

// Tracer makes spans. A nil one makes none. Its methods may be called from
// anywhere, and never wait for the collector.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	exporter *exporter
}

const (
	// mostSpans may wait for the collector, or be on their way to it. At a
	// kilobyte each that is little memory; what comes beyond is dropped.
	mostSpans = 4096
	// sendWithin bounds one attempt to send what waits.
	sendWithin = 10 * time.Second
	// flushWithin is for what waits when the gateway stops.
	flushWithin = 3 * time.Second
)

const tracesPath = "/v1/traces"

// New returns nil when nobody wants traces.
func New(ctx context.Context, o Options) (*Tracer, error) {
	m := newMetrics(o.Registerer)
	options, to, err := destination(o.Endpoint)
	if to == "" || err != nil {
		return nil, err
	}
	// The one thing of OpenTelemetry that is global. It says what is wrong with its
	// variables, and would write that past our log.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Log.Warn("OpenTelemetry", "error", logline.Error(err)) }))

	client, err := otlptracehttp.New(ctx, append(options, otlptracehttp.WithTimeout(sendWithin))...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithSchemaURL(semconv.SchemaURL),
		resource.WithAttributes(
			semconv.ServiceName("al"), semconv.ServiceVersion(o.Version), semconv.ServiceInstanceID(o.Instance), semconv.HostName(o.Host),
		),
		resource.WithFromEnv(), // the last word
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) && !errors.Is(err, resource.ErrSchemaURLConflict) {
		return nil, fmt.Errorf("traces: %w", err)
	}
	e := &exporter{SpanExporter: client, metrics: m, log: o.Log}
	batches := sdktrace.NewBatchSpanProcessor(e, sdktrace.WithMaxQueueSize(mostSpans), sdktrace.WithExportTimeout(sendWithin))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(about),
		sdktrace.WithIDGenerator(ids{}),
		sdktrace.WithSpanProcessor(&bounded{SpanProcessor: batches, exporter: e}),
	)
	o.Log.Info("traces are sent", "to", to)
	return &Tracer{
		provider: provider, exporter: e,
		tracer: provider.Tracer("github.com/action-llama/gateway/host", trace.WithInstrumentationVersion(o.Version), trace.WithSchemaURL(semconv.SchemaURL)),
	}, nil
}

// destination says where traces go, for people, and how; nowhere when nobody
// wants any.
func destination(endpoint string) (options []otlptracehttp.Option, to string, err error) {
	if off, _ := strconv.ParseBool(os.Getenv("OTEL_SDK_DISABLED")); off || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, "", nil
	}
	if endpoint != "" {
		endpoint = strings.TrimSuffix(endpoint, "/")
		return []otlptracehttp.Option{otlptracehttp.WithEndpointURL(endpoint + tracesPath)}, endpoint, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		// The exporter would take another one instead.
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, "", fmt.Errorf(`traces: %s is not the address of a collector; set it to "http://HOST:4318" or "https://HOST"`, name)
		}
		return nil, u.Scheme + "://" + u.Host, nil
	}
	return nil, "", nil
}

// Close sends what waits, as far as that goes quickly.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // what it could not send was told
	// Ends an attempt that is still under way.
	_ = t.exporter.SpanExporter.Shutdown(ctx)
}
