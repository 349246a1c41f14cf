package tracing

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"strconv"

	"github.com/oklog/ulid/v2"
	"go.opentelemetry.io/otel/trace"

	"github.com/action-llama/gateway/host/job"
)

// digest makes an id of words. It is not secret: receipts can not be guessed, and
// nothing is kept from who knows one.
func digest(words ...string) (sum [sha256.Size]byte) {
	var text []byte
	for _, word := range words {
		text = append(append(text, word...), 0)
	}
	return sha256.Sum256(text)
}

// traceOfReceipt is the trace of a delivery. The id of a receipt is 128 bits, and
// so is that of a trace: they are the same.
func traceOfReceipt(receipt string) trace.TraceID {
	if id, err := ulid.ParseStrict(receipt); err == nil {
		return trace.TraceID(id)
	}
	sum := digest("trace", "receipt", receipt)
	return trace.TraceID(sum[:16])
}

// traceOf is the trace of a job: that of its delivery, if it has one.
func traceOf(j job.Job) trace.TraceID {
	if j.Receipt != "" {
		return traceOfReceipt(j.Receipt)
	}
	// Numbers of jobs are those of one store; the time tells them from others.
	sum := digest("trace", "job", j.Agent, strconv.FormatInt(j.ID, 10), strconv.FormatInt(j.QueuedAt.UnixMilli(), 10))
	return trace.TraceID(sum[:16])
}

// spanOf is the id of a span that others have to find.
func spanOf(what, id string) trace.SpanID {
	sum := digest("span", what, id)
	return trace.SpanID(sum[:8])
}

// What spanOf makes ids for.
const (
	ofDelivery = "delivery" // by its receipt
	ofJob      = "job"      // by the run
	ofRun      = "run"
)

// withIDs has the next span be a root of these ids, or, without a trace, a child
// with this one.
func withIDs(ctx context.Context, id trace.TraceID, span trace.SpanID) context.Context {
	return context.WithValue(ctx, wanted{}, wanted{id, span})
}

type wanted struct {
	trace trace.TraceID
	span  trace.SpanID
}

// ids gives spans the ids that are wanted, and any to others.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if w, ok := ctx.Value(wanted{}).(wanted); ok {
		return w.trace, w.span
	}
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[:8], rand.Uint64()|1)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	return id, random()
}

func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if w, ok := ctx.Value(wanted{}).(wanted); ok {
		return w.span
	}
	return random()
}

func random() (id trace.SpanID) {
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
