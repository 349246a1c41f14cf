package config

import (
	"math"
	"strings"
	"time"
)

// Key describes one key of a configuration file, for documentation and
// completion.
type Key struct {
	File    string // "config.toml" or "agents/<name>/config.toml"
	Name    string // "gateway.port", "webhooks.<name>.type", "webhooks[].source"
	Default string // as it would be written; empty for none
	Env     string // the environment variable that overrides it, if there is one
	Help    string
}

// LogLevels are what gateway.logLevel may be, the most talkative first.
func LogLevels() []string { return []string{"trace", "debug", "info", "warn", "error"} }

const (
	projectFile = "config.toml"
	agentsDir   = "agents"
	skillFile   = "SKILL.md"
	anyAgent    = agentsDir + "/<name>/" + projectFile
)

// projectSettings are the keys of config.toml that take a single value.
func projectSettings() []setting[Project] {
	type p = Project
	return []setting[Project]{
		number("scale", 0, 0, maxNumber, func(p *p) *int { return &p.Scale },
			"Runs at once over all agents. 0 sets no limit beside those of the agents."),
		number("workQueueSize", 100, 1, maxNumber, func(p *p) *int { return &p.WorkQueueSize },
			"Waiting jobs per agent. When one more arrives, the oldest waiting one is dropped."),
		text("timezone", "Local", func(p *p) *string { return &p.Timezone },
			`Time zone of schedules, for example "Europe/Berlin". "Local" is the machine's.`),
		number("historyRetentionDays", 14, 1, 36500, func(p *p) *int { return &p.HistoryRetentionDays },
			"How long ended jobs, runs and receipts are kept."),
		size("historyMaxBytes", 2<<30, 0, math.MaxInt64, func(p *p) *int64 { return &p.HistoryMaxBytes },
			"How much of them is kept; the oldest go first. 0 sets no limit."),
		number("maxAttempts", 2, 1, 100, func(p *p) *int { return &p.MaxAttempts },
			"Runs of a job that may be lost with their host before the job is given up."),
		number("maxRunsPerHour", 0, 0, maxNumber, func(p *p) *int { return &p.MaxRunsPerHour },
			"Runs that may start in any hour, over all agents. Beyond it, jobs wait. 0 sets no limit."),
		number("maxRunsPerDay", 0, 0, maxNumber, func(p *p) *int { return &p.MaxRunsPerDay },
			"The same for any 24 hours."),

		text("gateway.host", "127.0.0.1", func(p *p) *string { return &p.Gateway.Host },
			`Address to listen on. "0.0.0.0" is reachable from other machines.`),
		number("gateway.port", 8080, 0, 65535, func(p *p) *int { return &p.Gateway.Port },
			"Port to listen on. 0 takes any free one."),
		// Vendors send up to 25 MiB of JSON, which is larger when form-encoded.
		// The upper bound keeps a body inside one gRPC message.
		size("gateway.maxBodyBytes", 32<<20, 1, 1<<30, func(p *p) *int64 { return &p.Gateway.MaxBodyBytes },
			"Largest body of a delivery. A larger one is answered 413."),
		size("gateway.maxInflightBytes", 128<<20, 1, 1<<40, func(p *p) *int64 { return &p.Gateway.MaxInflightBytes },
			"Memory for bodies of deliveries that are being worked on. At least maxBodyBytes, and raised to it by default."),
		duration("gateway.readTimeout", 30*time.Second, time.Millisecond, func(p *p) *time.Duration { return &p.Gateway.ReadTimeout },
			"How long a sender may take to send a request."),
		duration("gateway.shutdownGrace", 30*time.Second, 0, func(p *p) *time.Duration { return &p.Gateway.ShutdownGrace },
			"How long runs may go on when the gateway is asked to stop."),
		boolean("gateway.autoReload", true, func(p *p) *bool { return &p.Gateway.AutoReload },
			"Whether the gateway takes up changed files by itself. al reload does so at any time."),
		boolean("gateway.ui", true, func(p *p) *bool { return &p.Gateway.UI },
			"Whether there is the live page at /, for those who have the gateway's API key."),
		oneOf(LogLevels(), text("gateway.logLevel", "info", func(p *p) *string { return &p.Gateway.LogLevel },
			"How much the gateway logs: trace, debug, info, warn or error. It may be changed while the gateway runs.")),
		text("gateway.otlpEndpoint", "", func(p *p) *string { return &p.Gateway.OTLPEndpoint },
			`A collector that takes traces, as OTLP over HTTP: "http://127.0.0.1:4318". Without it, OTEL_EXPORTER_OTLP_ENDPOINT counts; without both, there are none.`),

		secret("store.url", func(p *p) *Secret { return &p.Store.URL },
			`"postgres://user:password@host/database" to share work between several hosts. Without it, .al/al.db is used.`),
		text("store.urlFile", "", func(p *p) *string { return &p.Store.URLFile },
			"A file with that URL, so that no password is in the project. A relative path starts at the project."),
		duration("store.lease", time.Minute, 3*time.Second, func(p *p) *time.Duration { return &p.Store.Lease },
			"How long the database may be out of a host's reach before its runs end and others take them over. The same on all hosts."),

		text("runner.harness", "", func(p *p) *string { return &p.Runner.Harness },
			`A coding agent by name, for example "claude".`),

		text("plugins.dir", "", func(p *p) *string { return &p.Plugins.Dir },
			"Folder to look for providers in before the usual ones. A relative path starts at the project."),
		duration("plugins.startTimeout", 10*time.Second, time.Millisecond, func(p *p) *time.Duration { return &p.Plugins.StartTimeout },
			"How long a provider may take to start."),
		duration("plugins.callTimeout", 5*time.Second, time.Millisecond, func(p *p) *time.Duration { return &p.Plugins.CallTimeout },
			"How long a provider may take for a call that no vendor waits for."),
		size("plugins.maxMemoryBytes", 1<<30, 0, 1<<50, func(p *p) *int64 { return &p.Plugins.MaxMemoryBytes },
			"Memory that a provider's process may take with its children, on Linux. One that takes more is ended and started again. 0 sets no limit."),
	}
}

