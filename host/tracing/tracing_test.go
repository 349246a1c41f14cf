package tracing

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/internal/otlptest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/store"
)

func start(t testing.TB, endpoint string) *Tracer {
	t.Helper()
	tr, err := New(context.Background(), Options{
		Endpoint: endpoint, Version: "1", Instance: "i", Host: "h", Log: hclog.NewNullLogger(), Registerer: prometheus.NewRegistry(),
	})
	if err != nil || tr == nil {
		t.Fatalf("%v, %v", tr, err)
	}
	return tr
}

func delivered(receipt string) ingest.Delivered {
	now := time.Now()
	return ingest.Delivered{
		Receipt: receipt, Provider: "bell", Sources: []string{"home"}, Method: http.MethodPost, Outcome: job.Queued, Agents: []string{"dev"},
		Event: "ring", DeliveryID: "d-1", Events: 1, Status: 200, Began: now, Ended: now.Add(time.Millisecond),
		Stages: []ingest.Stage{
			{Name: "read", Began: now, Ended: now}, {Name: "provider", Began: now, Ended: now},
			{Name: "match", Began: now, Ended: now}, {Name: "commit", Began: now, Ended: now},
		},
	}
}

func claimed(receipt string) store.Claimed {
	at := time.UnixMilli(1_700_000_000_000)
	return store.Claimed{
		Job: job.Job{ID: 7, Agent: "dev", Trigger: job.Webhook, Receipt: receipt, QueuedAt: at},
		Run: job.Run{ID: "r1", Job: 7, Agent: "dev", Attempt: 1, StartedAt: at.Add(time.Second)},
	}
}

func TestOffWithoutACollector(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"} {
		t.Setenv(name, "")
	}
	try := func() (*Tracer, error) {
		return New(t.Context(), Options{Log: hclog.NewNullLogger(), Registerer: prometheus.NewRegistry()})
	}
	if tr, err := try(); tr != nil || err != nil {
		t.Errorf("nobody asked: %v, %v", tr, err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	for name, value := range map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none"} {
		t.Setenv(name, value)
		if tr, err := try(); tr != nil || err != nil {
			t.Errorf("%s=%s: %v, %v", name, value, tr, err)
		}
		t.Setenv(name, "")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cret@collector:4318")
	if _, err := try(); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_ENDPOINT") {
		t.Errorf("an address that is none: %v", err)
	}
	var off *Tracer // all of this does nothing
	off.Run(claimed("a"), "done", runner.Result{})
	if got := off.TraceParent(claimed("a")); got != "" {
		t.Errorf("a trace of nothing: %s", got)
	}
	off.Close()
}

// Without a key in the configuration the variables of OpenTelemetry say where
// traces go; and in any case what the gateway is called.
func TestTheEnvironment(t *testing.T) {
	right, wrong := otlptest.New(t), otlptest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", right.URL+"/v1/traces")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", wrong.URL)
	t.Setenv("OTEL_SERVICE_NAME", "webhooks")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
	tr := start(t, "")
	tr.Delivery(delivered("r"))
	tr.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", wrong.URL+"/v1/traces")
	spans := right.Spans()
	if len(spans) != 5 || len(wrong.Spans()) != 0 {
		t.Fatalf("%d spans went where they should, %d elsewhere", len(spans), len(wrong.Spans()))
	}
	if got := spans[0].Resource; got["service.name"] != "webhooks" || got["deployment.environment.name"] != "staging" || got["host.name"] != "h" {
		t.Errorf("resource %v", got)
	}
	tr = start(t, right.URL) // of the configuration, and before the variables
	tr.Delivery(delivered("r"))
	tr.Close()
	if len(right.Spans()) != 10 || len(wrong.Spans()) != 0 {
		t.Errorf("%d spans went where they should, %d elsewhere", len(right.Spans()), len(wrong.Spans()))
	}
}

// Who has a receipt has the trace.
func TestTheTraceIsTheReceipt(t *testing.T) {
	t.Parallel()
	if got := traceOfReceipt("01kb0v5s3tq1m8x2c9w4r7y6nz").String(); got != "019ac1b2e47ab8688e8989e1307f1abf" {
		t.Error(got)
	}
}

