package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// good loads a project that must be without errors and warnings.
func good(t *testing.T, text string) *Project {
	t.Helper()
	p, problems := load(project(text), "/project", Options{CheckSchedule: fakeSchedule})
	for _, problem := range problems {
		if problem.Severity != Note {
			t.Errorf("%s: %v", problem.Severity, problem)
		}
	}
	return p
}

var noPos = cmpopts.IgnoreTypes(Pos{})

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := good(t, `
-- agents/dev/config.toml --
schedule = "@daily"
-- agents/dev/SKILL.md --
Do it.
`)
	want := &Project{
		Dir: "/project", Scale: 0, WorkQueueSize: 100, Timezone: "Local",
		HistoryRetentionDays: 14, HistoryMaxBytes: 2147483648, MaxAttempts: 2,
		Gateway: Gateway{
			Host: "127.0.0.1", Port: 8080, MaxBodyBytes: 33554432, MaxInflightBytes: 134217728,
			ReadTimeout: 30 * time.Second, ShutdownGrace: 30 * time.Second, AutoReload: true, UI: true, LogLevel: "info",
		},
		Store:   Store{Lease: time.Minute},
		Plugins: Plugins{StartTimeout: 10 * time.Second, CallTimeout: 5 * time.Second, MaxMemoryBytes: 1 << 30},
		Agents: []Agent{{
			Name: "dev", Dir: "/project/agents/dev", Schedule: "@daily", Timezone: "Local", Scale: 1,
			Timeout: 15 * time.Minute, MaxWorkQueueSize: 100, RetryDelay: 30 * time.Second, OnLimit: "wait", CatchUp: "none", Flow: standardFlow(), Skill: "Do it.\n",
		}},
	}
	if diff := cmp.Diff(want, got, noPos); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEverythingSet(t *testing.T) {
	t.Parallel()
	got := good(t, `
-- config.toml --
scale = 10
workQueueSize = 50
timezone = "UTC"
historyRetentionDays = 7
historyMaxBytes = "1.5 GiB"
maxAttempts = 5

[gateway]
host = "::1"
port = 0
maxBodyBytes = 1_000_000
maxInflightBytes = "8MB"
readTimeout = "1m30s"
shutdownGrace = 0
autoReload = false
ui = false
logLevel = "debug"
otlpEndpoint = "http://localhost:4318"

[store]
url = "postgres://al:hunter2@db/al"
lease = "90s"

[runner]
command = ["claude", "-p"]

[plugins]
dir = "providers"
startTimeout = 20
callTimeout = "250ms"
maxMemoryBytes = 209715200
[plugins.env]
github = ["HTTPS_PROXY", "no_proxy"]

[webhooks.github]
type = "github"
credential = ["old", "github_webhook_secret:new"]

[webhooks."a.b"]
type = "slack"
slack_signing_secret = "work"

-- agents/dev/config.toml --
description = "Fixes bugs."
schedule = " */5 * * * * "
timezone = "Asia/Tokyo"
scale = 3
timeout = "1h"
maxWorkQueueSize = 5
credentials = ["github_token", "git_ssh:botty"]

[[webhooks]]
source = "github"
events = ["issues"]
author = "octocat"

[[webhooks]]
source = "a.b"

[params]
org = "acme"

[runner]
harness = "codex"
-- agents/dev/SKILL.md --
---
description: not used
name: dev
---
# Do it
-- agents/ops/config.toml --
schedule = "@daily"
-- agents/ops/SKILL.md --
Look around.
`)
	want := &Project{
		Dir: "/project", Scale: 10, WorkQueueSize: 50, Timezone: "UTC",
		HistoryRetentionDays: 7, HistoryMaxBytes: 1610612736, MaxAttempts: 5,
		Gateway: Gateway{
			Host: "::1", Port: 0, MaxBodyBytes: 1000000, MaxInflightBytes: 8000000,
			ReadTimeout: 90 * time.Second, ShutdownGrace: 0, LogLevel: "debug", OTLPEndpoint: "http://localhost:4318",
		},
		Store:  Store{URL: NewSecret("postgres://al:hunter2@db/al"), Lease: 90 * time.Second},
		Runner: Runner{Command: []string{"claude", "-p"}},
		Plugins: Plugins{
			Dir: "/project/providers", StartTimeout: 20 * time.Second, CallTimeout: 250 * time.Millisecond, MaxMemoryBytes: 200 << 20,
			Env: map[string][]string{"github": {"HTTPS_PROXY", "no_proxy"}},
		},
		Sources: []Source{
			{Name: "github", Type: "github", Credentials: []CredentialRef{
				{Instance: "old"}, {Type: "github_webhook_secret", Instance: "new"}}},
			{Name: "a.b", Type: "slack", Credentials: []CredentialRef{{Type: "slack_signing_secret", Instance: "work"}}},
		},
		Agents: []Agent{
			{
				Name: "dev", Dir: "/project/agents/dev", Description: "Fixes bugs.", Schedule: "*/5 * * * *",
				Timezone: "Asia/Tokyo", Scale: 3, Timeout: time.Hour, MaxWorkQueueSize: 5, RetryDelay: 30 * time.Second, OnLimit: "wait", CatchUp: "none", Flow: standardFlow(),
				Credentials: []CredentialRef{{Type: "github_token", Instance: "default"}, {Type: "git_ssh", Instance: "botty"}},
				Triggers: []Trigger{
					{Source: "github", Flow: standardFlow(), Filters: []FilterValue{
						{Name: "events", Values: []string{"issues"}, IsList: true},
						{Name: "author", Values: []string{"octocat"}},
					}},
					{Source: "a.b", Flow: standardFlow()},
				},
				Params: map[string]any{"org": "acme"},
				Runner: Runner{Harness: "codex"},
				Skill:  "# Do it\n",
			},
			{
				Name: "ops", Dir: "/project/agents/ops", Schedule: "@daily", Timezone: "UTC", Scale: 1,
				Timeout: 15 * time.Minute, MaxWorkQueueSize: 50, RetryDelay: 30 * time.Second, OnLimit: "wait", CatchUp: "none", Flow: standardFlow(),
				Runner: Runner{Command: []string{"claude", "-p"}}, Skill: "Look around.\n",
			},
		},
	}
	if diff := cmp.Diff(want, got, noPos); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	filter := got.Agents[0].Triggers[0].Filters[1]
	if want := (Pos{"agents/dev/config.toml", 12, 1}); filter.Pos != want {
		t.Errorf("position of the author filter: got %v, want %v", filter.Pos, want)
	}
}

