package scrape_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"github.com/action-llama/gateway/host/scrape"
)

// agent is one of a gateway, in small.
type agent struct {
	own  *prometheus.Registry
	part *scrape.Part
	runs *prometheus.CounterVec
	took prometheus.Histogram
	free prometheus.Gauge
}

func newAgent(name string) *agent {
	label := prometheus.Labels{"agent": name}
	a := &agent{
		own:  prometheus.NewRegistry(),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "runs_total", Help: "Of \\ two\nlines.", ConstLabels: label}, []string{"outcome"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "took_seconds", Help: "Time.", Buckets: []float64{1, 10}, ConstLabels: label, NativeHistogramBucketFactor: 1.1,
		}),
		free: prometheus.NewGauge(prometheus.GaugeOpts{Name: "free", ConstLabels: label}),
	}
	a.own.MustRegister(a.runs, a.took, a.free)
	return a
}

func get(h http.Handler, path, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Whatever happened between two scrapes, what is served is to the byte what
// Prometheus' own handler serves of the same metrics.
func TestServesWhatPromhttpServes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base := prometheus.NewRegistry()
		whole := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "All."}, []string{"code"})
		base.MustRegister(whole)
		b := scrape.New(base)
		h := b.Handler()
		agents := map[string]*agent{}
		hidden := map[string]bool{}
		name := rapid.SampledFrom([]string{"a", "b", "c d", `quo"ted`, "new\nline", "# HELP", "ü"})
		some := func(t *rapid.T) *agent {
			a := agents[name.Draw(t, "agent")]
			if a == nil {
				t.Skip("there is none")
			}
			return a
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n := name.Draw(t, "agent")
				if agents[n] != nil {
					t.Skip("is there")
				}
				agents[n] = newAgent(n)
				agents[n].part = b.Add(n, agents[n].own)
			},
			"remove": func(t *rapid.T) {
				n := name.Draw(t, "agent")
				if agents[n] == nil {
					t.Skip("there is none")
				}
				b.Remove(agents[n].part)
				delete(agents, n)
				delete(hidden, n)
			},
			"hide": func(t *rapid.T) {
				n := name.Draw(t, "agent")
				if agents[n] == nil {
					t.Skip("there is none")
				}
				hidden[n] = !hidden[n]
				agents[n].part.Show(!hidden[n])
			},
			"count": func(t *rapid.T) {
				a := some(t)
				a.runs.WithLabelValues(rapid.SampledFrom([]string{"done", "failed", `"\`}).Draw(t, "outcome")).Inc()
				a.part.Touch()
			},
			"observe": func(t *rapid.T) {
				a := some(t)
				took, ok := a.took.(prometheus.ExemplarObserver)
				if !ok {
					t.Fatal("a histogram takes no exemplars")
				}
				took.ObserveWithExemplar(rapid.Float64Range(0, 20).Draw(t, "took"), prometheus.Labels{"receipt_id": "x"})
				a.part.Touch()
			},
			"set": func(t *rapid.T) {
				a := some(t)
				a.free.Set(rapid.Float64().Draw(t, "free"))
				a.part.Touch()
			},
			"request": func(t *rapid.T) {
				whole.WithLabelValues(rapid.SampledFrom([]string{"200", "404"}).Draw(t, "code")).Inc()
			},
			"": func(t *rapid.T) {
				all := prometheus.Gatherers{base}
				for n, a := range agents {
					if !hidden[n] {
						all = append(all, a.own)
					}
				}
				reference := promhttp.HandlerFor(all, promhttp.HandlerOpts{EnableOpenMetrics: true})
				accept := rapid.SampledFrom([]string{
					"", "text/plain;version=0.0.4", "text/plain;version=1.0.0;escaping=allow-utf-8", "application/openmetrics-text;version=1.0.0",
					"application/openmetrics-text;version=0.0.1;escaping=dots",
					"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
				}).Draw(t, "accept")
				path := rapid.SampledFrom([]string{"/metrics", "/metrics", "/metrics?name[]=free"}).Draw(t, "path")
				got, want := get(h, path, accept), get(reference, path, accept)
				if got.Code != want.Code || got.Header().Get("Content-Type") != want.Header().Get("Content-Type") {
					t.Fatalf("%d %s, want %d %s", got.Code, got.Header(), want.Code, want.Header())
				}
				if text, ref := got.Body.String(), want.Body.String(); text != ref {
					t.Fatalf("%s as %q: got\n%s\nwant\n%s", path, accept, text, ref)
				}
			},
		})
	})
}

// parsed is a scrape as text.
func parsed(t *testing.T, w *httptest.ResponseRecorder) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	out, err := p.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Error(err)
	}
	return out
}

// Nothing that is counted during a scrape is lost to the next.
func TestScrapesWhileItIsCounted(t *testing.T) {
	t.Parallel()
	const agents, counts = 4, 500
	b := scrape.New(prometheus.NewRegistry())
	h := b.Handler()
	var counting sync.WaitGroup
	begin := make(chan struct{}) // after a scrape, so that there is something kept
	for i := range agents {
		a := newAgent(fmt.Sprint(i))
		a.runs.WithLabelValues("done")
		a.part = b.Add(fmt.Sprint(i), a.own)
		counting.Go(func() {
			<-begin
			for range counts {
				a.runs.WithLabelValues("done").Inc()
				a.part.Touch()
			}
		})
		counting.Go(func() { // agents come and go beside it
			for range 20 {
				b.Remove(b.Add("other", newAgent("other").own))
			}
		})
	}
	get(h, "/metrics", "")
	close(begin)
	over := make(chan struct{})
	go func() {
		counting.Wait()
		close(over)
	}()
	total := func(w *httptest.ResponseRecorder) (n float64) {
		for _, m := range parsed(t, w)["runs_total"].GetMetric() {
			n += m.GetCounter().GetValue()
		}
		return n
	}
	var scraping sync.WaitGroup
	for range 3 {
		scraping.Go(func() {
			last := 0.0
			for {
				n := total(get(h, "/metrics", ""))
				if n < last {
					t.Errorf("%v after %v: a counter fell", n, last)
				}
				last = n
				get(h, "/metrics", "application/openmetrics-text;version=1.0.0")
				select {
				case <-over:
					return
				default:
				}
			}
		})
	}
	scraping.Wait()
	<-over
	if n := total(get(h, "/metrics", "")); n != agents*counts {
		t.Errorf("%v of %d are served", n, agents*counts)
	}
}

// An agent that did nothing is not looked at again.
func TestOnlyWhatChangedIsGathered(t *testing.T) {
	t.Parallel()
	b := scrape.New(prometheus.NewRegistry())
	h := b.Handler()
	gathered := map[string]int{}
	part := func(name string) *scrape.Part {
		own := newAgent(name).own
		return b.Add(name, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			gathered[name]++
			return own.Gather()
		}))
	}
	busy, _ := part("busy"), part("idle")
	for range 3 {
		get(h, "/metrics", "")
		busy.Touch()
	}
	if gathered["busy"] != 3 || gathered["idle"] != 1 {
		t.Errorf("3 scrapes gathered %v", gathered)
	}
}

// What can not be gathered is left out, and asked for again; it takes nothing
// else with it.
func TestOfWhatFails(t *testing.T) {
	t.Parallel()
	var down error
	own := newAgent("a").own
	base := prometheus.NewRegistry()
	b := scrape.New(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		if down != nil {
			return nil, down
		}
		return base.Gather()
	}))
	h := b.Handler()
	failing := b.Add("a", prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		if down != nil {
			return nil, down
		}
		return own.Gather()
	}))
	down = errors.New("out of order")
	if w := get(h, "/metrics", ""); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "out of order") {
		t.Errorf("nothing could be gathered: %d %s", w.Code, w.Body)
	}
	well := newAgent("b")
	b.Add("b", well.own)
	if w := get(h, "/metrics", ""); w.Code != http.StatusOK || strings.Contains(w.Body.String(), `agent="a"`) || !strings.Contains(w.Body.String(), `free{agent="b"}`) {
		t.Errorf("one part fails: %d %s", w.Code, w.Body)
	}
	down = nil
	if w := get(h, "/metrics", ""); !strings.Contains(w.Body.String(), `free{agent="a"}`) {
		t.Errorf("it works again, and is not there: %s", w.Body)
	}
	b.Before(func() {
		if down != nil {
			wrong := -len(down.Error())
			_ = strings.Repeat("x", wrong) // a fault of the program
		}
	})
	down = errors.New("again")
	failing.Touch()
	if w := get(h, "/metrics", ""); w.Code != http.StatusInternalServerError {
		t.Errorf("after a fault: %d", w.Code)
	}
	down = nil
	if w := get(h, "/metrics", ""); w.Code != http.StatusOK {
		t.Errorf("a fault has stayed: %d", w.Code)
	}
}

// A scrape that hangs is given up, and so are those that wait for it; they are
// served when it is over.
func TestAScrapeThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		base := prometheus.NewRegistry()
		b := scrape.New(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			<-hold
			return base.Gather()
		}))
		b.Add("a", newAgent("a").own)
		h := b.Handler()
		for range 2 {
			began := time.Now()
			if w := get(h, "/metrics", ""); w.Code != http.StatusServiceUnavailable || time.Since(began) != 5*time.Second {
				t.Errorf("%d after %s", w.Code, time.Since(began))
			}
		}
		close(hold)
		if w := get(h, "/metrics", ""); w.Code != http.StatusOK {
			t.Errorf("%d when nothing hangs", w.Code)
		}
	})
}
