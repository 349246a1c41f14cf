package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/logline"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// accepting is a delivery whose sender is known.
type accepting struct {
	h       *Handler
	route   *Route
	req     sdk.Request
	sources []string
	start   time.Time
	id      string // of its receipt
	// replayOf is the receipt that is let happen again; empty for what a vendor
	// sent.
	replayOf string
	trip     *trip
}

// passed tells of a stage that began at a time and is over.
func (d *accepting) passed(stage string, since time.Time) { d.trip.passed(stage, since, d.h.now()) }

func (d *accepting) receipt(outcome job.Outcome, events []sdk.Event) job.Receipt {
	r := job.Receipt{
		ID:         d.id,
		Provider:   d.route.Descriptor.Type,
		Sources:    d.sources,
		ReceivedAt: d.start,
		Method:     d.req.Method,
		Path:       d.req.Path,
		Query:      d.req.Query,
		Header:     withoutSignature(d.req.Header, d.route.SignatureHeaders()),
		Body:       d.req.Body,
		Outcome:    outcome,
		Events:     len(events),
		ReplayOf:   d.replayOf,
	}
	if len(events) > 0 {
		r.DeliveryID, r.Event = events[0].DeliveryID, Kind(events[0])
	} else if name := d.route.Descriptor.DeliveryIDHeader; name != "" {
		r.DeliveryID = d.req.Header.Get(name)
	}
	return r
}

// deadLetter keeps what was signed but not understood: the sender will not send
// it again, and somebody has to see why.
func (d *accepting) deadLetter(ctx context.Context, cause error) answer {
	r := d.receipt(job.Unparseable, nil)
	r.Reason = cause.Error()
	began := d.h.now()
	if _, err := d.h.store.Accept(ctx, store.Acceptance{Receipt: &r, At: d.start}); err != nil {
		return d.notStored(err)
	}
	d.passed(stageCommit, began)
	d.trip.kept = true
	d.came(job.Unparseable, nil)
	d.trip.because("delivery not understood: kept as a dead letter", "error", logline.Error(cause))
	return refuse(http.StatusBadRequest, "unparseable", "signed, but not a payload of this vendor; receipt "+r.ID)
}

// came notes what came, and of what use it was.
func (d *accepting) came(outcome job.Outcome, events []sdk.Event) {
	t := d.trip
	t.Outcome, t.Events = outcome, len(events)
	if len(events) > 0 {
		t.DeliveryID, t.Event = events[0].DeliveryID, Kind(events[0])
	}
}

func (d *accepting) handshake(reply *sdk.Reply) answer {
	d.came(job.Handshake, nil)
	if len(d.sources) > 0 { // an unsigned handshake proves nobody: nothing of it is stored
		d.note(d.receipt(job.Handshake, nil))
	}
	return fromProvider(reply)
}

// Kind is what an event is, in a word: "push", "issues.labeled". Some vendors
// have the action in the name already.
func Kind(e sdk.Event) string {
	if e.Action == "" || strings.HasSuffix(e.Name, "."+e.Action) {
		return e.Name
	}
	return e.Name + "." + e.Action
}

// accept matches the events, commits their jobs and only then answers.
func (d *accepting) accept(ctx context.Context, routes *Routes, events []sdk.Event) answer {
	sum, fates, err := d.record(ctx, routes, events)
	switch {
	case errors.Is(err, errContext):
		d.trip.because("delivery refused: its context can not be built", "error", logline.Error(err))
		return unavailable("internal", "the context can not be built")
	case err != nil:
		return d.notStored(err)
	}
	return d.reply(sum, events, fates)
}

// errContext: what an agent would see of an event can not be written.
var errContext = errors.New("the context can not be built")

