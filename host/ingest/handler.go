package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/logline"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// Store is what ingest needs of the store.
type Store interface {
	Accept(ctx context.Context, a store.Acceptance) (store.Accepted, error)
	Note(r job.Receipt) bool
}

// Options of a Handler. All but Agents, Counted, Proved and Tracer are needed.
type Options struct {
	Store Store
	Wake  func() // called after jobs were queued; must not block
	// Cancel ends a run of this host that the store was asked to end; must not
	// block. Those of other hosts learn of it from the store.
	Cancel     func(run, reason string)
	Log        hclog.Logger
	Registerer prometheus.Registerer
	// Agents takes the metrics that have a series for each agent, and Counted is
	// told when one of these changed; nil for Registerer, and nobody.
	Agents           prometheus.Registerer
	Counted          func()
	MaxBodyBytes     int64
	MaxInflightBytes int64
	Now              func() time.Time
	// Proved is told which credential proved a delivery; it must not block.
	Proved func(typ, instance string, at time.Time)
	// Tracer is told of each delivery; nil for none.
	Tracer Tracer
}

// Handler answers deliveries. It serves the patterns of Register.
type Handler struct {
	store   Store
	wake    func()
	cancel  func(run, reason string)
	log     hclog.Logger
	quiet   *quietLog
	metrics *metrics
	budget  *budget
	maxBody int64
	now     func() time.Time
	proved  func(typ, instance string, at time.Time)
	tracer  Tracer // nil when there are no traces
	routes  current
}

// New returns a handler without routes: every type is unknown until Update.
func New(o Options) *Handler {
	b := &budget{max: o.MaxInflightBytes}
	h := &Handler{
		store:   o.Store,
		wake:    o.Wake,
		cancel:  o.Cancel,
		log:     o.Log,
		quiet:   newQuietLog(o.Log),
		metrics: newMetrics(o, b),
		budget:  b,
		maxBody: o.MaxBodyBytes,
		now:     o.Now,
		proved:  o.Proved,
		tracer:  o.Tracer,
	}
	if h.proved == nil {
		h.proved = func(string, string, time.Time) {}
	}
	h.routes.replace(&Routes{})
	return h
}

// Update makes new routes hold for every delivery that arrives from now on. Those
// that are under way keep what they began with; the channel is closed when the
// last of them has been answered. One call at a time.
func (h *Handler) Update(r *Routes) (left <-chan struct{}) {
	h.metrics.update(r)
	return h.routes.replace(r)
}

// Register adds the handler's patterns to a mux.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.Handle("/webhooks/{type}", h)
	mux.Handle("/webhooks/{type}/{source}", h)
}

// ServeHTTP answers one delivery.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.now()
	routes, done := h.routes.use()
	defer done()
	typ := r.PathValue("type")
	route, known := routes.Types[typ]
	if !known {
		typ = unknownProvider
	}

	t := trip{m: h.metrics}
	t.Provider, t.Method, t.Began = typ, r.Method, start
	a := h.answer(r, routes, route, &t)
	a.write(w)
	t.Ended, t.Status, t.Reason = h.now(), a.status, a.word
	took := t.Ended.Sub(start)
	h.metrics.answered(typ, a, took, t.receipt())
	if known {
		h.metrics.against(typ, route.Descriptor.ReplyDeadline, took, a)
	}
	h.tell(&t)
}

// The vendor's deadline is for its whole wait. What is left of it after the
// body was read is shared: the provider may use most, the commit gets the
// rest, and a tenth stays for the way back.
const (
	wholeShare    = 0.9
	providerShare = 0.7
	// leastTime is given even when the body took most of the deadline: a sender
	// that slow will wait, and 503 would have it send all of it again.
	leastTime = time.Second
)

