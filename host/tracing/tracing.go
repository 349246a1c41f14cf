// Package tracing tells an OpenTelemetry collector what became of deliveries and
// runs: one trace from the delivery over its stages and the wait in the queue to
// the run. It takes no part in what it tells of: whoever did the work hands over
// when each step began and ended.
//
// Nothing about a trace is stored. A receipt's id is 128 bits, and so is that of a
// trace: they are the same, and the ids of its spans follow from it. So a run that
// begins days later, or on another host, finds its place.
package tracing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/oklog/ulid/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options of New.
type Options struct {
	// Endpoint is the base URL of a collector that speaks OTLP over HTTP. Empty
	// leaves it to the environment, as the OpenTelemetry specification has it.
	Endpoint string
	Version  string
	Log      hclog.Logger
}

// Wanted says whether somebody asked for traces.
func Wanted(endpoint string) bool {
	return endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Tracer sends spans in the background. What a collector does not take in time is
// given up: nothing waits for it but Close.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// New returns a Tracer, which connects when there is something to send.
func New(ctx context.Context, o Options) (*Tracer, error) {
	var options []otlptracehttp.Option
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New(`[gateway] otlpEndpoint is not a URL such as "http://127.0.0.1:4318"`)
		}
		options = append(options, otlptracehttp.WithEndpointURL(u.JoinPath("v1/traces").String()))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("send traces: %w", err)
	}
	// The library has this one place for what goes wrong in the background, and
	// would write to stderr otherwise.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Log.Warn("traces are not sent", "error", err) }))
	p := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithIDGenerator(given{}),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "al"), attribute.String("service.version", o.Version),
		)),
	)
	return &Tracer{provider: p, tracer: p.Tracer("github.com/action-llama/gateway/host")}, nil
}

// Close sends what is left, for as long as ctx allows.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Step is a part of a delivery.
type Step struct {
	Name       string
	Start, End time.Time
}

// Delivery is one that was answered, and of which there is a receipt.
type Delivery struct {
	Receipt, Provider, Outcome string
	Code                       int
	Start, End                 time.Time
	Steps                      []Step
}

// Delivery tells of a delivery.
func (t *Tracer) Delivery(d Delivery) {
	ctx := t.start(context.Background(), traceOf(d.Receipt), spanOf("delivery", d.Receipt), "delivery "+d.Provider, d.Start, d.End,
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("al.receipt", d.Receipt), attribute.String("al.provider", d.Provider),
			attribute.String("al.outcome", d.Outcome), attribute.Int("http.response.status_code", d.Code),
		))
	for _, s := range d.Steps {
		t.start(ctx, traceOf(d.Receipt), spanOf(s.Name, d.Receipt), s.Name, s.Start, s.End)
	}
}

// Run is one that ended.
type Run struct {
	ID, Agent, Trigger, Outcome string
	Receipt                     string   // empty for what no delivery started
	Merged                      []string // receipts of further events
	Attempt, ExitCode           int
	Failed                      bool
	Reason                      string
	Queued, Start, End          time.Time
}

// Run tells of a run, and of how long its job waited for it.
func (t *Tracer) Run(r Run) {
	id := traceOf(r.origin())
	ctx := context.Background()
	if r.Receipt != "" {
		ctx = trace.ContextWithRemoteSpanContext(ctx, contextOf(id, spanOf("delivery", r.Receipt)))
	}
	if r.Attempt <= 1 && r.Receipt != "" { // later, the wait would hold the runs before
		t.start(ctx, id, spanOf("waiting", r.ID), "waiting", r.Queued, r.Start, trace.WithAttributes(attribute.String("al.agent", r.Agent)))
	}
	var links []trace.Link
	for _, receipt := range r.Merged {
		links = append(links, trace.Link{SpanContext: contextOf(traceOf(receipt), spanOf("delivery", receipt))})
	}
	options := []trace.SpanStartOption{trace.WithLinks(links...), trace.WithAttributes(
		attribute.String("al.run", r.ID), attribute.String("al.agent", r.Agent), attribute.String("al.trigger", r.Trigger),
		attribute.String("al.outcome", r.Outcome), attribute.Int("al.attempt", r.Attempt), attribute.Int("al.exit_code", r.ExitCode),
	)}
	ctx = with(ctx, id, spanOf("run", r.ID))
	_, span := t.tracer.Start(ctx, "run "+r.Agent, append(options, trace.WithTimestamp(r.Start))...)
	if r.Failed {
		span.SetStatus(codes.Error, r.Reason)
	}
	span.End(trace.WithTimestamp(r.End))
}

func (r Run) origin() string {
	if r.Receipt != "" {
		return r.Receipt
	}
	return r.ID
}

// Parent is the W3C traceparent of what a run does.
func (t *Tracer) Parent(receipt, run string) string {
	return fmt.Sprintf("00-%s-%s-01", traceOf(Run{Receipt: receipt, ID: run}.origin()), spanOf("run", run))
}

func (t *Tracer) start(ctx context.Context, id trace.TraceID, span trace.SpanID, name string, start, end time.Time, o ...trace.SpanStartOption) context.Context {
	ctx, s := t.tracer.Start(with(ctx, id, span), name, append(o, trace.WithTimestamp(start))...)
	s.End(trace.WithTimestamp(end))
	return ctx
}

func traceOf(id string) trace.TraceID {
	if parsed, err := ulid.ParseStrict(id); err == nil {
		return trace.TraceID(parsed)
	}
	return trace.TraceID(sum("trace", id)[:16])
}

func spanOf(what, id string) trace.SpanID { return trace.SpanID(sum(what, id)[:8]) }

func sum(what, id string) []byte {
	all := sha256.Sum256([]byte(what + "/" + id))
	return all[:]
}

func contextOf(id trace.TraceID, span trace.SpanID) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true})
}

// given generates the ids that a context names.
type given struct{}

type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

type idsKey struct{}

func with(ctx context.Context, id trace.TraceID, span trace.SpanID) context.Context {
	return context.WithValue(ctx, idsKey{}, ids{id, span})
}

func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	named, _ := ctx.Value(idsKey{}).(ids) // every span of this package has them
	return named.trace, named.span
}

func (g given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, span := g.NewIDs(ctx)
	return span
}
