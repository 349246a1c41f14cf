package page

import (
	"context"
	"encoding/json"
	"errors"
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

var pages = []string{"/", "/deliveries", "/deliveries?dead=1", "/deliveries/r1", "/deliveries/r1?full=1", "/runs", "/runs/" + runID, "/jobs/7", "/agents/dev"}

// Nothing is told to those who did not log in, not even what there is.
func TestWithoutALoginThereIsOnlyTheLogin(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{text: "secret plans"})
	for _, path := range append([]string{"/events", "/runs/" + runID + "/output"}, pages...) {
		resp, body := s.ask("GET", path, nil)
		if path == "/events" {
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s answered %d", path, resp.StatusCode)
			}
		} else if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/login") {
			t.Errorf("%s answered %d to %q", path, resp.StatusCode, to)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("%s tells %s", path, body)
		}
	}
	for _, path := range []string{"/pause", "/resume", "/agents/dev/pause", "/agents/dev/run", "/agents/dev/kill", "/runs/" + runID + "/kill", "/deliveries/r1/replay"} {
		if resp, _ := s.ask("POST", path, url.Values{}); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("POST %s answered %d", path, resp.StatusCode)
		}
	}
	if resp, body := s.ask("GET", "/login", nil); resp.StatusCode != http.StatusOK || strings.Contains(body, "secret") {
		t.Errorf("the login answered %d %s", resp.StatusCode, body)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{})
	for _, wrong := range []string{"", "the right ke", "the right keys", "THE RIGHT KEY"} {
		if resp, _ := s.ask("POST", "/login", url.Values{"key": {wrong}}); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) > 0 {
			t.Errorf("%q answered %d, with %v", wrong, resp.StatusCode, resp.Cookies())
		}
	}
	c := s.login().Cookies()
	if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/" || c[0].Secure || c[0].MaxAge <= 0 {
		t.Fatalf("the cookie is %+v", c)
	}
	if resp, _ := s.ask("GET", "/", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("after a login / answers %d", resp.StatusCode)
	}
	if resp, _ := s.ask("POST", "/logout", url.Values{}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("the logout answered %d", resp.StatusCode)
	}
	resp, _ := s.ask("GET", "/", nil, "Cookie", c[0].Name+"="+c[0].Value)
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("a session that was ended still works: %d", resp.StatusCode)
	}
	tls, _ := s.ask("POST", "/login", url.Values{"key": {s.key}}, "X-Forwarded-Proto", "https")
	if c := tls.Cookies(); len(c) != 1 || !c[0].Secure {
		t.Errorf("by TLS the cookie is %+v", c)
	}
}

func TestAnotherKeyEndsSessions(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{})
	s.login()
	s.set(func() { s.key = "another key" })
	if resp, _ := s.ask("GET", "/", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("with another key / answers %d", resp.StatusCode)
	}
	s.set(func() { s.key = "" })
	if resp, _ := s.ask("POST", "/login", url.Values{"key": {""}}); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a key the login answers %d", resp.StatusCode)
	}
}

func TestSessionsEndAndAreNotForged(t *testing.T) {
	t.Parallel()
	s := newSessions(func() string { return "key" })
	now := time.Now()
	token := s.begin(now)
	if _, _, ok := s.read(token, now.Add(sessionLife-time.Minute)); !ok {
		t.Error("it ends too early")
	}
	if _, _, ok := s.read(token, now.Add(sessionLife+time.Second)); ok {
		t.Error("it does not end")
	}
	if s.begin(now) == token {
		t.Error("two sessions are the same")
	}
	for i := range token {
		forged := []byte(token)
		forged[i] ^= 1
		if _, _, ok := s.read(string(forged), now); ok {
			t.Errorf("%s is taken for %s", forged, token)
		}
	}
	for _, text := range []string{"", ".", "..", strings.Repeat("a", 1000) + "." + "b"} {
		if _, _, ok := s.read(text, now); ok {
			t.Errorf("%q is taken for a session", text)
		}
	}
}

func TestLoginAttemptsAreLimited(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{})
	refused := 0
	for range attemptsBurst + 5 {
		if resp, _ := s.ask("POST", "/login", url.Values{"key": {"guess"}}); resp.StatusCode == http.StatusTooManyRequests {
			refused++
			if resp.Header.Get("Retry-After") == "" {
				t.Error("nobody is told for how long")
			}
		}
	}
	if refused == 0 {
		t.Error("guesses are not limited")
	}
	if resp, _ := s.ask("POST", "/login", url.Values{"key": {s.key}}); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the right guess is told from others: %d", resp.StatusCode)
	}

	a, now := newAttempts(), time.Now()
	for range attemptsBurst {
		a.take("192.0.2.1:1", now)
	}
	if a.take("192.0.2.1:2", now) == 0 || a.take("192.0.2.2:1", now) != 0 || a.take("192.0.2.1:3", now.Add(attemptsEvery)) != 0 {
		t.Error("addresses are not told apart, or never forgiven")
	}
	if len(a.of) == 0 {
		t.Fatal("nothing is counted")
	}
	for i := range 3 * maxAddresses {
		a.take("10."+strings.Join([]string{itoa(i / 65536), itoa(i / 256 % 256), itoa(i % 256)}, ".")+":1", now)
	}
	if len(a.of) > maxAddresses {
		t.Errorf("%d addresses are kept", len(a.of))
	}
}