// record matches the events and commits their jobs. fates are what became of
// each event.
func (d *accepting) record(ctx context.Context, routes *Routes, events []sdk.Event) (sum Summary, fates []job.Outcome, err error) {
	began := d.h.now()
	plan, err := d.plan(routes, events)
	d.passed(stageMatch, began)
	if err != nil {
		return sum, nil, fmt.Errorf("%w: %w", errContext, err)
	}
	sum = Summary{OK: true, Receipt: d.id, Events: len(events), Matched: len(plan.jobs)}
	if len(plan.jobs) == 0 {
		d.came(plan.outcome(), events)
		d.note(d.receipt(plan.outcome(), events))
	} else {
		r := d.receipt(job.Queued, events)
		r.Matched = len(plan.jobs)
		began := d.h.now()
		accepted, err := d.h.store.Accept(ctx, store.Acceptance{Receipt: &r, Jobs: plan.jobs, At: d.start})
		d.passed(stageCommit, began)
		if err != nil {
			return sum, nil, err
		}
		d.trip.kept = true
		plan.settle(accepted)
		d.came(accepted.Outcome(job.Queued), events)
		d.trip.Agents = plan.agents()
		sum.count(accepted)
		// A merged event may have filled its burst, which starts at once then.
		d.follow(accepted, sum.Queued+sum.Merged > 0)
	}
	d.report(events, plan.fates)
	return sum, plan.fates, nil
}

// follow does what a commit asks for besides its answer.
func (d *accepting) follow(accepted store.Accepted, work bool) {
	d.logDrops(accepted.Dropped)
	for _, trip := range accepted.Tripped {
		d.h.log.Error("agent paused: al resume lets it go on", "agent", trip.Agent, "reason", trip.Reason, "receipt", d.id)
		d.h.metrics.tripped(trip.Agent)
	}
	for _, run := range accepted.Cancelled {
		d.h.cancel(run, "cancelled: a newer event has the same concurrency key")
	}
	if work {
		d.h.wake()
	}
}

// plan is what the events of a delivery start, and what became of each event.
type plan struct {
	jobs   []store.NewJob
	owners []int // of each job, the event
	fates  []job.Outcome
}

// plan lists what the events start: per agent at most one job for each event,
// however many triggers and sources agree on it.
func (d *accepting) plan(routes *Routes, events []sdk.Event) (plan, error) {
	p := plan{fates: make([]job.Outcome, len(events))}
	seen := map[string]int{}
	for i := range events {
		e := &events[i]
		key := e.DeliveryID
		if key != "" {
			// Events of one delivery may share its id; their order tells them apart.
			// So do, without being told apart, those of several sources.
			once := key
			if len(e.Sources) > 0 {
				once = strings.Join(append([]string{key}, e.Sources...), "\n")
			}
			if n := seen[once]; n > 0 {
				key += "#" + strconv.Itoa(n)
			}
			seen[once]++
		}
		hits, heldBack := routes.Match(d.sources, e)
		p.fates[i] = job.Unmatched
		if heldBack {
			p.fates[i] = job.HeldBack
		}
		var source string
		var payload []byte
		for _, hit := range hits {
			if payload == nil || hit.Source != source {
				source = hit.Source
				var err error
				if payload, err = ContextJSON(*e, d.route.Descriptor.Type, source, d.id); err != nil {
					return p, err
				}
			}
			j := store.NewJob{
				Agent:      hit.Agent,
				Trigger:    job.Webhook,
				Source:     source,
				Provider:   d.route.Descriptor.Type,
				Event:      e.Name,
				DeliveryID: e.DeliveryID,
				Context:    payload,
				Sensitive:  sensitive(e.Sensitive),
				Key:        key,
				Again:      d.replayOf != "",
			}
			if policy := routes.policy(hit.Trigger); policy != nil {
				policy.Apply(&j, e)
			}
			p.jobs = append(p.jobs, j)
			p.owners = append(p.owners, i)
		}
	}
	return p, nil
}

// outcome is that of a delivery that starts nothing.
func (p *plan) outcome() job.Outcome {
	switch {
	case len(p.fates) == 0:
		return job.Empty
	case slices.Contains(p.fates, job.HeldBack):
		return job.HeldBack
	default:
		return job.Unmatched
	}
}

