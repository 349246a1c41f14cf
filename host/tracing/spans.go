package tracing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/logline"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/store"
)

// Attributes beside those of the semantic conventions, named like the fields of
// the log.
const (
	keyReceipt    = attribute.Key("al.receipt")
	keyReplayOf   = attribute.Key("al.replay_of")
	keyProvider   = attribute.Key("al.provider")
	keySource     = attribute.Key("al.source")
	keyOutcome    = attribute.Key("al.outcome")
	keyReason     = attribute.Key("al.reason")
	keyEvent      = attribute.Key("al.event")
	keyEvents     = attribute.Key("al.events")
	keyDeliveryID = attribute.Key("al.delivery_id")
	keyAgents     = attribute.Key("al.agents")
	keyAgent      = attribute.Key("al.agent")
	keyJob        = attribute.Key("al.job")
	keyRun        = attribute.Key("al.run")
	keyAttempt    = attribute.Key("al.attempt")
	keyTrigger    = attribute.Key("al.trigger")
	keyMerged     = attribute.Key("al.merged")
)

const (
	// mostLinks bounds the deliveries of a burst that a job is linked to.
	mostLinks = 32
	// mostNames bounds the agents of a delivery.
	mostNames = 10
)

// deliverMethod is the call that a provider answers for a delivery.
const deliverMethod = "actionllama.provider.v1.ProviderService/Deliver"

// Delivery implements [ingest.Tracer].
func (t *Tracer) Delivery(d ingest.Delivered) {
	id := traceOfReceipt(d.Receipt)
	name, kind := "replay", trace.SpanKindInternal
	var options []trace.SpanStartOption
	if d.ReplayOf == "" {
		name, kind = d.Method+" "+route(d), trace.SpanKindServer
	} else {
		options = append(options, trace.WithLinks(linkTo(d.ReplayOf)))
	}
	options = append(options, trace.WithSpanKind(kind), trace.WithTimestamp(d.Began))
	_, span := t.tracer.Start(withIDs(context.Background(), id, spanOf(ofDelivery, d.Receipt)), name, options...)
	if !span.IsRecording() {
		return
	}
	if d.ReplayOf == "" {
		span.SetAttributes(semconv.HTTPRequestMethodKey.String(d.Method), semconv.HTTPRoute(route(d)),
			semconv.HTTPResponseStatusCode(d.Status), semconv.HTTPRequestBodySize(d.Bytes))
	}
	span.SetAttributes(keyReceipt.String(d.Receipt), keyProvider.String(d.Provider), keyEvents.Int(d.Events))
	text(span, keyReplayOf, d.ReplayOf)
	text(span, keySource, strings.Join(d.Sources, ","))
	text(span, keyAgents, strings.Join(d.Agents[:min(mostNames, len(d.Agents))], ","))
	text(span, keyEvent, logline.Text(d.Event))
	text(span, keyDeliveryID, logline.Text(d.DeliveryID))
	text(span, keyOutcome, string(d.Outcome))
	if d.Reason != "" {
		span.SetAttributes(semconv.ErrorTypeKey.String(d.Reason))
	}
	if d.Status >= 500 {
		span.SetStatus(codes.Error, d.Reason)
	}
	ctx := trace.ContextWithSpan(context.Background(), span)
	for _, stage := range d.Stages {
		t.stage(ctx, stage)
	}
	span.End(trace.WithTimestamp(d.Ended))
}

func (t *Tracer) stage(ctx context.Context, stage ingest.Stage) {
	options := []trace.SpanStartOption{trace.WithTimestamp(stage.Began)}
	name := stage.Name
	if name == "provider" {
		name = deliverMethod
		options = append(options, trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(semconv.RPCSystemNameGRPC, semconv.RPCMethod(deliverMethod)))
	}
	_, span := t.tracer.Start(ctx, name, options...)
	span.End(trace.WithTimestamp(stage.Ended))
}

// route has no name of a source in it, so that there are few.
func route(d ingest.Delivered) string {
	if d.Named {
		return "/webhooks/{type}/{source}"
	}
	return "/webhooks/{type}"
}

// TraceParent is what a run is to go on from, as W3C Trace Context writes it;
// empty without traces.
func (t *Tracer) TraceParent(c store.Claimed) string {
	if t == nil {
		return ""
	}
	id := traceOf(c.Job)
	return fmt.Sprintf("00-%s-%s-%s", id, spanOf(ofRun, c.Run.ID), t.flags(id))
}

