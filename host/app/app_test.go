package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// bell is a provider in this process.
type bell struct{}

func (bell) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "bell", Name: "Door bell", SignatureHeaders: []string{"X-Sig"},
		Credential: sdk.Credential{Type: "bell_secret", Fields: []sdk.Field{{Name: "secret", Secret: true}}},
		Filters:    []sdk.Filter{{Name: "doors", Attribute: "door"}},
	}
}

func (bell) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	sig, err := sdk.HexSignature(req.Header, "X-Sig", "")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, "secret", sig, req.Body)
}

// Parse reads bodies like "4711" and "4711 at the back".
func (bell) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	id, door, ok := strings.Cut(string(req.Body), " at the ")
	if !ok {
		door = "front"
	}
	return []sdk.Event{{
		Name: "ring", DeliveryID: id, Attributes: map[string][]string{"door": {door}},
		Extra: map[string]any{"opener": "key-of-" + string(req.Body)}, Sensitive: []string{"opener"},
	}}, nil
}

// within are providers without processes; down makes them fail to start.
type within struct{ down error }

func (w within) Start(context.Context, []string) error { return w.down }
func (w within) Get(string) (sdk.Provider, error)      { return bell{}, w.down }
func (w within) Remove([]string)                       {}
func (w within) Stop(context.Context) error            { return nil }
func (w within) Status() []pluginhost.Status {
	if w.down != nil {
		return []pluginhost.Status{{Type: "bell", State: pluginhost.Failing, LastError: w.down.Error()}}
	}
	return []pluginhost.Status{{Type: "bell", Version: "1", State: pluginhost.Up}}
}

const standard = `
[webhooks.home]
type = "bell"
credential = "home"
`

