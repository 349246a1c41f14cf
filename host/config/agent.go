package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/action-llama/gateway/host/spelling"
)

// agentName is what can be a folder, a metric's label, a part of a URL and a
// word on a command line without being quoted anywhere.
var agentName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (l *loader) loadAgents() {
	pos := Pos{File: agentsDir, Line: 1, Column: 1}
	entries, err := fs.ReadDir(l.fsys, agentsDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if len(l.problems) == 0 || l.project.Sources != nil {
			l.problems.add(Errorf(pos, "there is no folder %s", agentsDir).
				WithFix("make %s with what the agent is to do; al new DIR writes an example", agentPath("<name>", skillFile)))
		}
		return
	case err != nil:
		l.fault(pos, "can not be read: %v", bare(err))
		return
	}
	found := false
	for _, e := range entries {
		// Symbolic links to folders are followed, as by everything else.
		info, err := fs.Stat(l.fsys, agentsDir+"/"+e.Name())
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules" || err != nil || !info.IsDir() {
			continue
		}
		found = true
		l.loadAgent(e.Name())
	}
	if !found {
		l.problems.add(Warnf(pos, "there is no agent in the folder %s", agentsDir).
			WithFix("make %s with what the agent is to do", agentPath("<name>", skillFile)))
	}
}

func (l *loader) loadAgent(name string) {
	pos := Pos{File: agentPath(name, projectFile), Line: 1, Column: 1}
	if !agentName.MatchString(name) {
		l.problems.add(Errorf(Pos{File: agentsDir + "/" + printable(name), Line: 1, Column: 1}, "not a name for an agent").
			WithFix(`rename the folder: up to 64 letters, digits, ".", "_" and "-", starting with a letter or a digit`))
		return
	}
	before := len(l.problems)
	tomlData, hasTOML := l.read(pos.File)
	skillData, hasSkill := l.read(agentPath(name, skillFile))
	unread := len(l.problems) > before
	switch {
	case unread:
	case !hasTOML && !hasSkill:
		l.problems.add(Warnf(Pos{File: agentsDir + "/" + name, Line: 1, Column: 1}, "not taken for an agent: there is no %s in it", skillFile).
			WithFix("write one, or move the folder elsewhere"))
		return
	case !hasSkill:
		l.problems.add(l.missingSkill(name))
	}

	root := newTable(pos)
	broken := false
	if hasTOML {
		var problems Problems
		root, problems = parseTOML(pos.File, tomlData)
		l.problems = append(l.problems, problems...)
		broken = problems.Err() != nil
	}
	a := Agent{Name: name, Dir: filepath.Join(l.project.Dir, agentsDir, name), Pos: pos, Scale: 1}
	if hasSkill {
		var problems Problems
		var front *value
		front, a.Skill, problems = parseSkill(agentPath(name, skillFile), skillData)
		l.problems = append(l.problems, problems...)
		broken = broken || problems.Err() != nil
		l.merge(root, front, hasTOML)
	}
	l.agent(&a, root, broken || unread)
	l.project.Agents = append(l.project.Agents, a)
}

// printable quotes a name that would make a mess of a terminal.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(shorten(name))
	}
	return shorten(name)
}

// missingSkill says what to write, or which file is probably meant.
func (l *loader) missingSkill(name string) Problem {
	p := Errorf(Pos{File: agentPath(name, skillFile), Line: 1, Column: 1}, "missing: this file tells the agent %s what to do", name)
	entries, err := fs.ReadDir(l.fsys, agentsDir+"/"+name)
	if err == nil {
		for _, e := range entries {
			if strings.EqualFold(e.Name(), skillFile) {
				return p.WithFix("rename %s to %s", e.Name(), skillFile)
			}
		}
	}
	return p.WithFix("write it in plain words, for example: Read the issue in <webhook-trigger> and answer it.")
}

