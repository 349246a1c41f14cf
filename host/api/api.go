// Package api is the gateway's HTTP surface besides webhooks: liveness,
// readiness, metrics, and the local control that `al` itself uses. It decides
// nothing; it shows and passes on.
package api

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Gateway is what the API shows.
type Gateway interface {
	// Ready returns nil, or why deliveries can not be taken.
	Ready() error
	// Status returns what `al stat` shows.
	Status(ctx context.Context) (Status, error)
}

// Options of New. All are needed.
type Options struct {
	Gateway  Gateway
	Key      string // gateway_api_key; guards /api
	Gatherer prometheus.Gatherer
	Log      hclog.Logger
}

// statusTimeout bounds what a person, or a probe, waits for.
const statusTimeout = 5 * time.Second

// Register adds the API's patterns to a mux.
func Register(mux *http.ServeMux, o Options) {
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"ok": true})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := o.Gateway.Ready(); err != nil {
			writeJSON(w, http.StatusServiceUnavailable, map[string]any{"ok": false, "detail": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"ok": true})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		Timeout:           statusTimeout,
		ErrorHandling:     promhttp.ContinueOnError,
	}))

	private := http.NewServeMux()
	private.HandleFunc("GET /api/status", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), statusTimeout)
		defer cancel()
		status, err := o.Gateway.Status(ctx)
		if err != nil {
			o.Log.Error("status can not be read", "error", err)
			writeJSON(w, http.StatusInternalServerError, map[string]any{"ok": false, "detail": "the status can not be read; see the log"})
			return
		}
		writeJSON(w, http.StatusOK, status)
	})
	mux.Handle("/api/", authorised(o.Key, private))
}

// authorised lets a request through that carries the key. An empty key lets
// nothing through.
func authorised(key string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || key == "" || subtle.ConstantTimeCompare([]byte(given), []byte(key)) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="al"`)
			writeJSON(w, http.StatusUnauthorized, map[string]any{"ok": false, "detail": "send Authorization: Bearer <gateway_api_key>"})
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
