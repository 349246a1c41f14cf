package page

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

const runID = "01kjm1w5p6abcdefghjkmnpqrs"

// fake is a gateway with one agent, one run and one delivery, all of them with
// the same hostile text in every place that a stranger writes to.
type fake struct {
	Gateway
	text string
	big  string

	mu      sync.Mutex
	waiting int
	ended   bool
	output  string
	done    []string
	fails   error
}

func (f *fake) did(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, what)
}

func (f *fake) Status(context.Context) (api.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run := api.RunStatus{ID: runID, Agent: "dev", Trigger: "webhook", State: api.RunRunning, StartedAt: time.Now()}
	return api.Status{
		Project: "/srv/" + f.text, Running: true, Version: "1", Address: "http://127.0.0.1:8080",
		Agents: []api.AgentStatus{{
			Name: "dev", State: "running", Running: 1, Scale: 2, Waiting: f.waiting, Capacity: 10, PausedReason: f.text, LastRun: &run,
		}},
		Providers: []api.ProviderStatus{{Type: "bell", Version: f.text, Protocol: 1, State: "failing", Error: f.text}},
		Config:    &api.ConfigStatus{Error: f.text, NeedRestart: []string{"gateway.port"}},
	}, f.fails
}

func (f *fake) run() api.RunStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := api.RunStatus{ID: runID, Job: 7, Agent: "dev", Trigger: "webhook", State: api.RunRunning, Attempt: 1, StartedAt: time.Now(), Reason: f.text}
	if f.ended {
		end := time.Now()
		r.State, r.EndedAt = api.RunDone, &end
	}
	return r
}

func (f *fake) Runs(context.Context, api.RunsQuery) ([]api.RunStatus, error) {
	return []api.RunStatus{f.run()}, nil
}

func (f *fake) Run(_ context.Context, id string) (api.RunStatus, error) {
	if id != runID {
		return api.RunStatus{}, api.NotFound("there is no run %q", id)
	}
	return f.run(), nil
}

func (f *fake) Job(context.Context, int64) (api.JobStatus, error) {
	return api.JobStatus{ID: 7, Agent: "dev", Trigger: "webhook", Receipt: "r1", State: "waiting", Reason: f.text}, nil
}

func (f *fake) Prompt(context.Context, string) (api.Prompt, error) {
	return api.Prompt{Text: f.text, Size: int64(len(f.text))}, nil
}

func (f *fake) Output(_ context.Context, _ string, from int64) (api.Output, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if from < 0 {
		from = max(0, int64(len(f.output))+from)
	}
	from = min(from, int64(len(f.output)))
	return api.Output{ReadCloser: io.NopCloser(strings.NewReader(f.output[from:])), From: from}, nil
}

func (f *fake) Stats(context.Context, string, time.Duration) (api.Stats, error) {
	return api.Stats{}, nil
}

func (f *fake) Queues(context.Context) ([]store.Queue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []store.Queue{{Agent: "dev", Waiting: f.waiting}}, nil
}

func (f *fake) Start(_ context.Context, agent string, ask api.Ask) (api.JobStatus, error) {
	f.did("start " + agent + " " + ask.Prompt)
	return api.JobStatus{ID: 7}, nil
}

func (f *fake) Pause(_ context.Context, agent string, ask api.PauseAsk) (api.Paused, error) {
	f.did("pause " + agent + " " + ask.Reason)
	return api.Paused{Paused: true, Changed: true}, nil
}

func (f *fake) Resume(_ context.Context, agent string) (api.Paused, error) {
	f.did("resume " + agent)
	return api.Paused{Changed: true}, nil
}

func (f *fake) KillRun(_ context.Context, run string) (api.Killed, error) {
	f.did("kill " + run)
	return api.Killed{Runs: []string{run}}, nil
}

func (f *fake) KillAgent(_ context.Context, agent string) (api.Killed, error) {
	f.did("kill all of " + agent)
	return api.Killed{}, nil
}

func (f *fake) Replay(_ context.Context, id string) deliveries.Replayed {
	f.did("replay " + id)
	if id != "r1" {
		return deliveries.Replayed{Of: id, Error: "there is no such receipt"}
	}
	return deliveries.Replayed{Of: id, Receipt: "r2", Matched: 1, Queued: 1}
}

// provider understands the fake's delivery.
type provider struct {
	sdk.Provider
	f *fake
}

