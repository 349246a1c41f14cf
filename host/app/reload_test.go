package app_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/sdk"
)

// manual keeps a gateway from reloading before a test asks for it.
const manual = "[gateway]\nautoReload = false\n" + standard

// quick is a harness. Without one the prompt would be printed by al, and al is
// this test here.
const quick = "[runner]\ncommand = [\"true\"]\n"

func rewrite(t *testing.T, o app.Options, name, text string) {
	t.Helper()
	file := filepath.Join(o.Project.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, o app.Options, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(o.Project.Dir, name)); err != nil {
		t.Fatal(err)
	}
}

// reloads reloads and expects an outcome, and these changes.
func reloads(t *testing.T, c *api.Client, outcome string, changes ...string) api.Reloaded {
	t.Helper()
	out, err := c.Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, c := range out.Changes {
		got = append(got, c.String())
	}
	if out.Outcome != outcome || !slices.Equal(got, append([]string{}, changes...)) {
		t.Fatalf("reloaded %q, changes %q, %v; want %q, %q", out.Outcome, got, out.Problems, outcome, changes)
	}
	return out
}

func agentOf(t *testing.T, c *api.Client, name string) (api.AgentStatus, bool) {
	t.Helper()
	s, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Agents, func(a api.AgentStatus) bool { return a.Name == name })
	if i < 0 {
		return api.AgentStatus{}, false
	}
	return s.Agents[i], true
}