// Configuration libraries like to fold letter case and to split keys at dots.
// An agent that is told its label is "triggerlabel" looks for the wrong key.
func TestKeysStayAsTheyAre(t *testing.T) {
	t.Parallel()
	p := good(t, `
-- config.toml --
[plugins.env]
github = ["MiXed_Case"]
[webhooks."A.b-C_d"]
type = "github"
credential = "MyOrg.Sub"
-- agents/Dev.One/config.toml --
credentials = ["GitHub_Token:My.Org"]
[[webhooks]]
source = "A.b-C_d"
branchNames = ["Feature/X.y"]
"dotted.filter" = "V"
[params]
triggerLabel = "Ready.For-Dev"
"a.b" = { Deep = { ER = [1, 2.5, true, "x", { Z = 1979-05-27T07:32:00Z }] } }
TRIGGERLABEL = 0x10
"größe" = "ä"
-- agents/Dev.One/SKILL.md --
Do it.
`)
	got, err := json.Marshal(p.Agents[0].Params)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"TRIGGERLABEL":16,"a.b":{"Deep":{"ER":[1,2.5,true,"x",{"Z":"1979-05-27T07:32:00Z"}]}},"größe":"ä","triggerLabel":"Ready.For-Dev"}`
	if string(got) != want {
		t.Errorf("params:\ngot  %s\nwant %s", got, want)
	}
	wantTriggers := []Trigger{{Source: "A.b-C_d", Flow: standardFlow(), Filters: []FilterValue{
		{Name: "branchNames", Values: []string{"Feature/X.y"}, IsList: true},
		{Name: "dotted.filter", Values: []string{"V"}},
	}}}
	if diff := cmp.Diff(wantTriggers, p.Agents[0].Triggers, noPos); diff != "" {
		t.Errorf("triggers -want +got:\n%s", diff)
	}
	if got := p.Plugins.Env["github"][0]; got != "MiXed_Case" {
		t.Errorf("plugins.env: got %q", got)
	}
	if got := p.Sources[0]; got.Name != "A.b-C_d" || got.Credentials[0].Instance != "MyOrg.Sub" {
		t.Errorf("source: got %+v", got)
	}
	if got := p.Agents[0].Credentials[0].String(); got != "GitHub_Token:My.Org" || p.Agents[0].Name != "Dev.One" {
		t.Errorf("agent %q with credential %q", p.Agents[0].Name, got)
	}
}

func TestBodyIsExact(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"no front matter":   {"  # Hi\r\n\n", "  # Hi\r\n\n"},
		"front matter":      {"---\ndescription: x\n---\n\n# Hi\n---\nbye", "\n# Hi\n---\nbye"},
		"windows":           {"---\r\ndescription: x\r\n---\r\nHi\r\n", "Hi\r\n"},
		"empty":             {"---\n---\nHi", "Hi"},
		"byte order mark":   {"\ufeff---\nname: x\n---\nHi", "Hi"},
		"rule further down": {"Hi\n---\na: b\n---\n", "Hi\n---\na: b\n---\n"},
		"never closed":      {"---\na: b\n", "---\na: b\n"},
		"no YAML":           {"---\njust text\n---\nHi\n", "---\njust text\n---\nHi\n"},
		"longer dashes":     {"----\nHi\n", "----\nHi\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, got, _ := parseSkill("SKILL.md", []byte(c.file)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// An agent of the original may have all of its settings in its front matter.
func TestFrontMatter(t *testing.T) {
	t.Parallel()
	p := good(t, `
