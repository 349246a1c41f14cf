package tracing

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

type bell struct{}

func (bell) Describe() sdk.Descriptor { return sdk.Descriptor{Type: "bell", Name: "Door bell"} }

func (bell) Verify(context.Context, sdk.Request, []sdk.Secret) (sdk.Which, error) {
	return sdk.Which{0}, nil
}

func (bell) Parse(context.Context, sdk.Request) ([]sdk.Event, error) {
	return []sdk.Event{{Name: "ring", DeliveryID: "72d3162e-cc78-11e3-81ab-4c9367dc0958"}}, nil
}

type nothing struct{}

func (nothing) Accept(context.Context, store.Acceptance) (store.Accepted, error) {
	return store.Accepted{Verdicts: []store.Verdict{store.Enqueued}, IDs: []int64{1}}, nil
}
func (nothing) Note(job.Receipt) bool { return true }

// BenchmarkDelivery is what logs and traces add to a delivery whose provider and
// store take no time at all; in a gateway these are most of it.
func BenchmarkDelivery(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer collector.Close()
	for _, mode := range []struct {
		name    string
		level   hclog.Level
		traces  bool
		sampled string
	}{
		{"log=off", hclog.Off, false, ""},
		{"log=info", hclog.Info, false, ""},
		{"log=debug", hclog.Debug, false, ""},
		{"log=off/traces=0.01", hclog.Off, true, "0.01"},
		{"log=off/traces=1", hclog.Off, true, "1"},
	} {
		b.Run(mode.name, func(b *testing.B) {
			o := ingest.Options{
				Store: nothing{}, Wake: func() {}, Cancel: func(string, string) {}, Registerer: prometheus.NewRegistry(),
				Log:          hclog.New(&hclog.LoggerOptions{Output: io.Discard, JSONFormat: true, Level: mode.level}),
				MaxBodyBytes: 1 << 20, MaxInflightBytes: 1 << 30, Now: time.Now,
			}
			if mode.traces {
				b.Setenv("OTEL_TRACES_SAMPLER", "traceidratio")
				b.Setenv("OTEL_TRACES_SAMPLER_ARG", mode.sampled)
				tr := start(b, collector.URL)
				defer tr.Close()
				o.Tracer = tr
			}
			h := ingest.New(o)
			mux := http.NewServeMux()
			h.Register(mux)
			d := sdk.Describe(bell{})
			matcher, _ := match.Compile([]match.Trigger{{Agent: "dev", Source: "home"}}, map[string]sdk.Descriptor{"home": d})
			h.Update(&ingest.Routes{Matcher: matcher, Types: map[string]*ingest.Route{"bell": {
				Provider: bell{}, Descriptor: d, Sources: []ingest.Source{{Name: "home", Secrets: []sdk.Secret{{Source: "home"}}}},
			}}})
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/webhooks/bell", strings.NewReader("x")))
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
