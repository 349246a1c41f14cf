package app_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes traces as a collector does.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*spans.Span
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var got collector.ExportTraceServiceRequest
		if err != nil || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, &got) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, resource := range got.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				r.spans = append(r.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// Traces of a delivery: its stages, the wait of its job and its run hang
// together, and what the run does finds its place in it.
func TestOneTraceFromTheDeliveryToTheRun(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	o := options(t, "[gateway]\notlpEndpoint = \""+r.URL+"\"\n"+standard, within{})
	told := filepath.Join(t.TempDir(), "traceparent")
	o.Project.Agents[0].Runner.Command = []string{"/bin/sh", "-c", "echo $TRACEPARENT > " + told + ".new && mv " + told + ".new " + told}
	var sum struct{ Receipt string }
	t.Run("gateway", func(t *testing.T) {
		a := run(t, o)
		if err := json.Unmarshal([]byte(ring(t, a, "the secret body")), &sum); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the run ended", func() bool {
			return series(families(t, a))[`al_run_duration_seconds{agent="dev"}`].GetHistogram().GetSampleCount() == 1
		})
	}) // what is left is sent at the end

	r.mu.Lock()
	defer r.mu.Unlock()
	named := map[string]*spans.Span{}
	for _, s := range r.spans {
		named[s.GetName()] = s
		if strings.Contains(s.String(), "secret") {
			t.Errorf("a span holds what was sent: %s", s)
		}
	}
	root := named["delivery bell"]
	if root == nil || len(root.GetParentSpanId()) != 0 {
		t.Fatalf("no root among %v", named)
	}
	for _, name := range []string{"read", "provider", "match", "commit", "waiting", "run dev"} {
		s := named[name]
		if s == nil {
			t.Errorf("there is no span %q", name)
			continue
		}
		if string(s.GetTraceId()) != string(root.GetTraceId()) || string(s.GetParentSpanId()) != string(root.GetSpanId()) {
			t.Errorf("%q is no part of the delivery's trace: %s", name, s)
		}
		if s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
			t.Errorf("%q ended before it began", name)
		}
	}
	got, err := os.ReadFile(told)
	want := "00-" + hex.EncodeToString(root.GetTraceId()) + "-" + hex.EncodeToString(named["run dev"].GetSpanId()) + "-01\n"
	if err != nil || string(got) != want {
		t.Errorf("the harness was told %q, %v; want %q", got, err, want)
	}
}

// Without a collector to send to, a harness is told of no trace.
func TestNoTracesUnlessWanted(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	told := filepath.Join(t.TempDir(), "traceparent")
	o.Project.Agents[0].Runner.Command = []string{"/bin/sh", "-c", "echo \"${TRACEPARENT-none}\" > " + told}
	a := run(t, o)
	ring(t, a, "1")
	eventually(t, "the run", func() bool {
		got, err := os.ReadFile(told)
		return err == nil && string(got) == "none\n"
	})
}

// A collector that is not there costs a warning, and nothing else.
func TestTracesThatNobodyTakes(t *testing.T) {
	t.Parallel()
	o := options(t, "[gateway]\notlpEndpoint = \"http://127.0.0.1:1\"\n"+standard, within{})
	a := run(t, o)
	if body := ring(t, a, "1"); !strings.Contains(body, `"queued":1`) {
		t.Error(body)
	}
}