// flags says whether a trace is recorded. The sampler is asked again, and says
// the same for the same id as it did when the delivery came.
func (t *Tracer) flags(id trace.TraceID) trace.TraceFlags {
	_, span := t.tracer.Start(withIDs(context.Background(), id, spanOf(ofRun, "")), "sampled?") // never ends, so nobody sees it
	return span.SpanContext().TraceFlags() & trace.FlagsSampled
}

// Run tells of a run that ended, in the trace of its delivery.
func (t *Tracer) Run(c store.Claimed, outcome string, r runner.Result) {
	if t == nil {
		return
	}
	id := traceOf(c.Job)
	if !t.flags(id).IsSampled() {
		return
	}
	ctx := context.Background()
	if c.Job.Receipt != "" {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: id, SpanID: spanOf(ofDelivery, c.Job.Receipt), TraceFlags: trace.FlagsSampled, Remote: true,
		}))
	}
	waits := c.Run.Attempt <= 1 && c.Job.QueuedAt.Before(c.Run.StartedAt) // later, the wait would hold the runs before
	began := c.Run.StartedAt
	if waits {
		began = c.Job.QueuedAt
	}
	ended := r.Ended
	if ended.IsZero() { // it never came to be one
		ended = time.Now()
	}
	about := trace.WithAttributes(keyAgent.String(c.Job.Agent), keyJob.Int64(c.Job.ID), keyRun.String(c.Run.ID),
		keyAttempt.Int(c.Run.Attempt), keyTrigger.String(string(c.Job.Trigger)))
	_, of := t.tracer.Start(withIDs(ctx, id, spanOf(ofJob, c.Run.ID)), "job", about, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(began), trace.WithLinks(mergedInto(c)...))
	if c.Job.Merged > 0 {
		of.SetAttributes(keyMerged.Int(c.Job.Merged))
	}
	text(of, keyReceipt, c.Job.Receipt)
	text(of, keyProvider, c.Job.Provider)
	text(of, keySource, c.Job.Source)
	text(of, keyEvent, logline.Text(c.Job.Event))
	text(of, keyDeliveryID, logline.Text(c.Job.DeliveryID))

	inJob := trace.ContextWithSpan(context.Background(), of)
	if waits {
		_, wait := t.tracer.Start(inJob, "wait", trace.WithTimestamp(began))
		wait.End(trace.WithTimestamp(c.Run.StartedAt))
	}
	_, run := t.tracer.Start(withIDs(inJob, id, spanOf(ofRun, c.Run.ID)), "run", about, trace.WithTimestamp(c.Run.StartedAt))
	run.SetAttributes(keyOutcome.String(outcome), semconv.ProcessExitCode(r.ExitCode))
	text(run, keyReason, logline.Sentence(r.Reason))
	if r.State == job.Failed {
		failed(run, outcome)
		failed(of, outcome)
	}
	inRun := trace.ContextWithSpan(context.Background(), run)
	for _, step := range r.Steps {
		_, span := t.tracer.Start(inRun, step.Name, trace.WithTimestamp(step.Began),
			trace.WithAttributes(semconv.ProcessExitCode(step.ExitCode)))
		if step.ExitCode != 0 {
			failed(span, "exit_code")
		}
		span.End(trace.WithTimestamp(step.Ended))
	}
	run.End(trace.WithTimestamp(ended))
	of.SetAttributes(keyOutcome.String(outcome))
	of.End(trace.WithTimestamp(ended))
}

func failed(span trace.Span, how string) {
	span.SetStatus(codes.Error, "")
	span.SetAttributes(semconv.ErrorTypeKey.String(how))
}

// mergedInto links a job to the other deliveries that it is for.
func mergedInto(c store.Claimed) []trace.Link {
	var links []trace.Link
	for _, e := range c.Merged {
		if e.Receipt != "" && e.Receipt != c.Job.Receipt && len(links) < mostLinks {
			links = append(links, linkTo(e.Receipt))
		}
	}
	return links
}

func linkTo(receipt string) trace.Link {
	return trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceOfReceipt(receipt), SpanID: spanOf(ofDelivery, receipt), TraceFlags: trace.FlagsSampled, Remote: true,
	})}
}

func text(span trace.Span, key attribute.Key, value string) {
	if value != "" {
		span.SetAttributes(key.String(value))
	}
}
