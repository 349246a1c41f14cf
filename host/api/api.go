// Package api is the gateway's HTTP surface besides webhooks: liveness,
// readiness, metrics, and the control that `al` itself uses. It decides
// nothing; it shows and passes on.
//
// Each subject has a file: what its JSON looks like, the interface through
// which the gateway provides it, its routes, and the [Client] methods that ask
// for it. The client has the methods of the interfaces, so that a command does
// not see whether what it talks to is in this process.
package api

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/store"
)

// Gateway is what the API shows and passes on to, by subject.
type Gateway interface {
	Health
	Overview
	Runs
	Jobs
	Statistics
	Control
	Pauses
	Deliveries
	Configuring
	Replacing
}

// Health is of use to those who watch the gateway from outside.
type Health interface {
	// Ready returns nil, or why deliveries can not be taken.
	Ready() error
}

// Options of Register. All are needed.
type Options struct {
	Gateway Gateway
	Key     func() string // gateway_api_key of now; guards /api
	Metrics http.Handler
	Log     hclog.Logger
}

// timeout bounds what a person, or a probe, waits for.
const timeout = 5 * time.Second

// Register adds the API's patterns to a mux.
func Register(mux *http.ServeMux, o Options) {
	for _, r := range openRoutes(o) {
		mux.Handle(r.pattern, r.handler)
	}
	private := http.NewServeMux()
	for _, r := range routes(o.Gateway) {
		private.Handle(r.pattern, answering(r.handle, o.Log))
	}
	mux.Handle("/api/", authorised(o.Key, private))
}

// openRoute is one that wants no key.
type openRoute struct {
	pattern string
	handler http.Handler
}

func openRoutes(o Options) []openRoute {
	return []openRoute{
		{"GET /health", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, map[string]any{"ok": true})
		})},
		{"GET /ready", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if err := o.Gateway.Ready(); err != nil {
				writeJSON(w, http.StatusServiceUnavailable, failure{Detail: err.Error()})
				return
			}
			writeJSON(w, http.StatusOK, map[string]any{"ok": true})
		})},
		{"GET /metrics", o.Metrics},
	}
}

// route is one thing that /api can do.
type route struct {
	pattern string // as http.ServeMux has it
	handle  handler
}

// handler returns what to answer: something that becomes JSON, or an
// http.Handler that writes for itself.
type handler func(r *http.Request) (any, error)

func routes(g Gateway) []route {
	return slices.Concat(
		descriptionRoutes(),
		overviewRoutes(g),
		runsRoutes(g),
		jobsRoutes(g),
		statsRoutes(g),
		controlRoutes(g),
		pauseRoutes(g),
		deliveryRoutes(g),
		reloadRoutes(g),
		providerRoutes(g),
	)
}

// answering bounds a handler's time and writes what it returns. What is an
// [Error] is shown; anything else is the gateway's own trouble, and for its log.
func answering(handle handler, log hclog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		answer, err := handle(r.WithContext(ctx))
		var shown *Error
		switch {
		case errors.As(err, &shown):
			writeJSON(w, shown.Status, failure{Detail: shown.Detail})
		case r.Context().Err() != nil: // nobody waits for it any more
		case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
			log.Warn("request not answered", "method", r.Method, "path", r.URL.Path, "error", err)
			w.Header().Set("Retry-After", "1")
			writeJSON(w, http.StatusServiceUnavailable, failure{Detail: "the store does not answer; try again, or see the gateway's log"})
		case err != nil:
			log.Error("request not answered", "method", r.Method, "path", r.URL.Path, "error", err)
			writeJSON(w, http.StatusInternalServerError, failure{Detail: "the gateway could not do this; its log says why"})
		default:
			if own, ok := answer.(http.Handler); ok {
				own.ServeHTTP(w, r)
				return
			}
			writeJSON(w, http.StatusOK, answer)
		}
	})
}

// authorised lets a request through that carries the key. An empty key lets
// nothing through.
func authorised(now func() string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := now()
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || key == "" || subtle.ConstantTimeCompare([]byte(given), []byte(key)) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="al"`)
			writeJSON(w, http.StatusUnauthorized, failure{Detail: "send Authorization: Bearer <gateway_api_key>"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a reader that is gone is not our problem
}
