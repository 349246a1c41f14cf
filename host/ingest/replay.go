package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/sdk"
)

// ErrReplay: this delivery can not happen again, and why is for whoever asked.
var ErrReplay = errors.New("can not be replayed")

// Replay lets a recorded delivery happen again, as if it came now: read anew by
// its provider, matched against the triggers of now, and queued under a receipt
// of its own that says which one it repeats. The signature is not checked: it
// was when the delivery came, and is not kept. It belongs to the sources that
// it was proved for then, as far as there still are such.
//
// Jobs that are done are done again; what still waits or runs is left to it.
func (h *Handler) Replay(ctx context.Context, r job.Receipt) (Summary, error) {
	routes, done := h.routes.use()
	defer done()
	route, ok := routes.Types[r.Provider]
	switch {
	case r.Outcome == job.Handshake:
		return Summary{}, fmt.Errorf("%w: it was a handshake, which starts nothing", ErrReplay)
	case !ok:
		return Summary{}, fmt.Errorf("%w: no source in config.toml has the type %s any more", ErrReplay, r.Provider)
	case route.Unavailable != nil:
		return Summary{}, fmt.Errorf("%w: the provider %s does not run: %w", ErrReplay, r.Provider, route.Unavailable)
	}
	sources := slices.DeleteFunc(slices.Clone(r.Sources), func(name string) bool {
		return !slices.ContainsFunc(route.Sources, func(s Source) bool { return s.Name == name })
	})
	if len(sources) == 0 {
		return Summary{}, fmt.Errorf("%w: it came for %s, and config.toml has no such source of the type %s any more",
			ErrReplay, strings.Join(r.Sources, ", "), r.Provider)
	}

	req := sdk.Request{
		Method: r.Method, Path: r.Path, Query: r.Query, Header: r.Header, Body: r.Body, ReceivedAt: r.ReceivedAt,
		Sources: route.SourcesNamed(sources),
	}
	events, err := sdk.Parse(ctx, route.Provider, req)
	if err != nil {
		return Summary{}, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	if name, stray := strayEvent(sources, events); stray {
		return Summary{}, fmt.Errorf("%w: the provider has an event for the source %q, which it was not for", ErrReplay, name)
	}
	now := h.now()
	t := &trip{}
	d := &accepting{h: h, route: route, req: req, sources: sources, start: now, id: job.NewID(now), replayOf: r.ID, trip: t}
	t.Receipt, t.ReplayOf, t.Provider, t.Sources, t.Bytes, t.Began = d.id, r.ID, r.Provider, sources, len(r.Body), now
	sum, _, err := d.record(ctx, routes, events)
	if t.Ended = h.now(); err == nil {
		h.tell(t)
	}
	return sum, err
}