func (provider) Describe() sdk.Descriptor { return sdk.Descriptor{Type: "bell", Name: "Bell"} }

func (p provider) Parse(context.Context, sdk.Request) ([]sdk.Event, error) {
	return []sdk.Event{{
		Name: "ring", Title: p.f.text + p.f.big, Body: p.f.text, Sender: p.f.text, Attributes: map[string][]string{"door": {p.f.text}},
		Extra: map[string]any{"token": "interaction-token-1"}, Sensitive: []string{"extra.token", "token"},
	}}, nil
}

func (f *fake) receipt() job.Receipt {
	body, _ := json.Marshal(map[string]string{"title": f.text + f.big, "opener": "interaction-token-1"}) // texts always encode
	return job.Receipt{
		ID: "r1", Provider: "bell", Sources: []string{"home"}, Event: f.text, Outcome: job.Queued, Reason: f.text, Matched: 1, Events: 1,
		ReceivedAt: time.Now(), Method: "POST", Path: "/webhooks/bell", Query: "q=" + f.text,
		Header: http.Header{"X-Note": {f.text}, "X-Token": {"interaction-token-1"}}, Body: body,
	}
}

func (f *fake) Receipts(context.Context, store.Query) ([]job.Receipt, error) {
	return []job.Receipt{f.receipt()}, nil
}

func (f *fake) Receipt(_ context.Context, id string) (job.Receipt, error) {
	if id != "r1" {
		return job.Receipt{}, store.ErrNotFound
	}
	return f.receipt(), nil
}

func (f *fake) Taken(context.Context, []string) ([]store.Taken, error) {
	return []store.Taken{{Receipt: "r1", Event: f.text, Job: job.Job{ID: 7, Agent: "dev", State: job.Dead, Reason: f.text}}}, nil
}

func (f *fake) RunsOf(context.Context, int64) ([]job.Run, error) { return nil, nil }

func (f *fake) Deliveries() *deliveries.Book {
	d := map[string]sdk.Descriptor{"home": {Type: "bell", Filters: []sdk.Filter{{Name: "doors", Attribute: "door"}}}}
	m, _ := match.Compile([]match.Trigger{{Agent: "dev", Source: "home", Filters: []match.Filter{{Name: "doors", Values: []string{"back"}, List: true}}}}, d)
	idle, _ := match.Compile(nil, d)
	return &deliveries.Book{Live: true, Records: f, View: func() *deliveries.View {
		return &deliveries.View{
			Routes:   &ingest.Routes{Types: map[string]*ingest.Route{"bell": {Provider: provider{f: f}}}, Matcher: m, Policies: nil},
			Triggers: []deliveries.Trigger{{Agent: "dev", Source: "home", Label: "webhooks[0]", At: "agents/dev/config.toml:1:1"}}, Disabled: idle,
		}
	}}
}

// site is a page that is served, and a browser at it.
type site struct {
	t    *testing.T
	page *Page
	url  string
	c    *http.Client
	key  string
	on   bool
	mu   sync.Mutex
}

func serve(t *testing.T, g Gateway) *site {
	t.Helper()
	s := &site{t: t, key: "the right key", on: true}
	p, err := New(Options{Gateway: g, Key: s.keyNow, Enabled: s.isOn, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	s.page = p
	mux := http.NewServeMux()
	p.Register(mux)
	server := httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	t.Cleanup(func() {
		p.Close()
		server.Close()
		cancel()
		running.Wait()
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.url = server.URL
	s.c = &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

func (s *site) keyNow() string { s.mu.Lock(); defer s.mu.Unlock(); return s.key }
func (s *site) isOn() bool     { s.mu.Lock(); defer s.mu.Unlock(); return s.on }

func (s *site) set(change func()) { s.mu.Lock(); defer s.mu.Unlock(); change() }

func (s *site) request(method, path string, form url.Values, header ...string) *http.Request {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func (s *site) ask(method, path string, form url.Values, header ...string) (*http.Response, string) {
	s.t.Helper()
	resp, err := s.c.Do(s.request(method, path, form, header...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(raw)
}

func (s *site) login() *http.Response {
	s.t.Helper()
	resp, body := s.ask("POST", "/login", url.Values{"key": {s.key + "\n"}, "next": {"/runs"}})
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/runs" {
		s.t.Fatalf("the login answered %d %s", resp.StatusCode, body)
	}
	return resp
}
