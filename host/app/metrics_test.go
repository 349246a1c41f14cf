package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/pluginhost"
)

// measured are providers within, with a process that can be measured: this one.
type measured struct{ within }

func (measured) Status() []pluginhost.Status {
	return []pluginhost.Status{{Type: "bell", Version: "1", State: pluginhost.Up, PID: os.Getpid()}}
}

func families(t *testing.T, a *app.App) map[string]*dto.MetricFamily {
	t.Helper()
	_, body := get(t, a.URL()+"/metrics", "")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	out, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// series lists those of our own metrics, as name{label="value",...}.
func series(families map[string]*dto.MetricFamily) map[string]*dto.Metric {
	out := map[string]*dto.Metric{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			out[name+"{"+strings.Join(labels, ",")+"}"] = m
		}
	}
	return out
}

// Labels whose values the user chooses; those of the others are listed.
var openLabels = []string{"agent", "provider", "source", "version", "goversion"}

// docs/metrics.md has every metric that is served, and no other. With UPDATE=1
// it is written.
func TestDocsMetrics(t *testing.T) {
	t.Parallel()
	const page = "../../docs/metrics.md"
	raw, err := os.ReadFile(page)
	if os.IsNotExist(err) {
		t.Skip("this module is here without its repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	a := run(t, options(t, standard, measured{}))
	tell := a.ProviderMetrics()
	tell.Up("bell", "1", true)
	served := families(t, a)
	if served["al_provider_process_open_fds"] == nil {
		t.Skip("what processes use is told on Linux only")
	}

	var table strings.Builder
	for _, group := range metricGroups {
		fmt.Fprintf(&table, "\n### %s\n\n| Metric | Type | Labels | |\n| --- | --- | --- | --- |\n", group.title)
		for _, name := range slices.Sorted(maps.Keys(served)) {
			if groupOf(name) == group.title {
				table.WriteString(metricRow(served[name]))
			}
		}
	}
	for name := range served {
		if groupOf(name) == "" && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is in no group of the documentation", name)
		}
	}

	const begin, end = "<!-- begin generated metrics -->\n", "<!-- end generated metrics -->"
	before, rest, ok := strings.Cut(string(raw), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no %s and %s", page, begin, end)
	}
	if got == table.String() {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("%s is not what is served; run the test with UPDATE=1\ngot:\n%s\nwant:\n%s", page, got, table.String())
	}
	if err := os.WriteFile(page, []byte(before+begin+table.String()+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

var metricGroups = []struct {
	title string
	names *regexp.Regexp
}{
	{"Deliveries and sources", regexp.MustCompile(`^al_(webhook|events|source)_`)},
	{"Queues and jobs", regexp.MustCompile(`^al_(queue|jobs)_`)},
	{"Runs and agents", regexp.MustCompile(`^al_(run|runs|agent|project)_`)},
	{"Schedules", regexp.MustCompile(`^al_cron_`)},
	{"Providers", regexp.MustCompile(`^al_provider_`)},
	{"Store and disk", regexp.MustCompile(`^al_(store|disk)_`)},
	{"The gateway", regexp.MustCompile(`^al_(build|config|trace)_`)},
}

func groupOf(name string) string {
	for _, g := range metricGroups {
		if g.names.MatchString(name) {
			return g.title
		}
	}
	return ""
}

func metricRow(f *dto.MetricFamily) string {
	values := map[string][]string{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if v := l.GetValue(); !slices.Contains(values[l.GetName()], v) {
				values[l.GetName()] = append(values[l.GetName()], v)
			}
		}
	}
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text := "`" + name + "`"
		if !slices.Contains(openLabels, name) {
			slices.Sort(values[name])
			text += ": " + strings.Join(values[name], ", ")
		}
		labels = append(labels, text)
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, "; "), f.GetHelp())
}

// Counters are there at zero before anything was counted, so that the first of a
// kind is a rise.
func TestMetricsBeginAtZero(t *testing.T) {
	t.Parallel()
	a := run(t, options(t, standard, within{}))
	found := series(families(t, a))
	for _, name := range []string{
		`al_webhook_requests_total{code="401",provider="bell"}`,
		`al_webhook_requests_total{code="404",provider="unknown"}`,
		`al_webhook_refused_total{provider="bell",reason="bad_signature"}`,
		`al_webhook_refused_total{provider="bell",reason="store"}`,
		`al_webhook_deadline_missed_total{how="late",provider="bell"}`,
		`al_events_total{outcome="queued",provider="bell"}`,
		`al_source_events_total{provider="bell",source="home"}`,
		`al_agent_loops_total{agent="dev"}`,
		`al_queue_dropped_total{agent="dev"}`,
		`al_jobs_accepted_total{agent="dev",outcome="limited"}`,
		`al_jobs_ended_total{agent="dev",outcome="dead"}`,
		`al_runs_total{agent="dev",outcome="failed",trigger="webhook"}`,
		`al_cron_ticks_total{agent="dev",outcome="skipped"}`,
		`al_config_reloads_total{outcome="failed"}`,
	} {
		if m := found[name]; m == nil || m.GetCounter().GetValue() != 0 {
			t.Errorf("%s is %v before anything happened", name, m)
		}
	}
	for _, name := range []string{
		`al_webhook_duration_seconds{provider="bell"}`, `al_webhook_stage_seconds{provider="bell",stage="commit"}`,
		`al_run_duration_seconds{agent="dev"}`, `al_queue_wait_seconds{agent="dev"}`, `al_run_start_seconds{}`, `al_store_commit_seconds{}`,
	} {
		if m := found[name]; m == nil || m.GetHistogram() == nil {
			t.Errorf("%s is not there", name)
		}
	}
	if age := found[`al_source_last_event_age_seconds{provider="bell",source="home"}`].GetGauge().GetValue(); fmt.Sprint(age) != "+Inf" {
		t.Errorf("a source that sent nothing did so %v s ago", age)
	}
}

// Nothing that a stranger or a busy user sends makes a series.
func TestNobodyCanMakeSeries(t *testing.T) {
	t.Parallel()
	a := run(t, options(t, standard, within{}))
	ring(t, a, "warm up")
	eventually(t, "the first run", func() bool {
		return series(families(t, a))[`al_run_duration_seconds{agent="dev"}`].GetHistogram().GetSampleCount() == 1
	})
	before := slices.Sorted(maps.Keys(series(families(t, a))))
	for i := range 50 {
		for _, path := range []string{"/webhooks/made-up-%d", "/webhooks/bell/made-up-%d", "/webhooks/bell?x=%d", "/nothing/%d"} {
			get(t, a.URL()+fmt.Sprintf(path, i), "")
		}
		ring(t, a, fmt.Sprintf("%d at the back", i))
	}
	if after := slices.Sorted(maps.Keys(series(families(t, a)))); !slices.Equal(before, after) {
		t.Errorf("new series: %v", slices.DeleteFunc(after, func(s string) bool { return slices.Contains(before, s) }))
	}
}

func eventually(t *testing.T, what string, fact func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !fact() {
		select {
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A gateway that is started again knows when its sources were heard last.
func TestLastEventOutlivesARestart(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	const name = `al_source_last_event_age_seconds{provider="bell",source="home"}`
	age := func(a *app.App) float64 { return series(families(t, a))[name].GetGauge().GetValue() }
	t.Run("first", func(t *testing.T) {
		a := run(t, o)
		if body := ring(t, a, "1"); !strings.Contains(body, `"queued":1`) {
			t.Fatal(body)
		}
		if got := age(a); got > 60 {
			t.Errorf("%v s after an event", got)
		}
	})
	again := run(t, o)
	eventually(t, "the last event is known", func() bool { return age(again) < 600 })
}

// What is gone from the configuration is gone from the metrics.
func TestSeriesGoWithTheConfiguration(t *testing.T) {
	t.Parallel()
	o := options(t, manual+"[webhooks.shed]\ntype = \"bell\"\ncredential = \"home\"\n", within{})
	a := run(t, o)
	c := client(t, a, o)
	ring(t, a, "1")
	eventually(t, "the run ended", func() bool {
		return series(families(t, a))[`al_run_duration_seconds{agent="dev"}`].GetHistogram().GetSampleCount() == 1
	})
	with := func(what string) (n int) {
		for name := range series(families(t, a)) {
			if strings.Contains(name, what) {
				n++
			}
		}
		return n
	}
	if with(`source="shed"`) == 0 || with(`agent="dev"`) == 0 {
		t.Fatal("nothing is told of what is configured")
	}
	rewrite(t, o, "config.toml", manual)
	if err := os.RemoveAll(o.Project.Dir + "/agents/dev"); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Reload(t.Context()); err != nil || !out.OK {
		t.Fatalf("%+v, %v", out, err)
	}
	if n, m := with(`source="shed"`), with(`agent="dev"`); n != 0 || m != 0 {
		t.Errorf("%d series of a source and %d of an agent that are gone", n, m)
	}
}

// A bucket leads to one of the deliveries in it, for those who ask for that form.
func TestExemplarsCarryTheReceipt(t *testing.T) {
	t.Parallel()
	a := run(t, options(t, standard, within{}))
	var sum struct{ Receipt string }
	if err := json.Unmarshal([]byte(ring(t, a, "1")), &sum); err != nil || sum.Receipt == "" {
		t.Fatalf("%+v, %v", sum, err)
	}
	eventually(t, "exemplars of the delivery and of its run", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for line := range strings.Lines(string(body)) {
			if name, _, ok := strings.Cut(line, "_bucket{"); ok && strings.Contains(line, `# {receipt_id="`+sum.Receipt+`"}`) {
				found[name] = true
			}
		}
		return found["al_webhook_duration_seconds"] && found["al_queue_wait_seconds"] && found["al_run_duration_seconds"]
	})
}