-- config.toml --
[webhooks.github]
type = "github"
credential = "default"
-- agents/dev/SKILL.md --
---
name: dev
description: Fixes bugs
license: MIT
metadata:
  credentials:
    - github_token
  schedule: "0 * * * *"
  models:
    - sonnet
  webhooks:
    - source: github
      orgs: [acme]
      author: octocat
  params:
    triggerLabel: ready
    nested: { Key: [1, 2.5, null, yes, 2020-01-01] }
  timeout: 60
---

Do it.
-- agents/mixed/config.toml --
scale = 2
[params]
a = 1
-- agents/mixed/SKILL.md --
---
schedule: "@daily"
scale: 5
params: { b: 2 }
---
Do it.
`)
	want := []Agent{
		{
			Name: "dev", Dir: "/project/agents/dev", Description: "Fixes bugs", Schedule: "0 * * * *", Timezone: "Local",
			Scale: 1, Timeout: time.Minute, MaxWorkQueueSize: 100, RetryDelay: 30 * time.Second, OnLimit: "wait", CatchUp: "none", Flow: standardFlow(),
			Credentials: []CredentialRef{{Type: "github_token", Instance: "default"}},
			Triggers: []Trigger{{Source: "github", Flow: standardFlow(), Filters: []FilterValue{
				{Name: "orgs", Values: []string{"acme"}, IsList: true}, {Name: "author", Values: []string{"octocat"}}}}},
			Params: map[string]any{
				"triggerLabel": "ready",
				"nested":       map[string]any{"Key": []any{int64(1), 2.5, nil, "yes", "2020-01-01"}},
			},
			Skill: "\nDo it.\n",
		},
		{
			Name: "mixed", Dir: "/project/agents/mixed", Schedule: "@daily", Timezone: "Local",
			Scale: 2, Timeout: 15 * time.Minute, MaxWorkQueueSize: 100, RetryDelay: 30 * time.Second, OnLimit: "wait", CatchUp: "none", Flow: standardFlow(),
			Params: map[string]any{"a": int64(1)}, Skill: "Do it.\n",
		},
	}
	if diff := cmp.Diff(want, p.Agents, noPos); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := p.Agents[0].Triggers[0].Filters[1].Pos, (Pos{"agents/dev/SKILL.md", 14, 7}); got != want {
		t.Errorf("position of the author filter: got %v, want %v", got, want)
	}
}

// A project written for the original Action Llama loads as it is: no error, no
// warning, and one note.
func TestExistingProject(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/projects/action-llama.txtar")
	if err != nil {
		t.Fatal(err)
	}
	p, problems := load(project(string(text)), "/project", Options{CheckSchedule: fakeSchedule})
	if len(problems) != 1 || problems[0].Severity != Note {
		t.Errorf("want one note, got:\n%s", render(problems))
	}
	if got := len(p.Agents); got != 3 {
		t.Fatalf("got %d agents", got)
	}
	dev, _ := p.Agent("dev")
	if len(dev.Triggers) != 1 || dev.Scale != 5 || dev.Timeout != time.Hour || dev.Params["triggerLabel"] != "ready-for-dev" {
		t.Errorf("dev: %+v", dev)
	}
	source, _ := p.Source("my-github")
	if got := source.Credentials[0].For("github_webhook_secret").String(); got != "github_webhook_secret:MyOrg" {
		t.Errorf("credential: %s", got)
	}
}

func TestInflightFollowsBody(t *testing.T) {
	t.Parallel()
	p := good(t, `