func options(t *testing.T, projectConfig string, providers app.Providers) app.Options {
	t.Helper()
	dir := t.TempDir()
	credentials := config.Credentials{Dir: filepath.Join(dir, "credentials")}
	if err := credentials.Write("bell_secret", "home", map[string]string{"secret": "ding"}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config.toml":            projectConfig + "[runner]\ncommand = [\"true\"]\n",
		"agents/dev/config.toml": "schedule = \"0 0 1 1 *\"\n[[webhooks]]\nsource = \"home\"\n",
		"agents/dev/SKILL.md":    "Look.\n",
		"agents/off/config.toml": "scale = 0\n[[webhooks]]\nsource = \"home\"\n",
		"agents/off/SKILL.md":    "Look.\n",
	} {
		file := filepath.Join(dir, "p", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, problems := config.Load(filepath.Join(dir, "p"), config.Options{
		CheckSchedule: app.CheckSchedule, Overrides: map[string]string{"gateway.port": "0"},
	})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return app.Options{Project: p, Credentials: credentials, Log: hclog.NewNullLogger(), Providers: providers}
}

func run(t *testing.T, o app.Options) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return a
}

func get(t *testing.T, url, key string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func ring(t *testing.T, a *app.App, id string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/webhooks/bell", strings.NewReader(id))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Sig", sdk.SignHMACSHA256("", "ding", []byte(id)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestWholeGateway(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("run", func(t *testing.T) {
		o := options(t, standard, within{})
		a := run(t, o)
		for _, path := range []string{"/health", "/ready"} {
			if code, body := get(t, a.URL()+path, ""); code != 200 {
				t.Errorf("%s: %d %s", path, code, body)
			}
		}
		if body := ring(t, a, "1"); !strings.Contains(body, `"matched":1,"queued":1`) {
			t.Errorf("a disabled agent matches, or an enabled one does not: %s", body)
		}

		key, err := app.APIKey(o.Credentials)
		if err != nil || len(key) < 20 {
			t.Fatalf("API key %q, %v", key, err)
		}
		for _, wrong := range []string{"", "guess", key[1:], key + "x"} {
			if code, _ := get(t, a.URL()+"/api/status", wrong); code != http.StatusUnauthorized {
				t.Errorf("key %q: answered %d", wrong, code)
			}
		}
		s := ended(t, a, key)
		if len(s.Agents) != 2 || s.Agents[0].NextTick == nil || s.Agents[1].State != "disabled" {
			t.Fatalf("status %+v", s)
		}
		checkMetrics(t, a.URL())
	})
}

// ended waits for the first agent's run to be done.
func ended(t *testing.T, a *app.App, key string) api.Status {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		code, body := get(t, a.URL()+"/api/status", key)
		var s api.Status
		if err := json.Unmarshal([]byte(body), &s); err != nil || code != 200 {
			t.Fatalf("%d %s %v", code, body, err)
		}
		if r := s.Agents[0].LastRun; r != nil && r.State == "done" {
			return s
		}
		select {
		case <-deadline:
			t.Fatalf("the run never ended: %s", body)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// The agent gets what a provider marks sensitive; the output that it leaves
// does not show it.
func TestWhatIsSensitiveReachesTheAgentAlone(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	seen := filepath.Join(t.TempDir(), "seen")
	o.Project.Agents[0].Runner.Command = []string{"sh", "-c", `tee "$0"`, seen}
	a := run(t, o)
	ring(t, a, "4711")
	key, err := app.APIKey(o.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	ended(t, a, key)
	if got, err := os.ReadFile(seen); err != nil || !strings.Contains(string(got), `"opener":"key-of-4711"`) {
		t.Errorf("the agent got %s, %v", got, err)
	}
	logs, err := filepath.Glob(filepath.Join(app.RunsDir(o.Project.Dir), "*", "output.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("outputs: %q, %v", logs, err)
	}
	got, err := os.ReadFile(logs[0])
	if err != nil || !strings.Contains(string(got), `"opener":"***"`) || strings.Contains(string(got), "key-of-4711") {
		t.Errorf("the output is %s, %v", got, err)
	}
}

// The names are a contract with everybody's dashboards.
func checkMetrics(t *testing.T, url string) {
	t.Helper()
	_, body := get(t, url+"/metrics", "")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	labels := func(name string) string {
		f := families[name]
		if f == nil || len(f.GetMetric()) == 0 {
			return "missing"
		}
		var names []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			names = append(names, l.GetName())
		}
		return strings.Join(names, ",")
	}
	for name, want := range map[string]string{
		"al_webhook_requests_total":   "code,provider",
		"al_webhook_duration_seconds": "provider",
		"al_events_total":             "outcome,provider",
		"al_queue_depth":              "agent",
		"al_queue_capacity":           "agent",
		"al_queue_oldest_seconds":     "agent",
		"al_queue_dropped_total":      "agent",
		"al_queue_wait_seconds":       "agent",
		"al_runs_active":              "agent",
		"al_runs_limit":               "agent",
		"al_runs_total":               "agent,outcome,trigger",
		"al_run_duration_seconds":     "agent",
		"al_cron_ticks_total":         "agent,outcome",
		"al_store_commit_seconds":     "",
		"al_store_batch_size":         "",
		"al_build_info":               "goversion,version",
		"go_goroutines":               "",
	} {
		if got := labels(name); got != want {
			t.Errorf("metric %s has labels %q; want %q", name, got, want)
		}
	}
}

func TestStartRefusesWhatCanNeverWork(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config string
		want   string
	}{
		"credential that is not stored": {"[webhooks.home]\ntype = \"bell\"\ncredential = \"nobody\"\n", `config.toml:3:14: webhooks.home: credential bell_secret:nobody`},
		"credential of another type":    {"[webhooks.home]\ntype = \"bell\"\ncredential = \"other_secret:home\"\n", "of another type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := app.New(t.Context(), options(t, tt.config, within{}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
}

// A provider that crashes is tried again; until it is up its deliveries are
// refused in a way that makes the vendor send them again.
func TestStartToleratesAProviderThatCrashes(t *testing.T) {
	t.Parallel()
	a := run(t, options(t, standard, within{down: errors.New("crashed")}))
	if code, body := get(t, a.URL()+"/ready", ""); code != http.StatusServiceUnavailable || !strings.Contains(body, "bell") {
		t.Errorf("ready: %d %s", code, body)
	}
	if body := ring(t, a, "1"); !strings.Contains(body, "provider_down") {
		t.Errorf("answered %s", body)
	}
}