// agent fills in an agent. When its files could not be parsed, what is missing
// in them is not mentioned.
func (l *loader) agent(a *Agent, root *value, broken bool) {
	for _, s := range agentSettings() {
		s.put(a, s.standard)
		e := root.get(s.key)
		if e == nil || e.value.kind == nullKind {
			continue
		}
		parsed, wrong := s.read(e.value)
		if !wrong.none() {
			l.problems.add(Errorf(e.value.pos, "%s %s", s.key, wrong.what).WithFix("%s", wrong.fix))
			continue
		}
		s.put(a, parsed)
	}
	if a.MaxWorkQueueSize == 0 {
		a.MaxWorkQueueSize = l.project.WorkQueueSize
	}
	a.Runner = l.project.Runner
	a.Flow = l.flow(root, "", standardFlow())
	l.checkBudget(a, root)

	known := keysOf(anyAgent, "")
	for _, e := range root.entries {
		switch e.key {
		case "schedule":
			a.SchedulePos = e.value.pos
		case "credentials":
			a.Credentials = l.agentCredentials(e)
		case "webhooks":
			a.Triggers = l.triggers(e, a.Flow)
		case "params":
			a.Params = l.params(e)
		case "runner":
			l.agentRunner(e, a)
		case "runsOn":
			a.RunsOn = l.labelList(e, "runsOn")
		case "hooks":
			a.Hooks = l.hooks(e)
		case "harness":
			if r := l.foreignHarness(e); r.Harness != "" && root.get("runner") == nil {
				a.Runner = r
			}
		default:
			switch _, isForeign := foreignAgentKeys()[e.key]; {
			case contains(known, e.key):
			case isForeign:
				l.foreign = append(l.foreign, foreign{e.pos, e.key})
			default:
				l.unknown(e, e.key, known, projectKeysHere())
			}
		}
	}
	l.checkSchedule(a, root)
	l.checkTicks(a, root)
	// Disabled agents may be unfinished. The presence of the key counts: what
	// is wrong with it has been said.
	if a.Scale > 0 && root.get("schedule") == nil && root.get("webhooks") == nil && !broken {
		example := "schedule = \"0 9 * * 1-5\"  # at nine on weekdays"
		if len(l.project.Sources) > 0 {
			example = fmt.Sprintf("[[webhooks]]\n    source = %q", l.someSource())
		}
		l.problems.add(Errorf(a.Pos, "nothing starts the agent %s: it needs a schedule, [[webhooks]], or both", a.Name).
			WithFix("add for example:\n    %s", example))
	}
}

func (l *loader) checkSchedule(a *Agent, root *value) {
	zone := ""
	if e := root.get("timezone"); e != nil {
		zone = l.timezone(a.Timezone, e.value.pos)
	}
	if zone == "" {
		zone = l.project.Timezone
	}
	a.Timezone = zone
	e := root.get("schedule")
	if e == nil || e.value.kind != textKind {
		return
	}
	a.Schedule = strings.TrimSpace(a.Schedule)
	if a.Schedule == "" {
		l.problems.add(Errorf(a.SchedulePos, "schedule is empty").
			WithFix(`write a cron expression, for example "*/15 * * * *", or remove the line`))
		return
	}
	if l.opts.CheckSchedule == nil {
		return
	}
	if err := l.opts.CheckSchedule(a.Schedule, zone); err != nil {
		l.problems.add(Errorf(a.SchedulePos, "schedule %q: %v", shorten(a.Schedule), err))
	}
}

func (l *loader) agentCredentials(e *entry) []CredentialRef {
	if e.value.kind != listKind {
		l.texts(e, "credentials", false) // says what is wrong
		return nil
	}
	var out []CredentialRef
	for i, item := range e.value.items {
		path := fmt.Sprintf("credentials[%d]", i)
		if item.kind != textKind {
			l.fault(item.pos, "%s must be a string, got %s", path, item.kind)
			continue
		}
		ref, err := ParseCredential(item.text)
		if err != nil {
			l.badCredential(item, path)
			continue
		}
		ref.Pos = item.pos
		out = append(out, ref)
	}
	return out
}

func (l *loader) triggers(e *entry, flow Flow) []Trigger {
	v := e.value
	if v.kind != listKind {
		what := v.kind.String()
		if v.headed {
			what = "[webhooks]"
		} else if v.kind == tableKind && len(v.entries) > 0 && v.entries[0].value.headed {
			what = "[webhooks." + v.entries[0].key + "]"
		}
		l.problems.add(Errorf(v.pos, "webhooks must be a list of triggers, got %s", what).
			WithFix(`write [[webhooks]] with two pairs of brackets, and below it source = %q`, l.someSource()))
		return nil
	}
	var out []Trigger
	for i, item := range v.items {
		path := fmt.Sprintf("webhooks[%d]", i)
		if item.kind != tableKind {
			l.problems.add(Errorf(item.pos, "%s must be a table, got %s", path, item.kind).
				WithFix(`write [[webhooks]] with two pairs of brackets, and below it source = %q`, l.someSource()))
			continue
		}
		out = append(out, l.trigger(item, path, flow))
	}
	if len(v.items) == 0 {
		l.problems.add(Warnf(v.pos, "webhooks is an empty list").WithFix("remove it, or add a trigger: [[webhooks]] with source = %q", l.someSource()))
	}
	return out
}