func (h *Handler) answer(r *http.Request, routes *Routes, route *Route, t *trip) answer {
	start := t.Began
	if route == nil {
		return refuse(http.StatusNotFound, unknownType, "no source in config.toml has this type")
	}
	cand, found := route.candidates(r.PathValue("source"))
	t.Named = r.PathValue("source") != ""
	if !found {
		return refuse(http.StatusNotFound, "unknown_source", "no source of this type has this name")
	}
	if r.Method != http.MethodPost && (r.Method != http.MethodGet || !route.Descriptor.Challenges) {
		return refuseMethod(route.Descriptor.Challenges)
	}

	b, err := readBody(r, h.budget, h.maxBody)
	defer b.release()
	if err != nil {
		return h.refuseBody(t, err)
	}
	t.Bytes = len(b.bytes)
	if route.Unavailable != nil {
		return unavailable("provider_down", "the provider of this type is not running")
	}
	read := h.now()
	t.passed(stageRead, start, read)

	req := sdk.Request{
		Method:     r.Method,
		Path:       r.URL.Path,
		Query:      asciiQuery(r.URL.RawQuery),
		Header:     r.Header,
		Body:       b.bytes,
		ReceivedAt: start,
		Sources:    cand.sources,
	}
	left := max(route.Descriptor.ReplyDeadline-read.Sub(start), leastTime)
	ctx, cancel := context.WithTimeout(r.Context(), share(left, wholeShare))
	defer cancel()

	delivery, err := h.ask(ctx, route, req, cand, share(left, providerShare))
	t.passed(stageProvider, read, h.now())
	for _, secret := range cand.matched(delivery) {
		h.proved(route.Descriptor.Credential.Type, secret.Instance, start)
	}
	d := &accepting{h: h, route: route, req: req, sources: cand.proved(delivery), start: start, id: job.NewID(start), trip: t}
	t.Receipt, t.Sources = d.id, d.sources
	switch {
	case errors.Is(err, sdk.ErrUnparseable) && len(d.sources) > 0:
		return d.deadLetter(ctx, err)
	case errors.Is(err, sdk.ErrUnparseable), err == nil && delivery.Reply == nil && len(d.sources) == 0:
		// Nobody was proved to have sent it, whatever the provider read in it.
		return h.refuseProvider(t, cand, fmt.Errorf("the provider names no sender: %w", sdk.ErrBadSignature))
	case err != nil:
		return h.refuseProvider(t, cand, err)
	case delivery.Reply != nil:
		return d.handshake(delivery.Reply)
	}
	if name, stray := strayEvent(d.sources, delivery.Events); stray {
		return h.refuseProvider(t, cand, fmt.Errorf("the provider has an event for the source %q, which did not sign", name))
	}
	return d.accept(ctx, routes, delivery.Events)
}

func (h *Handler) ask(ctx context.Context, route *Route, req sdk.Request, cand candidates, limit time.Duration) (sdk.Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return sdk.Deliver(ctx, route.Provider, req, cand.secrets, sdk.DeliverOptions{AllowUnsigned: len(cand.unsigned) > 0})
}

func (h *Handler) refuseBody(t *trip, err error) answer {
	switch {
	case errors.Is(err, errTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "too_large",
			fmt.Sprintf("the body is larger than [gateway] maxBodyBytes = %d", h.maxBody)).closing()
	case errors.Is(err, errNoRoom):
		t.because("deliveries refused: too many bytes in flight", "limit", h.budget.max)
		return unavailable("busy", "too many large deliveries at once").closing()
	default: // the sender went away, was too slow or broke the protocol
		return refuse(http.StatusBadRequest, "incomplete", "the body did not arrive whole").closing()
	}
}

// misbehaving is the error of a provider that answered, with what it has no right
// to say. Another attempt would most likely get the same.
type misbehaving interface {
	error
	Misbehaved() bool
}

func (h *Handler) refuseProvider(t *trip, cand candidates, err error) answer {
	var bad misbehaving
	switch {
	case errors.Is(err, sdk.ErrBadSignature):
		if cand.unusable != nil && len(cand.secrets) == 0 {
			// The sender may well be right: nobody can tell, and it is not lost.
			t.because("deliveries refused: the credential can not be read", "error", logline.Error(cand.unusable))
			return unavailable("credential", "the credential of this source can not be read")
		}
		reason := "bad_signature"
		if errors.Is(err, sdk.ErrStale) {
			reason = "stale"
		}
		t.because("delivery refused: no valid signature", "error", logline.Error(err))
		return refuse(http.StatusUnauthorized, reason, "no valid signature")
	case errors.Is(err, sdk.ErrCredential):
		t.because("deliveries refused: the credential can not be used", "error", logline.Error(err))
		return unavailable("credential", "the credential of this source can not be used")
	case errors.Is(err, context.DeadlineExceeded):
		t.because("delivery refused: the provider was too slow", "error", logline.Error(err))
		a := unavailable("provider_slow", "the provider did not answer in time")
		a.overdue = true
		return a
	case errors.As(err, &bad) && bad.Misbehaved():
		t.because("delivery refused: the provider's answer can not be gone by", "error", logline.Error(err))
		return refuse(http.StatusBadGateway, "illegal_answer", "the provider's answer can not be gone by")
	default:
		t.because("delivery refused: the provider failed", "error", logline.Error(err))
		return unavailable("provider_down", "the provider failed")
	}
}

func share(d time.Duration, part float64) time.Duration {
	return time.Duration(float64(d) * part)
}

// asciiQuery escapes the bytes that a query should not have but that HTTP lets
// through: the protocol carries it as text.
func asciiQuery(raw string) string {
	for i := range len(raw) {
		if raw[i] >= 0x80 {
			return escapeBeyondASCII(raw)
		}
	}
	return raw
}

func escapeBeyondASCII(raw string) string {
	out := make([]byte, 0, len(raw)+8)
	for i := range len(raw) {
		if raw[i] < 0x80 {
			out = append(out, raw[i])
		} else {
			out = append(out, url.QueryEscape(raw[i:i+1])...)
		}
	}
	return string(out)
}