// agentSettings are the keys of an agent that take a single value.
func agentSettings() []setting[Agent] {
	type a = Agent
	return []setting[Agent]{
		text("description", "", func(a *a) *string { return &a.Description },
			"One line about the agent, for listings."),
		text("schedule", "", func(a *a) *string { return &a.Schedule },
			`When to run: cron with 5 fields ("*/15 * * * *"), 6 with seconds, or "@hourly". A tick is skipped while all slots are busy.`),
		text("timezone", "", func(a *a) *string { return &a.Timezone },
			"Time zone of the schedule. Without it, the project's."),
		upTo(maxJitter, duration("jitter", 0, 0, func(a *a) *time.Duration { return &a.Jitter },
			"Spread the ticks of the schedule over so much time after their own, so that agents with one schedule do not all start at once.")),
		text("catchUp", "none", func(a *a) *string { return &a.CatchUp },
			`What to do about ticks that came while no gateway ran: nothing ("none"), or start once for the "latest" of them.`),
		number("scale", 1, 0, maxNumber, func(a *a) *int { return &a.Scale },
			"Runs of this agent at once. 0 disables it."),
		duration("timeout", 900*time.Second, time.Second, func(a *a) *time.Duration { return &a.Timeout },
			"How long a run may take before it is stopped."),
		number("maxWorkQueueSize", 0, 1, maxNumber, func(a *a) *int { return &a.MaxWorkQueueSize },
			"Waiting jobs of this agent. Without it, the project's workQueueSize."),
		number("retries", 0, 0, 100, func(a *a) *int { return &a.Retries },
			"Further attempts when a run fails. Agents are seldom idempotent, so none by default."),
		duration("retryDelay", 30*time.Second, time.Second, func(a *a) *time.Duration { return &a.RetryDelay },
			"How long to wait before the first of them. It doubles with each, up to an hour."),
		number("maxRunsPerHour", 0, 0, maxNumber, func(a *a) *int { return &a.MaxRunsPerHour },
			"Runs of this agent that may start in any hour. 0 sets no limit."),
		number("maxRunsPerDay", 0, 0, maxNumber, func(a *a) *int { return &a.MaxRunsPerDay },
			"The same for any 24 hours."),
		text("onLimit", "wait", func(a *a) *string { return &a.OnLimit },
			`What happens to events beyond such a limit: "wait" or "drop".`),
	}
}