func (l *loader) trigger(item *value, path string, flow Flow) Trigger {
	// TOML gives a key to the header above it, so a line too far down ends up
	// in a trigger.
	notFilters := []string{"schedule", "scale", "timeout", "timezone", "jitter", "catchUp", "maxWorkQueueSize", "credentials", "params", "runner", "hooks",
		"retries", "retryDelay", "maxRunsPerHour", "maxRunsPerDay", "onLimit"}
	ownKeys := flowKeys()
	t := Trigger{Pos: item.pos, Flow: l.flow(item, path, flow)}
	for _, e := range item.entries {
		if e.key == "source" {
			t.Source = l.triggerSource(e, path)
			continue
		}
		if contains(ownKeys, e.key) {
			continue
		}
		if contains(notFilters, e.key) {
			l.problems.add(Errorf(e.pos, "%s: %s is a key of the agent, not of a trigger", path, e.key).
				WithFix("move the line above the first [[webhooks]]"))
			continue
		}
		values, ok := l.texts(e, path+"."+e.key, true)
		if !ok {
			continue
		}
		if len(values) == 0 {
			l.problems.add(Warnf(e.value.pos, "%s.%s is an empty list, so that nothing matches", path, e.key).
				WithFix("remove the line to match everything, or name values"))
		}
		t.Filters = append(t.Filters, FilterValue{e.key, values, e.value.kind == listKind, e.pos})
	}
	if item.get("source") == nil {
		// A misspelled "source" would otherwise be taken for a filter.
		p := Errorf(t.Pos, "%s: source is missing", path).WithFix("add source = %q", l.someSource())
		for _, e := range item.entries {
			if spelling.Nearest(e.key, []string{"source"}) != "" {
				p = Errorf(e.pos, "%s: source is missing", path).WithFix("write source instead of %s", e.key)
			}
		}
		l.problems.add(p)
	}
	return t
}

func (l *loader) triggerSource(e *entry, path string) string {
	name, ok := l.text(e, path+".source")
	if !ok || l.broken {
		return name
	}
	if _, ok := l.project.Source(name); ok {
		return name
	}
	names := l.project.sourceNames()
	var p Problem
	if len(names) == 0 {
		p = Errorf(e.value.pos, "%s: there is no source %q, and %s has none at all", path, shorten(name), projectFile).
			WithFix("add [webhooks.%s] with type = \"...\" to %s; the type is what follows al-provider- in the name of a provider's file", tomlKey(name), projectFile)
	} else {
		p = Errorf(e.value.pos, "%s: there is no source %q; %s has %s", path, shorten(name), projectFile, list(names)).
			WithFix("%s", spelling.DidYouMean(name, names))
	}
	l.problems.add(p)
	return name
}

// tomlKey writes a name as a key of TOML.
func tomlKey(name string) string {
	if sourceName.MatchString(name) && !strings.Contains(name, ".") {
		return name
	}
	return strconv.Quote(shorten(name))
}

// someSource is a source's name for an example.
func (l *loader) someSource() string {
	if len(l.project.Sources) > 0 {
		return l.project.Sources[0].Name
	}
	return "my-source"
}

func (l *loader) params(e *entry) map[string]any {
	table := l.table(e, "params", "write [params] and its keys below")
	if table == nil {
		return nil
	}
	l.jsonable(table, "params")
	if len(table.entries) == 0 {
		return nil
	}
	out, _ := table.plain().(map[string]any)
	return out
}

// jsonable reports the only values that TOML has and JSON has not.
func (l *loader) jsonable(v *value, path string) {
	switch v.kind {
	case floatKind:
		if math.IsNaN(v.float) || math.IsInf(v.float, 0) {
			l.problems.add(Errorf(v.pos, "%s is not a number that JSON can hold", path).WithFix("put quotes around it"))
			v.float = 0
		}
	case listKind:
		for i, item := range v.items {
			l.jsonable(item, fmt.Sprintf("%s[%d]", path, i))
		}
	case tableKind:
		for _, in := range v.entries {
			l.jsonable(in.value, path+"."+in.key)
		}
	default:
	}
}

// agentRunner replaces the project's runner as a whole, so that an agent's
// command does not meet the project's harness.
func (l *loader) agentRunner(e *entry, a *Agent) {
	table := l.table(e, "runner", `write [runner] and below it command = ["..."]`)
	if table == nil || len(table.entries) == 0 {
		return
	}
	r := Runner{Pos: table.pos}
	for _, in := range table.entries {
		switch in.key {
		case "command":
			l.command(e, &r)
		case "harness":
			if harness, ok := l.text(in, "runner.harness"); ok {
				r.Harness = harness
			}
		default:
			l.unknown(in, "runner."+in.key, keysOf(anyAgent, "runner"), nil)
		}
	}
	l.checkRunner(&r)
	a.Runner = r
}

// projectKeysHere maps keys that belong into the project's file to that advice.
func projectKeysHere() map[string]string {
	out := map[string]string{}
	for _, key := range keysOf(projectFile, "") {
		out[key] = "it belongs in the project's " + projectFile
	}
	out["workQueueSize"] = "an agent's is maxWorkQueueSize"
	return out
}

// CheckAgentName says what is wrong with a name for an agent.
func CheckAgentName(name string) error {
	if !agentName.MatchString(name) {
		return errors.New(`not a name for an agent: use up to 64 letters, digits, ".", "_" and "-", starting with a letter or a digit`)
	}
	return nil
}
