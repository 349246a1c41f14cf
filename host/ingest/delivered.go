package ingest

import (
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/logline"
)

// Delivered is what there is to tell of a delivery that was answered, or of one
// that was let happen again. Names and ids in it are as strangers wrote them.
type Delivered struct {
	Receipt  string // its id, also when it is not kept; empty while nobody looked at a signature
	ReplayOf string
	Provider string   // one that is configured, or "unknown"
	Sources  []string // that the signature proved
	Named    bool     // the request was to one source
	Method   string
	Bytes    int // of the body

	DeliveryID string // of the first event
	Event      string // what that was
	Events     int
	Agents     []string // for which jobs were asked

	Outcome job.Outcome // empty for a delivery that was refused
	Reason  string      // why it was refused, in a word
	Status  int         // of the answer; 0 for a replay

	Began, Ended time.Time
	Stages       []Stage
}

// Stage is a part of the way of a delivery.
type Stage struct {
	Name         string // read, provider, match or commit
	Began, Ended time.Time
}

// Tracer is told of deliveries. It must not block, and keeps nothing of what it
// is given.
type Tracer interface {
	Delivery(Delivered)
}

// trip is what is noted of one delivery on its way.
type trip struct {
	Delivered

	m    *metrics // nil for a replay, which has no series
	kept bool     // there is a receipt of it
	on   [len(stages)]Stage

	// What the log says of a refusal, besides the reason.
	message string
	args    []any
}

// passed tells of a stage that is over.
func (t *trip) passed(stage string, began, ended time.Time) {
	if t.m != nil {
		t.m.stage.WithLabelValues(t.Provider, stage).Observe(ended.Sub(began).Seconds())
	}
	if n := len(t.Stages); n < len(t.on) {
		t.on[n] = Stage{stage, began, ended}
		t.Stages = t.on[:n+1]
	}
}

// receipt is the id for metrics, empty when nothing is kept.
func (t *trip) receipt() string {
	if !t.kept {
		return ""
	}
	return t.Receipt
}

// because says of a refusal what an operator wants to know of it.
func (t *trip) because(message string, args ...any) { t.message, t.args = message, args }

// tell writes the line of a delivery, and tells the tracer. What nobody is
// proved to have sent makes no trace, unless it is our fault that it failed: a
// stranger could crowd out all others.
func (h *Handler) tell(t *trip) {
	h.logDelivery(t)
	if h.tracer != nil && t.Receipt != "" && (len(t.Sources) > 0 && t.Outcome != "" || t.Status >= 500) {
		h.tracer.Delivery(t.Delivered)
	}
}

// logDelivery writes one line. A delivery that was for an agent is news; others
// are for those who look for one.
func (h *Handler) logDelivery(t *trip) {
	switch {
	case t.message != "":
		h.quiet.log(ofFaults, hclog.Warn, t.message, t.Provider, t.fields()...)
	case t.Reason != "":
		if h.log.IsDebug() {
			h.quiet.log(ofFaults, hclog.Debug, "delivery refused", t.Provider+" "+t.Reason, t.fields()...)
		}
	case len(t.Sources) == 0:
		if h.log.IsDebug() {
			h.quiet.log(ofFaults, hclog.Debug, "delivery", t.Provider, t.fields()...)
		}
	case h.log.IsDebug():
		level := hclog.Debug
		if t.news() {
			level = hclog.Info
		}
		h.log.Log(level, "delivery", t.fields()...)
	case t.news() && h.log.IsInfo():
		if held, ok := h.quiet.take(ofDeliveries, quietKind{message: "delivery"}); ok {
			args := t.fields()
			if held > 0 {
				args = append(args, "not_logged", held)
			}
			h.log.Info("delivery", args...)
		}
	}
}

func (t *trip) news() bool { return t.Outcome == job.Queued || t.Outcome == job.NotQueued }

// mostAgents bounds the names in a line: an event may start all there are.
const mostAgents = 10

// fields are those of a line. What is not known is left out.
func (t *trip) fields() []any {
	args := make([]any, 0, 28)
	text := func(key, value string) {
		if value != "" {
			args = append(args, key, value)
		}
	}
	text("receipt", t.Receipt)
	text("replay_of", t.ReplayOf)
	args = append(args, "provider", t.Provider)
	text("source", strings.Join(t.Sources, ","))
	if t.Outcome == "" {
		text("outcome", "refused")
	}
	text("outcome", string(t.Outcome))
	text("reason", t.Reason)
	if n := len(t.Agents); n > 0 {
		args = append(args, "agents", strings.Join(t.Agents[:min(n, mostAgents)], ","))
		if n > mostAgents {
			args = append(args, "agents_more", n-mostAgents)
		}
	}
	text("event", logline.Text(t.Event))
	text("delivery_id", logline.Text(t.DeliveryID))
	if t.Events > 1 {
		args = append(args, "events", t.Events)
	}
	if t.Status != 0 {
		args = append(args, "status", t.Status)
	}
	args = append(args, "duration", logline.Took(t.Ended.Sub(t.Began)))
	return append(args, t.args...)
}
