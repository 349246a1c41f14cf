package app_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/internal/otlptest"
	"github.com/action-llama/gateway/sdk"
)

// one finds the span of a name.
func one(t *testing.T, spans []otlptest.Span, name string) otlptest.Span {
	t.Helper()
	var found []otlptest.Span
	for _, s := range spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d spans %q among %+v", len(found), name, spans)
	}
	return found[0]
}

// checkTrace looks at the whole trace of a delivery whose run wrote down what it
// was to go on from.
func checkTrace(t *testing.T, spans []otlptest.Span, given string) {
	t.Helper()
	root := one(t, spans, "POST /webhooks/{type}")
	parents := map[string]string{
		"POST /webhooks/{type}": "", "read": root.Name, "match": root.Name, "commit": root.Name,
		"actionllama.provider.v1.ProviderService/Deliver": root.Name,
		"job": root.Name, "wait": "job", "run": "job", "hooks.pre[0]": "run", "sh": "run", "hooks.post[0]": "run",
	}
	if len(spans) != len(parents) {
		t.Errorf("%d spans, want %d: %+v", len(spans), len(parents), spans)
	}
	for name, parent := range parents {
		s := one(t, spans, name)
		if s.Trace != root.Trace {
			t.Errorf("%s is in a trace of its own", name)
		}
		want := ""
		if parent != "" {
			want = one(t, spans, parent).ID
		}
		if s.Parent != want {
			t.Errorf("%s has not %q for its parent", name, parent)
		}
		if s.Ended.Before(s.Began) || s.Failed {
			t.Errorf("%s: %+v", name, s)
		}
		if s.Resource["service.name"] != "al" || s.Resource["service.version"] != "dev" || s.Resource["service.instance.id"] == "" {
			t.Errorf("resource %v", s.Resource)
		}
	}
	for key, want := range map[string]string{
		"http.request.method": "POST", "http.route": "/webhooks/{type}", "http.response.status_code": "200",
		"al.provider": "bell", "al.source": "home", "al.outcome": "queued", "al.agents": "dev", "al.event": "ring", "al.delivery_id": "4711",
	} {
		if got := root.Attributes[key]; got != want {
			t.Errorf("delivery: %s is %q, want %q", key, got, want)
		}
	}
	run := one(t, spans, "run")
	for key, want := range map[string]string{"al.agent": "dev", "al.trigger": "webhook", "al.outcome": "done", "al.attempt": "1", "process.exit.code": "0"} {
		if got := run.Attributes[key]; got != want {
			t.Errorf("run: %s is %q, want %q", key, got, want)
		}
	}
	if job := one(t, spans, "job"); job.Attributes["al.receipt"] != root.Attributes["al.receipt"] || len(root.Attributes["al.receipt"]) != 26 {
		t.Errorf("the receipt is %q in the one and %q in the other", root.Attributes["al.receipt"], job.Attributes["al.receipt"])
	}
	if strings.TrimSpace(given) != run.TraceParent {
		t.Errorf("the harness was given %q; the run is %q", given, run.TraceParent)
	}
}

// traced is a gateway's configuration with a collector, whose agent writes down
// what it is given.
func traced(t *testing.T, endpoint string) (o app.Options, given string) {
	t.Helper()
	o = options(t, standard, within{})
	o.Project.Gateway.OTLPEndpoint = endpoint
	script(t, o, `printf '%s' "$TRACEPARENT" > "$1/given"; cat > /dev/null`)
	o.Project.Agents[0].Hooks.Pre = []string{"true"}
	o.Project.Agents[0].Hooks.Post = []string{"true"}
	return o, filepath.Join(o.Project.Dir, "given")
}

func TestOneDeliveryIsOneTrace(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	c := otlptest.New(t)
	o, given := traced(t, c.URL)
	t.Run("at once", func(t *testing.T) {
		a := run(t, o)
		ring(t, a, "4711")
		spans := c.Await(t, "job")
		raw, err := os.ReadFile(given)
		if err != nil {
			t.Fatal(err)
		}
		checkTrace(t, spans, string(raw))
		for _, secret := range []string{"key-of-4711", "ding"} {
			if strings.Contains(c.Raw(), secret) {
				t.Errorf("the collector got %q", secret)
			}
		}
	})
}

// The delivery was taken by a gateway that is gone when the run begins.
func TestATraceOutlastsTheGateway(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	c := otlptest.New(t)
	o, given := traced(t, c.URL)
	t.Run("before", func(t *testing.T) {
		a := run(t, o)
		if _, err := a.Pause(t.Context(), "dev", api.PauseAsk{}); err != nil {
			t.Fatal(err)
		}
		ring(t, a, "4711")
	})
	if got := c.Spans(); len(got) != 5 { // sent when it stopped
		t.Fatalf("spans of the delivery: %+v", got)
	}
	t.Run("after", func(t *testing.T) {
		a := run(t, o)
		if _, err := a.Resume(t.Context(), "dev"); err != nil {
			t.Fatal(err)
		}
		spans := c.Await(t, "job")
		raw, err := os.ReadFile(given)
		if err != nil {
			t.Fatal(err)
		}
		checkTrace(t, spans, string(raw))
	})
}