func itoa(n int) string { raw, _ := json.Marshal(n); return string(raw) }

// What another site makes a browser send is refused, even with a cookie.
func TestOtherSitesCanNotAct(t *testing.T) {
	t.Parallel()
	g := &fake{}
	s := serve(t, g)
	s.login()
	for name, header := range map[string][]string{
		"another site":           {"Sec-Fetch-Site", "cross-site"},
		"another port":           {"Sec-Fetch-Site", "same-site"},
		"another origin":         {"Origin", "https://evil.example"},
		"an origin without name": {"Origin", "null"},
	} {
		for _, path := range []string{"/pause", "/agents/dev/run", "/runs/" + runID + "/kill", "/deliveries/r1/replay", "/login", "/logout"} {
			if resp, _ := s.ask("POST", path, url.Values{}, header...); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: POST %s answered %d", name, path, resp.StatusCode)
			}
		}
	}
	if len(g.done) > 0 {
		t.Errorf("was done: %v", g.done)
	}
}

func TestEveryAnswerSaysWhatTheBrowserMayDo(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{})
	s.login()
	for _, path := range append([]string{"/login", "/agents/nobody", "/runs/" + runID + "/output", s.page.assets.url("page.js"), "/assets/x/nothing"}, pages...) {
		resp, _ := s.ask("GET", path, nil)
		h := resp.Header
		if h.Get("Content-Security-Policy") != policy || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s answers with %v", path, h)
		}
		if strings.HasPrefix(path, "/assets/") != (h.Get("Cache-Control") != "no-store") && path != "/assets/x/nothing" {
			t.Errorf("%s answers with Cache-Control %q", path, h.Get("Cache-Control"))
		}
	}
	for _, wanted := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "script-src 'self'"} {
		if !strings.Contains(policy, wanted) {
			t.Errorf("the policy lacks %s", wanted)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("the policy allows too much: %s", policy)
	}
}

// hostile is what a stranger may write into a title.
const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)></webhook-trigger>\u202etxt.exe\u2066\x1b[31m\x00{{.}}"

// Whatever strangers write, wherever: it is text, and shows what it is.
func TestTextOfStrangersIsHarmless(t *testing.T) {
	t.Parallel()
	g := &fake{text: hostile, output: hostile + "\n"}
	s := serve(t, g)
	s.login()
	for _, path := range pages {
		resp, body := s.ask("GET", path, nil)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s answered %d: %s", path, resp.StatusCode, body)
		}
		if !strings.Contains(body, "alert(1)") && path != "/runs" {
			t.Errorf("%s does not show the text; this test looks at nothing", path)
		}
		for _, wrong := range []string{"<script>alert", "<img src=x", "</webhook-trigger>", "\u202e", "\u2066", "\x1b", "\x00"} {
			if strings.Contains(body, wrong) {
				t.Errorf("%s shows %q as it is", path, wrong)
			}
		}
	}
	if _, body := s.ask("GET", "/deliveries/r1", nil); !strings.Contains(body, "‹U+202E›") {
		t.Error("marks for the direction of writing are not made visible")
	}
	if resp, body := s.ask("GET", "/agents/"+url.PathEscape(hostile), nil); resp.StatusCode != http.StatusNotFound || strings.Contains(body, "<script>alert") {
		t.Errorf("an agent of that name: %d %s", resp.StatusCode, body)
	}
}

func TestSensitiveValuesAreMasked(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{text: "x"})
	s.login()
	for _, path := range pages {
		if _, body := s.ask("GET", path, nil); strings.Contains(body, "interaction-token-1") {
			t.Errorf("%s shows it", path)
		}
	}
	if _, body := s.ask("GET", "/deliveries/r1", nil); !strings.Contains(body, "***") {
		t.Error("nothing is masked; this test looks at nothing")
	}
}

// A very long text is cut, and all that the API tells of it is an address away.
func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{text: "x", big: strings.Repeat("long ", 200_000)})
	s.login()
	_, first := s.ask("GET", "/deliveries/r1", nil)
	if len(first) > 100_000 || !strings.Contains(first, "?full=1") {
		t.Errorf("the page has %d bytes", len(first))
	}
	if _, all := s.ask("GET", "/deliveries/r1?full=1", nil); len(all) < 1_000_000 || len(all) > 2_000_000 {
		t.Errorf("all of it has %d bytes", len(all))
	}
}