// settle says what became of the events, once their jobs are recorded. Of
// several jobs of one event the luckiest counts.
func (p *plan) settle(accepted store.Accepted) {
	rank := func(o job.Outcome) int {
		return slices.Index([]job.Outcome{job.Duplicate, job.NotQueued, job.Merged, job.Queued}, o)
	}
	for i, verdict := range accepted.Verdicts {
		fate := job.Queued
		switch verdict {
		case store.Duplicate:
			fate = job.Duplicate
		case store.Merged:
			fate = job.Merged
		case store.Skipped, store.Limited:
			fate = job.NotQueued
		default:
		}
		if owner := p.owners[i]; rank(fate) > rank(p.fates[owner]) {
			p.fates[owner] = fate
		}
	}
}

// agents are those that jobs are for.
func (p *plan) agents() []string {
	var names []string
	for i := range p.jobs {
		if !slices.Contains(names, p.jobs[i].Agent) {
			names = append(names, p.jobs[i].Agent)
		}
	}
	return names
}

// sensitive turns paths within extra into paths within the context.
func sensitive(paths []string) []string {
	if len(paths) == 0 {
		return nil
	}
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = "extra." + p
	}
	return out
}

// note records a delivery that started nothing without making anybody wait.
func (d *accepting) note(r job.Receipt) {
	if d.h.store.Note(r) {
		d.trip.kept = true
	} else {
		d.h.quiet.log(ofFaults, hclog.Warn, "receipts of deliveries that started nothing are not kept: the disk is too slow", r.Provider,
			"provider", r.Provider)
	}
}

func (d *accepting) notStored(err error) answer {
	d.trip.because("delivery refused: it could not be recorded", "error", logline.Error(err))
	a := unavailable("store", "the delivery could not be recorded")
	a.overdue = errors.Is(err, context.DeadlineExceeded)
	return a
}

func (d *accepting) logDrops(drops []store.Drop) {
	for _, drop := range drops {
		args := []any{"agent", drop.Agent, "job", drop.ID, "receipt", d.id}
		if drop.By != 0 {
			d.h.quiet.log(ofDeliveries, hclog.Info, "job dropped: a newer one has its concurrency key", drop.Agent, append(args, "by", drop.By)...)
		} else {
			d.h.quiet.log(ofFaults, hclog.Warn, "job dropped: the queue is full", drop.Agent, args...)
		}
	}
}

func (d *accepting) report(events []sdk.Event, fates []job.Outcome) {
	provider := d.route.Descriptor.Type
	for _, fate := range fates {
		d.h.metrics.events.WithLabelValues(provider, string(fate)).Inc()
	}
	if d.replayOf != "" {
		return
	}
	for i := range events {
		for _, source := range EventSources(d.sources, &events[i]) {
			d.h.metrics.received.WithLabelValues(provider, source).Inc()
			d.h.metrics.heard.hear(source, d.start)
		}
	}
}

// reply is what the provider asks for, in the first event that asks, else the
// summary.
func (d *accepting) reply(sum Summary, events []sdk.Event, fates []job.Outcome) answer {
	for i, e := range events {
		wanted := e.Taken
		switch fates[i] {
		case job.Unmatched, job.HeldBack, job.NotQueued:
			wanted = e.Ignored
		default:
		}
		if wanted != nil {
			return fromProvider(wanted)
		}
	}
	return sum.answer()
}

func withoutSignature(h http.Header, names []string) http.Header {
	kept := make(http.Header, len(h))
	for name, values := range h {
		kept[name] = values
	}
	for _, name := range names {
		kept.Del(name)
	}
	// Not the vendor's signature, but just as much a key.
	kept.Del("Authorization")
	kept.Del("Cookie")
	kept.Del("Proxy-Authorization")
	return kept
}
