package page

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/store"
)

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