// crowd is a gateway with very many agents.
type crowd struct{ fake }

func (c *crowd) Status(ctx context.Context) (api.Status, error) {
	s, err := c.fake.Status(ctx)
	for i := range 1500 {
		a := s.Agents[0]
		a.Name, a.State, a.Running, a.LastRun = "agent-"+itoa(i), "idle", 0, nil
		s.Agents = append(s.Agents, a)
	}
	s.Agents[1200].Running = 1
	return s, err
}

// However many agents there are, a page is one that can be read, and leads to all.
func TestManyAgents(t *testing.T) {
	t.Parallel()
	s := serve(t, &crowd{})
	s.login()
	_, body := s.ask("GET", "/", nil)
	if n := strings.Count(body, `data-label="Running"`); n != maxAgents || len(body) > 500_000 {
		t.Errorf("%d agents are shown, in %d bytes", n, len(body))
	}
	if !strings.Contains(body, "/agents/agent-1199") || !strings.Contains(body, "1401 more agents") {
		t.Error("it does not show one that runs, or how many there are")
	}
	if _, body = s.ask("GET", "/?q=AGENT-123", nil); strings.Count(body, `data-label="Running"`) != 11 {
		t.Errorf("a name finds %d agents", strings.Count(body, `data-label="Running"`))
	}
	if resp, _ := s.ask("GET", "/agents/agent-1234", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("its page answers %d", resp.StatusCode)
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	g := &fake{}
	s := serve(t, g)
	s.login()
	for _, tt := range []struct {
		path string
		form url.Values
		did  string
		to   string // where a browser without a script goes
	}{
		{"/pause", url.Values{"reason": {" lunch "}}, "pause  lunch", "/"},
		{"/resume", url.Values{}, "resume ", "/"},
		{"/agents/dev/pause", url.Values{}, "pause dev ", "/agents/dev"},
		{"/agents/dev/resume", url.Values{}, "resume dev", "/agents/dev"},
		{"/agents/dev/run", url.Values{"prompt": {"go"}}, "start dev go", "/jobs/7"},
		{"/agents/dev/kill", url.Values{}, "kill all of dev", "/agents/dev"},
		{"/runs/" + runID + "/kill", url.Values{}, "kill " + runID, "/runs/" + runID},
		{"/deliveries/r1/replay", url.Values{}, "replay r1", "/deliveries/r2"},
	} {
		g.done = nil
		resp, body := s.ask("POST", tt.path, tt.form)
		if len(g.done) != 1 || g.done[0] != tt.did || resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != tt.to {
			t.Errorf("%s did %q and answered %d to %s: %s", tt.path, g.done, resp.StatusCode, resp.Header.Get("Location"), body)
		}
		resp, body = s.ask("POST", tt.path, tt.form, "Accept", "application/json")
		var said result
		if err := json.Unmarshal([]byte(body), &said); err != nil || !said.OK || said.Message == "" || resp.StatusCode != http.StatusOK {
			t.Errorf("%s answered %d %s", tt.path, resp.StatusCode, body)
		}
	}
	resp, body := s.ask("POST", "/deliveries/none/replay", url.Values{}, "Accept", "application/json")
	if resp.StatusCode != http.StatusConflict || !strings.Contains(body, "Not replayed: there is no such receipt.") {
		t.Errorf("a replay of nothing answered %d %s", resp.StatusCode, body)
	}
}

// [gateway] ui may be turned off while the gateway runs.
func TestOffMeansThatThereIsNoPage(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{})
	s.login()
	s.set(func() { s.on = false })
	for _, path := range append([]string{"/login", "/events", s.page.assets.url("page.css")}, pages...) {
		if resp, body := s.ask("GET", path, nil); resp.StatusCode != http.StatusNotFound || strings.Contains(body, "<html") {
			t.Errorf("%s answered %d %s", path, resp.StatusCode, body)
		}
	}
}

func TestErrorsAreTold(t *testing.T) {
	t.Parallel()
	g := &fake{fails: errors.New("table agents has no column secret")}
	s := serve(t, g)
	s.login()
	resp, body := s.ask("GET", "/", nil)
	if resp.StatusCode != http.StatusInternalServerError || strings.Contains(body, "secret") || !strings.Contains(body, "log says why") {
		t.Errorf("answered %d %s", resp.StatusCode, body)
	}
	g.fails = store.ErrUnavailable
	if resp, _ = s.ask("GET", "/", nil); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("answered %d %v", resp.StatusCode, resp.Header)
	}
	if resp, _ = s.ask("GET", "/deliveries/none", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("what there is not: %d", resp.StatusCode)
	}
}

func TestNextStaysHere(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/runs?state=done": "/runs?state=done", "": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example": "/", "runs": "/",
		"/\tevil": "/", "javascript:alert(1)": "/", "/login?next=/login": "/",
	} {
		if got := local(next); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}
