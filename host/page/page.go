// Package page is the live page of the gateway: what `al stat`, `al webhook` and
// `al logs` tell, in a browser, with the same things to do about it. It renders
// what a [Gateway] says and passes on what a person asks for; it has no other way
// to data, decides nothing and keeps nothing but a few minutes of queue depths.
//
// A page is whole without a script: the server renders all of it. The script
// listens to one stream of server-sent events, which say that something changed
// and not what; it then fetches the page that it is on once more, and puts the
// differences in place. So there is one way to render, and one place that masks
// and escapes.
//
// Who may look is in session.go, what the browser may do in guard.go, and how text
// of strangers is made harmless in text.go.
package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/store"
)

// Gateway is what the page shows and passes on to: a part of what the API is
// given.
type Gateway interface {
	api.Overview
	api.Runs
	api.Jobs
	api.Statistics
	api.Pauses
	api.Deliveries
	KillRun(ctx context.Context, run string) (api.Killed, error)
	KillAgent(ctx context.Context, agent string) (api.Killed, error)
	// Queues is asked every few seconds, whether somebody looks or not.
	Queues(ctx context.Context) ([]store.Queue, error)
}

// Options of New. All are needed.
type Options struct {
	Gateway Gateway
	Key     func() string // gateway_api_key of now; who has it may look
	Enabled func() bool   // of now: [gateway] ui
	Log     hclog.Logger
}

// Page is the live page.
type Page struct {
	gateway Gateway
	enabled func() bool
	log     hclog.Logger

	looks    looks
	assets   assets
	sessions *sessions
	watch    *watch

	closing chan struct{} // closed by Close
	close   sync.Once
}

// New returns a page that is ready to Register and Run.
func New(o Options) (*Page, error) {
	assets, err := loadAssets()
	if err != nil {
		return nil, err
	}
	looks, err := loadLooks(assets)
	if err != nil {
		return nil, err
	}
	return &Page{
		gateway: o.Gateway, enabled: o.Enabled, log: o.Log, looks: looks, assets: assets,
		sessions: newSessions(o.Key), watch: newWatch(o.Gateway, o.Log), closing: make(chan struct{}),
	}, nil
}

// Run watches the gateway for those who look, until ctx ends.
func (p *Page) Run(ctx context.Context) { p.watch.run(ctx, p.enabled) }

// Close ends the streams, so that a server can shut down.
func (p *Page) Close() { p.close.Do(func() { close(p.closing) }) }

// Register adds the page's patterns to a mux.
func (p *Page) Register(mux *http.ServeMux) {
	open := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, p.guarded(h)) }
	open("GET /assets/{hash}/{name}", p.asset)
	open("GET /login", p.loginForm)
	open("POST /login", p.login)
	open("POST /logout", p.logout)
	open("GET /session", p.session)

	private := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, p.guarded(p.forThoseLoggedIn(h))) }
	private("GET /events", p.events)
	private("GET /runs/{run}/output", p.wholeOutput)
	for pattern, h := range map[string]show{
		"GET /{$}":             p.overview,
		"GET /deliveries":      p.deliveryList,
		"GET /deliveries/{id}": p.delivery,
		"GET /runs":            p.runList,
		"GET /runs/{run}":      p.run,
		"GET /jobs/{job}":      p.job,
		"GET /agents/{agent}":  p.agent,
	} {
		private(pattern, p.showing(h))
	}
	for pattern, h := range map[string]act{
		"POST /pause":                  p.pause,
		"POST /resume":                 p.resume,
		"POST /agents/{agent}/pause":   p.pause,
		"POST /agents/{agent}/resume":  p.resume,
		"POST /agents/{agent}/run":     p.start,
		"POST /agents/{agent}/kill":    p.killAgent,
		"POST /runs/{run}/kill":        p.killRun,
		"POST /deliveries/{id}/replay": p.replay,
	} {
		private(pattern, p.acting(h))
	}
}

// patience bounds what a person waits for.
const patience = 5 * time.Second

// trouble puts an error into words for the person, and for the log when it is the
// gateway's own.
func (p *Page) trouble(r *http.Request, err error) (status int, detail string) {
	var shown *api.Error
	switch {
	case errors.As(err, &shown):
		return shown.Status, sentence(shown.Detail)
	case errors.Is(err, store.ErrNotFound):
		return http.StatusNotFound, "There is no such record. It may be older than historyRetentionDays."
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		p.log.Warn("page not shown", "method", r.Method, "path", r.URL.Path, "error", err)
		return http.StatusServiceUnavailable, "The store does not answer. Try again; the gateway's log may say more."
	default:
		if r.Context().Err() == nil { // else nobody waits for it any more
			p.log.Error("page not shown", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		return http.StatusInternalServerError, "The gateway could not do this. Its log says why."
	}
}

// notFound says that there is no such thing.
func notFound(format string, args ...any) error {
	return &api.Error{Status: http.StatusNotFound, Detail: fmt.Sprintf(format, args...)}
}