// listedKeys are the keys that take more than a single value. Reading them is
// code (source.go, agent.go); this is their documentation.
func listedKeys() []Key {
	return []Key{
		{projectFile, "runner.command", "", "",
			`What a run executes, with the prompt on its standard input: ["claude", "-p"]. Instead of harness.`},
		{projectFile, "runner.labels", "", labelsEnv,
			`What this host has that others have not: ["gpu", "vpn"]. In the environment a list with commas, since the hosts of one database share the file.`},
		{projectFile, "plugins.env", "", "",
			`Variables of the host that a provider's process may see, by provider type: mytype = ["HTTPS_PROXY"].`},
		{projectFile, "webhooks.<name>.type", "", "",
			"The source's provider. Required. It is what follows `al-provider-` in the name of its file."},
		{projectFile, "webhooks.<name>.credential", "", "",
			`Whose signature to accept: an instance of the provider's credential ("MyOrg"), with its type ("my_secret:MyOrg"), or a list while one replaces the other. Without it, unsigned requests are taken.`},
		{projectFile, "webhooks.<name>.allowUnsigned", "", "",
			"false makes a missing credential an error. true changes nothing. All other keys are settings of the source's provider, if it has any; its page lists them."},
		{anyAgent, "runsOn", "", "",
			`Labels that a host must have to run it: ["gpu"]. Its jobs wait for one that has all of them.`},
		{anyAgent, "credentials", "", "",
			`What its runs get to see: ["api_token", "git_ssh:work"]. A name without an instance means "default".`},
		{anyAgent, "webhooks[].source", "", "",
			"Which source starts the agent. Required in each [[webhooks]]. concurrencyKey, onBusy, debounce, maxWait, maxSelfTriggers and ignoreSenders may stand there, too, for this trigger alone. All other keys are filters of the source's provider."},
		{anyAgent, "params", "", "",
			"A table that is put into the prompt as JSON."},
		{anyAgent, "runner.command", "", "",
			"What a run of this agent executes, instead of the project's [runner]."},
		{anyAgent, "runner.harness", "", "",
			"The same by name."},
		{anyAgent, "hooks.pre", "", "",
			`Shell commands that run before the harness, with what it sees: ["gh repo clone acme/app /tmp/app"]. When one fails, so does the run.`},
		{anyAgent, "hooks.post", "", "",
			"Shell commands that run after the harness, also when it failed or timed out. When one fails, so does the run."},
	}
}

// Keys lists every key there is.
func Keys() []Key {
	var out []Key
	for _, s := range projectSettings() {
		out = append(out, Key{projectFile, s.key, s.defaultText(), s.env(), s.help})
	}
	for _, s := range agentSettings() {
		k := Key{anyAgent, s.key, s.defaultText(), "", s.help}
		if s.key == "maxWorkQueueSize" {
			k.Default = ""
		}
		out = append(out, k)
	}
	for _, s := range flowSettings() {
		out = append(out, Key{anyAgent, s.key, s.defaultText(), "", s.help})
	}
	out = append(out, Key{anyAgent, ignoreSendersKey, `["bots"]`, "",
		`Whose events do not start the agent: names, and "bots" for comments and the like by any program. [] lets all of them.`})
	return append(out, listedKeys()...)
}

// keysOf returns the names that can stand in a table of a file: for
// (projectFile, "") "scale", "gateway" and so on, for (projectFile, "gateway")
// "host" and "port".
func keysOf(file, table string) []string {
	var out []string
	seen := map[string]bool{}
	for _, k := range Keys() {
		rest := k.Name
		if table != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(k.Name, table+"."); !ok {
				continue
			}
		}
		if i := strings.IndexAny(rest, ".["); i >= 0 {
			rest = rest[:i]
		}
		if k.File == file && !seen[rest] {
			seen[rest] = true
			out = append(out, rest)
		}
	}
	return out
}