// waiter runs until there is a file "go" in the project's folder.
func waiter(t *testing.T, o app.Options) string {
	t.Helper()
	rewrite(t, o, "wait.sh", "#!/bin/sh\nuntil [ -e \"$1/go\" ]; do sleep 0.02; done\n")
	if err := os.Chmod(filepath.Join(o.Project.Dir, "wait.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	return "[runner]\ncommand = [\"./wait.sh\", \"" + o.Project.Dir + "\"]\n"
}

// Agents come, change and go; what runs ends as it began, and what waits for an
// agent that is gone waits for its return.
func TestReloadAgents(t *testing.T) {
	t.Parallel()
	o := options(t, manual, within{})
	a := run(t, o)
	c := client(t, a, o)
	reloads(t, c, api.ReloadUnchanged)
	before, _ := agentOf(t, c, "dev")

	wait := waiter(t, o)
	rewrite(t, o, "agents/new/config.toml", "[[webhooks]]\nsource = \"home\"\n"+wait)
	rewrite(t, o, "agents/new/SKILL.md", "Look.\n")
	reloads(t, c, api.ReloadDone, "agent new added")
	if body := ring(t, a, "1"); !strings.Contains(body, `"matched":2,"queued":2`) {
		t.Errorf("the new agent does not take part: %s", body)
	}
	if after, _ := agentOf(t, c, "dev"); after.NextTick == nil || !after.NextTick.Equal(*before.NextTick) {
		t.Errorf("a schedule that did not change ticks next at %v; it was %v", after.NextTick, before.NextTick)
	}
	if _, body := get(t, a.URL()+"/metrics", ""); !strings.Contains(body, `al_runs_total{agent="new",outcome="failed",trigger="webhook"} 0`) {
		t.Error("the new agent has no series")
	}
	await(t, "the run", func() (api.AgentStatus, error) { a, _ := agentOf(t, c, "new"); return a, nil },
		func(a api.AgentStatus) bool { return a.Running == 1 })
	ring(t, a, "2") // waits behind it

	remove(t, o, "agents/new")
	reloads(t, c, api.ReloadDone, "agent new removed")
	if body := ring(t, a, "3"); !strings.Contains(body, `"matched":1`) {
		t.Errorf("the removed agent takes part: %s", body)
	}
	gone, shown := agentOf(t, c, "new")
	if !shown || gone.State != "removed" || gone.Running != 1 || gone.Waiting != 1 {
		t.Errorf("what the removed agent has to do still: %+v", gone)
	}
	if _, body := get(t, a.URL()+"/metrics", ""); strings.Contains(body, `al_runs_total{agent="new"`) {
		t.Error("the removed agent keeps its series")
	}
	rewrite(t, o, "go", "")
	await(t, "the end of the run", func() (api.AgentStatus, error) { a, _ := agentOf(t, c, "new"); return a, nil },
		func(a api.AgentStatus) bool { return a.Running == 0 })
	if gone, _ = agentOf(t, c, "new"); gone.LastRun == nil || gone.LastRun.State != "done" || gone.Waiting != 1 {
		t.Errorf("the run of the removed agent: %+v, %+v", gone, gone.LastRun)
	}

	rewrite(t, o, "agents/new/config.toml", "[[webhooks]]\nsource = \"home\"\n"+wait)
	rewrite(t, o, "agents/new/SKILL.md", "Look.\n")
	reloads(t, c, api.ReloadDone, "agent new added")
	await(t, "what waited", func() (api.AgentStatus, error) { a, _ := agentOf(t, c, "new"); return a, nil },
		func(a api.AgentStatus) bool { return a.Running+a.Waiting == 0 && a.LastRun.State == "done" })
}

// A scale goes up and down while runs are under way, and ends none of them.
func TestReloadScale(t *testing.T) {
	t.Parallel()
	o := options(t, manual, within{})
	wait := waiter(t, o)
	a := run(t, o)
	c := client(t, a, o)
	at := func(agent, project string) {
		t.Helper()
		rewrite(t, o, "config.toml", "scale = "+project+"\n"+manual+quick)
		rewrite(t, o, "agents/dev/config.toml", "scale = "+agent+"\n[[webhooks]]\nsource = \"home\"\n"+wait)
		out, err := c.Reload(t.Context())
		if err != nil || !out.OK {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	running := func(n int) {
		t.Helper()
		await(t, "runs", func() (api.AgentStatus, error) { a, _ := agentOf(t, c, "dev"); return a, nil },
			func(a api.AgentStatus) bool { return a.Running == n })
	}
	at("1", "0")
	for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
		ring(t, a, id)
	}
	running(1)
	at("3", "0") // without anything else that would wake the queue
	running(3)
	at("1", "0")
	at("5", "4")
	running(4)
	at("0", "1")
	if dev, _ := agentOf(t, c, "dev"); dev.Running != 4 || dev.Waiting != 2 || dev.State != "disabled" {
		t.Errorf("after scaling down: %+v", dev)
	}
	rewrite(t, o, "go", "")
	running(0)
	if dev, _ := agentOf(t, c, "dev"); dev.Waiting != 2 || dev.LastRun.State != "done" {
		t.Errorf("a disabled agent started something: %+v", dev)
	}
	at("1", "0")
	await(t, "the rest", func() (api.AgentStatus, error) { a, _ := agentOf(t, c, "dev"); return a, nil },
		func(a api.AgentStatus) bool { return a.Running+a.Waiting == 0 })
}

// With anything wrong nothing changes, whatever else would have, and everybody
// who looks is told.
func TestReloadIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, text, want string }{
		"syntax":     {"config.toml", "scale = \n", "config.toml:1:"},
		"no source":  {"config.toml", "[gateway]\nautoReload = false\n", `agents/dev/config.toml:3:10: webhooks[0]: there is no source "home"`},
		"filter":     {"agents/dev/config.toml", "[[webhooks]]\nsource = \"home\"\ndoor = \"front\"\n", `agents/dev/config.toml:3:1: webhooks[0]: `},
		"credential": {"config.toml", strings.Replace(manual, `credential = "home"`, `credential = "other"`, 1), "config.toml:6:14: webhooks.home: credential bell_secret:other"},
		"harness":    {"agents/dev/config.toml", "schedule = \"@daily\"\n[runner]\nharness = \"cloude\"\n", `agents/dev/config.toml:2:1: [runner]: there is no harness "cloude"`},
		"schedule":   {"agents/dev/config.toml", "schedule = \"61 * * * *\"\n", "agents/dev/config.toml:1:12: schedule"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, manual, within{})
			a := run(t, o)
			c := client(t, a, o)
			was, err := c.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			good, err := os.ReadFile(filepath.Join(o.Project.Dir, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, o, "agents/off/config.toml", "[[webhooks]]\nsource = \"home\"\n") // good in itself
			rewrite(t, o, tt.file, tt.text)
			out := reloads(t, c, api.ReloadFailed)
			if !slices.ContainsFunc(out.Problems, func(p api.Problem) bool {
				return p.Severity == "error" && strings.HasPrefix(p.String(), tt.want)
			}) {
				t.Errorf("problems %v; want %q", out.Problems, tt.want)
			}
			if body := ring(t, a, "1"); !strings.Contains(body, `"matched":1,"queued":1`) {
				t.Errorf("half of it holds: %s", body)
			}
			is, err := c.Status(t.Context())
			if err != nil || is.Config.Error == "" || is.Config.FailedAt == nil || is.Config.Digest != was.Config.Digest || !is.Config.LoadedAt.Equal(was.Config.LoadedAt) {
				t.Errorf("status %+v, %v", is.Config, err)
			}
			_, body := get(t, a.URL()+"/metrics", "")
			if !strings.Contains(body, "\nal_config_last_reload_successful 0\n") || !strings.Contains(body, `al_config_reloads_total{outcome="failed"} 1`) {
				t.Error("the metrics do not say so")
			}

			rewrite(t, o, tt.file, string(good))
			reloads(t, c, api.ReloadDone, "agent off changed")
			if body := ring(t, a, "2"); !strings.Contains(body, `"matched":2`) {
				t.Errorf("mended: %s", body)
			}
			if is, err = c.Status(t.Context()); err != nil || is.Config.Error != "" || is.Config.FailedAt != nil || is.Config.Digest == was.Config.Digest {
				t.Errorf("status after mending %+v, %v", is.Config, err)
			}
			if _, body := get(t, a.URL()+"/metrics", ""); !strings.Contains(body, "\nal_config_last_reload_successful 1\n") {
				t.Error("the metrics say that it is bad still")
			}
		})
	}
}

// A secret that was replaced counts, and one that is gone stays what it was.
func TestReloadSecrets(t *testing.T) {
	t.Parallel()
	o := options(t, manual, within{})
	a := run(t, o)
	c := client(t, a, o)
	signed := func(secret string) int {
		t.Helper()
		body := secret + time.Now().String()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/webhooks/bell", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Sig", sdk.SignHMACSHA256("", secret, []byte(body)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if err := o.Credentials.Write("bell_secret", "home", map[string]string{"secret": "dong"}); err != nil {
		t.Fatal(err)
	}
	if signed("ding") != 200 || signed("dong") != 401 {
		t.Error("taken up without being asked")
	}
	out := reloads(t, c, api.ReloadDone, "credential bell_secret:home changed")
	if signed("ding") != 401 || signed("dong") != 200 {
		t.Error("not taken up")
	}
	if strings.Contains(out.Config.Digest, "dong") {
		t.Error("the digest tells it")
	}
	if err := o.Credentials.Remove("bell_secret", "home"); err != nil {
		t.Fatal(err)
	}
	reloads(t, c, api.ReloadFailed)
	if signed("dong") != 200 {
		t.Error("a secret that is gone does not stay")
	}
	// A new key of the API counts from the next look on.
	if err := o.Credentials.Write("gateway_api_key", "default", map[string]string{"key": "another-key-of-good-length"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Status(t.Context()); err == nil {
		t.Error("the old key counts")
	}
	c.Key = "another-key-of-good-length"
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// A provider that no source needs any more goes when it has answered what it was
// asked, also by way of a configuration that is not the last one.
func TestReloadLetsProvidersAnswer(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	h := &house{hold: func(body string) {
		if body == "slow" {
			close(entered)
			<-release
		}
	}}
	far := manual + quick + "[webhooks.far]\ntype = \"gong\"\ncredential = \"bell_secret:home\"\n"
	o := options(t, manual, h)
	rewrite(t, o, "config.toml", far)
	rewrite(t, o, "agents/dev/config.toml", "[[webhooks]]\nsource = \"far\"\n")
	o.Project, _ = o.Project.Files.Load()
	a := run(t, o)
	c := client(t, a, o)
	got := make(chan answer, 1)
	go func() {
		out, err := send(t.Context(), a, "gong", "slow")
		if err != nil {
			t.Error(err)
		}
		got <- out
	}()
	<-entered
	rewrite(t, o, "agents/dev/config.toml", "[[webhooks]]\nsource = \"home\"\n")
	rewrite(t, o, "config.toml", manual+quick)
	if out, err := c.Reload(t.Context()); err != nil || !out.OK {
		t.Fatalf("%+v, %v", out, err)
	}
	rewrite(t, o, "config.toml", manual+quick+"# once more\n")
	reloads(t, c, api.ReloadDone)
	if out, err := send(t.Context(), a, "gong", "late"); err != nil || out.Code != 404 {
		t.Errorf("a source that is gone: %+v, %v", out, err)
	}
	if len(h.Status()) != 2 {
		t.Error("the provider went while it was asked")
	}
	close(release)
	// Matched by the configuration in which it came.
	if out := <-got; out.Code != 200 || out.Matched != 3 {
		t.Errorf("the delivery that was under way: %+v", out)
	}
	await(t, "the end of the provider", func() (int, error) { return len(h.Status()), nil }, func(n int) bool { return n == 1 })

	// One that fails takes what was started for it along.
	rewrite(t, o, "config.toml", strings.Replace(far, `"bell_secret:home"`, `"bell_secret:nobody"`, 1))
	reloads(t, c, api.ReloadFailed)
	if len(h.Status()) != 1 {
		t.Error("a provider runs for a configuration that failed")
	}
}

// What only a start can take up is named for as long as it waits for one.
func TestReloadNeedsARestart(t *testing.T) {
	t.Parallel()
	o := options(t, manual, within{})
	a := run(t, o)
	c := client(t, a, o)
	rewrite(t, o, "config.toml", "scale = 7\n"+strings.Replace(manual, "autoReload = false", "autoReload = false\nmaxBodyBytes = 4", 1)+quick)
	out := reloads(t, c, api.ReloadDone, "setting scale changed", "setting gateway.maxBodyBytes changed")
	if !slices.Equal(out.Config.NeedRestart, []string{"gateway.maxBodyBytes"}) {
		t.Errorf("needs a restart: %v", out.Config.NeedRestart)
	}
	if body := ring(t, a, "more than four"); !strings.Contains(body, `"ok":true`) {
		t.Errorf("it holds already: %s", body)
	}
	s, err := c.Status(t.Context())
	if err != nil || s.Scale != 7 || !slices.Equal(s.Config.NeedRestart, []string{"gateway.maxBodyBytes"}) {
		t.Errorf("status %+v, %v", s.Config, err)
	}
	rewrite(t, o, "config.toml", manual+quick)
	if out, err = c.Reload(t.Context()); err != nil || len(out.Config.NeedRestart) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

// A gateway that stops answers whoever asks it to reload.
func TestReloadWhileStopping(t *testing.T) {
	t.Parallel()
	o := options(t, manual, within{})
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Reload(t.Context()); err == nil {
		t.Error("reloaded after its end")
	}
}