-- config.toml --
[gateway]
maxBodyBytes = "512MiB"
-- agents/dev/config.toml --
schedule = "@daily"
-- agents/dev/SKILL.md --
Do it.
`)
	if p.Gateway.MaxInflightBytes != 512<<20 {
		t.Errorf("got %d", p.Gateway.MaxInflightBytes)
	}
}

const small = `
-- config.toml --
scale = 1
workQueueSize = 11
[gateway]
port = 1111
host = "localhost"
-- agents/dev/config.toml --
schedule = "@daily"
-- agents/dev/SKILL.md --
Do it.
`

func TestLayers(t *testing.T) {
	for name, value := range map[string]string{
		"AL_SCALE": "2", "AL_WORK_QUEUE_SIZE": " 22 ", "AL_GATEWAY_PORT": "2222",
		"AL_GATEWAY_MAX_BODY_BYTES": "1MiB", "AL_GATEWAY_SHUTDOWN_GRACE": "90",
		"AL_STORE_URL": "postgres://db/al", "AL_TIMEZONE": "Asia/Tokyo", "AL_GATEWAY_HOST": "",
	} {
		t.Setenv(name, value)
	}
	p, problems := load(project(small), "/project", Options{Overrides: map[string]string{
		"scale": "3", "gateway.readTimeout": "1s", "runner.harness": "claude",
	}})
	if len(problems) > 0 {
		t.Errorf("problems:\n%s", render(problems))
	}
	type layered struct {
		Scale, Queue, Port int
		Host, Zone         string
		Body               int64
		Grace, Read        time.Duration
		URL, Harness       string
	}
	got := layered{
		p.Scale, p.WorkQueueSize, p.Gateway.Port, p.Gateway.Host, p.Agents[0].Timezone, p.Gateway.MaxBodyBytes,
		p.Gateway.ShutdownGrace, p.Gateway.ReadTimeout, p.Store.URL.Reveal(), p.Runner.Harness,
	}
	// An empty variable counts as none, as everywhere.
	want := layered{3, 22, 2222, "localhost", "Asia/Tokyo", 1 << 20, 90 * time.Second, time.Second, "postgres://db/al", "claude"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A harness from the environment must not collide with the file's command.
func TestHarnessFromEnvironment(t *testing.T) {
	t.Setenv("AL_RUNNER_HARNESS", "codex")
	p := good(t, strings.Replace(small, "[gateway]", "[runner]\ncommand = [\"claude\"]\n[gateway]", 1))
	if p.Runner.Harness != "codex" || p.Runner.Command != nil {
		t.Errorf("got %+v", p.Runner)
	}
}

// YAML ends lines where no editor does; positions are for editors.
func TestFrontMatterPositions(t *testing.T) {
	t.Parallel()
	text := "---\r\n\rscale: a\u0085timeout: b\r\ndescription: 1\n---\nDo it."
	_, problems := load(project("-- agents/dev/SKILL.md --\n"+text), "/project", Options{})
	want := []Pos{{"agents/dev/SKILL.md", 2, 9}, {"agents/dev/SKILL.md", 2, 20}, {"agents/dev/SKILL.md", 3, 14}}
	var got []Pos
	for _, p := range problems {
		if p.Pos.File == "agents/dev/SKILL.md" {
			got = append(got, p.Pos)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s%s", diff, render(problems))
	}
}

func TestBadLayers(t *testing.T) {
	for name, value := range map[string]string{
		"AL_SCALE": "many", "AL_GATEWAY_PORT": "99999", "AL_TIMEZONE": "Nowhere", "AL_STORE_URL": "mysql://u:hunter2@db",
		"AL_GATEWAY_HOST": "0.0.0.0:80", "AL_GATWAY_PORT": "1", "AL_SOMETHING_ELSE": "1", "AL_GATEWAY_SHUTDOWN_GRACE": "long",
	} {
		t.Setenv(name, value)
	}
	p, problems := load(project(small), "/project", Options{Overrides: map[string]string{
		"workQueueSize": "0", "nonsense": "1",
	}})
	want := `error: command line: unknown setting "nonsense"