// Deliveries that belong together have traces of their own, with links.
func TestLinks(t *testing.T) {
	c := otlptest.New(t)
	tr := start(t, c.URL+"/")
	again := delivered("again")
	again.ReplayOf, again.Status, again.Method = "first", 0, ""
	tr.Delivery(again)
	burst := claimed("first")
	burst.Job.Merged = 2
	burst.Merged = []job.Event{{Receipt: "second"}, {Receipt: "first"}}
	tr.Run(burst, "done", runner.Result{State: job.Done})
	tick := claimed("")
	tr.Run(tick, "failed", runner.Result{State: job.Failed, ExitCode: 3, Reason: "ended with 3", Steps: []runner.Step{{Name: "sh", ExitCode: 3}}})
	tr.Close()

	first, second := traceOfReceipt("first").String(), traceOfReceipt("second").String()
	for _, s := range c.Spans() {
		links := strings.Join(s.Links, " ")
		switch {
		case s.Name == "replay" && (links != first || s.Trace == first || s.Parent != ""):
			t.Errorf("replay: %+v", s)
		case s.Name == "job" && s.Trace == first && (links != second || s.Parent != spanOf(ofDelivery, "first").String()):
			t.Errorf("burst: %+v", s)
		case s.Trace == traceOf(tick.Job).String() && (s.Name == "job") != (s.Parent == ""):
			t.Errorf("tick: %+v", s)
		case s.Trace == traceOf(tick.Job).String() && s.Failed != (s.Name != "wait"):
			t.Errorf("tick: %+v", s)
		}
	}
	if n := len(c.Spans()); n != 5+3+4 {
		t.Errorf("%d spans: %+v", n, c.Spans())
	}
}

// Numbers of jobs are the same in every store, and the traces are not.
func TestTracesOfTicksAreTheirOwn(t *testing.T) {
	t.Parallel()
	a, b := claimed("").Job, claimed("").Job
	if traceOf(a) != traceOf(b) {
		t.Error("another trace for the same job")
	}
	b.QueuedAt = b.QueuedAt.Add(time.Millisecond)
	if traceOf(a) == traceOf(b) {
		t.Error("two jobs with one trace")
	}
}

// What does not fit is dropped and counted; nobody waits.
func TestTooManySpansAreCounted(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	tr := start(t, s.URL)
	const deliveries = 2 * mostSpans / 5
	for range deliveries {
		tr.Delivery(delivered("r"))
	}
	dropped := testutil.ToFloat64(tr.exporter.metrics.spans.WithLabelValues(spanDropped))
	if want := float64(deliveries*5 - mostSpans); dropped != want {
		t.Errorf("%v dropped, want %v", dropped, want)
	}
	closed := make(chan struct{})
	go func() { tr.Close(); close(closed) }()
	select {
	case <-closed: // with the collector still hanging
	case <-time.After(time.Minute): // 8 batches would take 80 s
		t.Error("Close waits for the collector")
	}
	close(hang)
	<-closed
	s.Close()
}

// Whoever hangs is told of once, and so is that they are back.
func TestToldOnce(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	c := otlptest.New(t)
	bad := make(chan bool, 1)
	bad <- true
	failing := true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case failing = <-bad:
		default:
		}
		if failing {
			http.Error(w, strings.Repeat("go away\n", 1000), http.StatusForbidden)
			return
		}
		c.ServeHTTP(w, r)
	}))
	defer s.Close()
	var log strings.Builder
	tr, err := New(t.Context(), Options{
		Endpoint: s.URL, Log: hclog.New(&hclog.LoggerOptions{Output: &log}), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	awaitCount := func(outcome string, n float64) {
		t.Helper()
		deadline := time.After(time.Minute)
		for testutil.ToFloat64(tr.exporter.metrics.spans.WithLabelValues(outcome)) < n {
			select {
			case <-deadline:
				t.Fatalf("never %v %s", n, outcome)
			case <-time.After(time.Millisecond):
			}
		}
	}
	for i := range 3 {
		tr.Delivery(delivered("r"))
		awaitCount(spanFailed, float64(5*(i+1)))
	}
	bad <- false
	tr.Delivery(delivered("r"))
	awaitCount(spanSent, 5)
	tr.Close()
	if got := log.String(); strings.Count(got, "can not be sent") != 1 || strings.Count(got, "can be sent again") != 1 || len(got) > 2000 {
		t.Errorf("log:\n%s", got)
	}
}

func TestMain(m *testing.M) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_SAMPLER"} {
		_ = os.Unsetenv(name)
	}
	os.Exit(m.Run())
}