// What is sampled is decided by the trace, so that it holds for all of it, also
// for the harness.
func TestSamplingHoldsForTheWholeTrace(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
	c := otlptest.New(t)
	o, given := traced(t, c.URL)
	script(t, o, `printf '%s\n' "$TRACEPARENT" >> "$1/given"`)
	const deliveries = 30
	t.Run("gateway", func(t *testing.T) {
		a := run(t, o)
		for i := range deliveries {
			ring(t, a, fmt.Sprint("d-", i))
		}
		await(t, "all runs", func() (int, error) {
			raw, err := os.ReadFile(given)
			if os.IsNotExist(err) {
				err = nil
			}
			return strings.Count(string(raw), "\n"), err
		}, func(n int) bool { return n == deliveries })
	})
	raw, err := os.ReadFile(given)
	if err != nil {
		t.Fatal(err)
	}
	sampled := map[string]int{} // spans by trace
	for _, s := range c.Spans() {
		sampled[s.Trace]++
	}
	if len(sampled) == 0 || len(sampled) == deliveries {
		t.Errorf("%d of %d traces", len(sampled), deliveries) // once in 500 million
	}
	for line := range strings.Lines(string(raw)) {
		part := strings.Split(strings.TrimSpace(line), "-")
		want := "00"
		if sampled[part[1]] > 0 {
			want = "01"
		}
		if part[3] != want {
			t.Errorf("the harness was given %s, and %d spans of that were sent", line, sampled[part[1]])
		}
	}
	for id, n := range sampled {
		if n != 11 {
			t.Errorf("trace %s has %d spans", id, n)
		}
	}
}

// Without a collector nothing is different but one line in the log.
func TestACollectorThatIsDown(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + l.Addr().String()
	_ = l.Close()
	o, _ := traced(t, endpoint)
	log := &syncBuffer{}
	o.Log = hclog.New(&hclog.LoggerOptions{Output: log})
	t.Run("gateway", func(t *testing.T) {
		a := run(t, o)
		for i := range 20 {
			if body := ring(t, a, fmt.Sprint("d-", i)); !strings.Contains(body, `"queued":1`) {
				t.Errorf("answered %s", body)
			}
			await(t, "spans that were lost", func() (string, error) {
				_, body := get(t, a.URL()+"/metrics", "")
				return body, nil
			}, func(body string) bool {
				var n int
				_, rest, _ := strings.Cut(body, "\nal_trace_spans_total{outcome=\"failed\"} ")
				_, err := fmt.Sscan(rest, &n)
				return err == nil && n > i
			})
		}
	})
	if n := strings.Count(log.String(), "traces can not be sent"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}

// A collector that answers nobody makes nobody wait, and is not waited for.
func TestACollectorThatHangs(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	asked, hang := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(asked) })
		<-hang
	}))
	defer s.Close()
	defer close(hang)
	o, _ := traced(t, s.URL)
	t.Run("gateway", func(t *testing.T) {
		a := run(t, o)
		ring(t, a, "d-1")
		<-asked
		for i := range 20 {
			if body := ring(t, a, fmt.Sprint("e-", i)); !strings.Contains(body, `"queued":1`) {
				t.Errorf("answered %s", body)
			}
		}
	}) // stops while the collector still hangs
}

// Who sends a trace with a delivery does not get into ours; and without a
// collector the harness is given none.
func TestTracesOfStrangersAreNotOurs(t *testing.T) {
	c := otlptest.New(t)
	o, _ := traced(t, c.URL)
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	t.Run("gateway", func(t *testing.T) {
		a := run(t, o)
		for _, sig := range []string{"forged", "right"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/webhooks/bell", strings.NewReader("1"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Traceparent", "00-"+theirs+"-b7ad6b7169203331-01")
			req.Header.Set("X-Sig", sig)
			if sig == "right" {
				req.Header.Set("X-Sig", sdk.SignHMACSHA256("", "ding", []byte("1")))
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	})
	var roots int
	for _, s := range c.Spans() {
		if s.Trace == theirs || len(s.Links) > 0 {
			t.Errorf("%+v", s)
		}
		if s.Parent == "" {
			roots++
		}
	}
	if roots != 1 {
		t.Errorf("%d traces; one that was forged makes none", roots)
	}
	t.Run("none", func(t *testing.T) {
		o, given := traced(t, "")
		script(t, o, `printf '%s' "${TRACEPARENT-none}" > "$1/given.new"; mv "$1/given.new" "$1/given"`)
		a := run(t, o)
		ring(t, a, "1")
		await(t, "the run", func() (string, error) {
			raw, err := os.ReadFile(given)
			if os.IsNotExist(err) {
				err = nil
			}
			return string(raw), err
		}, func(s string) bool { return s == "none" })
	})
}