error: command line: workQueueSize must be at least 1, got 0
error: AL_SCALE: scale must be an integer, got "many"
error: AL_GATEWAY_PORT: gateway.port must be at most 65535, got 99999
error: AL_GATEWAY_SHUTDOWN_GRACE: gateway.shutdownGrace is not a duration of at most a year: "long"; write seconds (90) or a number with s, m or h ("1m30s")
warning: AL_GATWAY_PORT: this environment variable has no effect; did you mean AL_GATEWAY_PORT?
error: AL_TIMEZONE: timezone: no such zone: "Nowhere"; use a name such as "Europe/Berlin" or "UTC"
error: AL_STORE_URL: store.url must begin with "postgres://"; remove it to use the database in .al/al.db
error: AL_GATEWAY_HOST: gateway.host is not an address: "0.0.0.0:80"; write host = "0.0.0.0" and port = 80
`
	if diff := cmp.Diff(want, render(problems)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if p.Scale != 0 || p.WorkQueueSize != 100 {
		t.Errorf("what can not be used must become the default: %d, %d", p.Scale, p.WorkQueueSize)
	}
}

// Load itself, on a real directory: what a file system can do wrong.
func TestLoadFromDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("elsewhere/SKILL.md", "Do it.")
	write("elsewhere/config.toml", `schedule = "@daily"`)
	write("agents/huge/SKILL.md", strings.Repeat("x", maxFile+1))
	write("agents/huge/config.toml", `schedule = "@daily"`)
	write("agents/dir/config.toml/x", "")
	write("agents/dir/SKILL.md", "Do it.")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "agents", "linked")); err != nil {
		t.Fatal(err)
	}
	p, problems := Load(dir, Options{})
	want := "error: agents/dir/config.toml:1:1: must be a file, and is not one\n" +
		"error: agents/huge/SKILL.md:1:1: is larger than 1MiB\n"
	if got := render(problems); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if _, ok := p.Agent("linked"); !ok || p.Dir != dir {
		t.Errorf("a linked agent is missing in %q", p.Dir)
	}
	if problems.Err() == nil || !strings.Contains(problems.Err().Error(), "1:1: is larger than 1MiB") {
		t.Errorf("Err: %v", problems.Err())
	}
}

func TestLoadNowhere(t *testing.T) {
	t.Parallel()
	_, problems := Load(filepath.Join(t.TempDir(), "absent"), Options{})
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "there is no project here") {
		t.Errorf("got:\n%s", render(problems))
	}
}

// The original's [harness] chooses what runs, unless [runner] does; what was
// built into it is none.
func TestForeignHarness(t *testing.T) {
	t.Parallel()
	const text = `
-- config.toml --
[harness]
type = "claude"
-- agents/a/config.toml --
schedule = "@daily"
-- agents/a/SKILL.md --
Do it.
-- agents/b/config.toml --
schedule = "@daily"
[harness]
type = "codex"
-- agents/b/SKILL.md --
Do it.
-- agents/c/config.toml --
schedule = "@daily"
harness = "codex"
[runner]
command = ["mine"]
-- agents/c/SKILL.md --
Do it.
`
	p := good(t, text)
	for name, want := range map[string]Runner{
		"a": {Harness: "claude"}, "b": {Harness: "codex"}, "c": {Command: []string{"mine"}},
	} {
		a, _ := p.Agent(name)
		if diff := cmp.Diff(want, a.Runner, noPos); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	p, problems := load(project(strings.ReplaceAll(text, "claude", "pi")), "/project", Options{})
	if a, _ := p.Agent("a"); a.Runner.Harness != "" || len(problems.Of(Note)) != 1 || len(problems) != 1 {
		t.Errorf("pi: %+v, problems:\n%s", a.Runner, render(problems))
	}
}

// Hooks come from config.toml, or from the front matter at its top or below
// metadata.
func TestHooks(t *testing.T) {
	t.Parallel()
	p := good(t, `
-- agents/a/config.toml --
schedule = "@daily"
[hooks]
pre = ["one", "two"]
post = "three"
-- agents/a/SKILL.md --
Do it.
-- agents/b/SKILL.md --
---
metadata:
  schedule: "@daily"
  hooks:
    pre:
      - "one"
---
Do it.
`)
	want := []Hooks{{Pre: []string{"one", "two"}, Post: []string{"three"}}, {Pre: []string{"one"}}}
	if diff := cmp.Diff(want, []Hooks{p.Agents[0].Hooks, p.Agents[1].Hooks}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestATriggersFlowIsItsAgentsButForWhatItSays(t *testing.T) {
	t.Parallel()
	p := good(t, `
-- config.toml --
maxRunsPerDay = 100
[webhooks.github]
type = "github"
credential = "x"
-- agents/dev/SKILL.md --
Do it.
-- agents/dev/config.toml --
retries = 2
retryDelay = "1m"
maxRunsPerHour = 10
onLimit = "drop"
concurrencyKey = "{repo}#{number}"
onBusy = "latest"
debounce = "30s"
ignoreSenders = ["bots", "octocat"]
maxSelfTriggers = 5

[[webhooks]]
source = "github"

[[webhooks]]
source = "github"
concurrencyKey = "{repo}"
onBusy = "queue"
debounce = "0s"
ignoreSenders = []
maxSelfTriggers = 0
labels = ["x"]
`)
	a := p.Agents[0]
	if a.Retries != 2 || a.RetryDelay != time.Minute || a.MaxRunsPerHour != 10 || a.OnLimit != "drop" || p.MaxRunsPerDay != 100 {
		t.Errorf("agent %+v, project's runs a day %d", a, p.MaxRunsPerDay)
	}
	want := Flow{
		ConcurrencyKey: "{repo}#{number}", OnBusy: "latest", Debounce: 30 * time.Second,
		IgnoreSenders: []string{"bots", "octocat"}, MaxSelfTriggers: 5,
	}
	for what, got := range map[string]Flow{"the agent's": a.Flow, "a trigger's that says nothing": a.Triggers[0].Flow} {
		if diff := cmp.Diff(want, got, noPos); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	own := Flow{ConcurrencyKey: "{repo}", OnBusy: "queue", IgnoreSenders: []string{}}
	if diff := cmp.Diff(own, a.Triggers[1].Flow, noPos); diff != "" {
		t.Errorf("a trigger's that says otherwise (-want +got):\n%s", diff)
	}
	if f := a.Triggers[1].Filters; len(f) != 1 || f[0].Name != "labels" {
		t.Errorf("filters %+v; the keys of the flow are none", f)
	}
}
