package config

import (
	"slices"
	"strings"
)

// The keys that only the original Action Llama uses, and what to use here
// instead where there is something. They are accepted, so that its projects
// load as they are, and named in one note, so that nobody waits for their
// effect.

func foreignProjectKeys() map[string]string {
	return map[string]string{
		"model": "", "models": "", "harness": "[runner] harness", "local": "", "local.timeout": "timeout of each agent", "cloud": "", "telemetry": "",
		"projectName": "", "maxReruns": "", "maxCallDepth": "", "maxTriggerDepth": "",
		"webhookQueueSize": "workQueueSize", "resourceLockTimeout": "", "lockTimeout": "",
		"defaultAgentScale": "scale of each agent", "defaultAgentTimeout": "timeout of each agent",
		"defaultWaitTimeout": "", "defaultTimeout": "timeout of each agent", "waitTimeout": "",
		"historyRetention": "historyRetentionDays", "retentionDays": "historyRetentionDays",
		"feedback": "", "subagents": "", "credentials": "", "hooks": "", "params": "", "runtime": "",
		"docker": "", "server": "", "scheduler": "", "environment": "", "webUI": "", "dashboard": "",
	}
}

func foreignGatewayKeys() map[string]string {
	return map[string]string{
		"url": "", "lockTimeout": "", "resourceLockTimeout": "", "enabled": "", "apiKey": "", "expose": "gateway.host",
		"webUI": "", "webUi": "",
	}
}

func foreignAgentKeys() map[string]string {
	return map[string]string{
		"model": "", "models": "", "harness": "[runner] harness", "runtime": "", "local": "",
		"source": "", "name": "", "license": "", "compatibility": "", "waitTimeout": "", "defaultWaitTimeout": "",
		"maxReruns": "", "maxCallDepth": "", "maxTriggerDepth": "", "resourceLockTimeout": "", "lockTimeout": "",
		"feedback": "", "subagents": "", "docker": "", "preflight": "", "telemetry": "", "prompt": "", "repos": "",
		"cloud": "", "image": "",
	}
}

// foreignNote puts all foreign keys of a project into one note.
func foreignNote(found []foreign) (Problem, bool) {
	if len(found) == 0 {
		return Problem{}, false
	}
	var project, agents, instead []string
	add := func(to *[]string, s string) {
		if s != "" && !slices.Contains(*to, s) {
			*to = append(*to, s)
		}
	}
	for _, f := range found {
		table, to := foreignAgentKeys(), &agents
		key := f.key
		if f.pos.File == projectFile {
			table, to = foreignProjectKeys(), &project
			if k, ok := strings.CutPrefix(key, "gateway."); ok {
				table, key = foreignGatewayKeys(), k
			}
		}
		add(to, f.key)
		if use := table[key]; use != "" {
			add(&instead, "for "+f.key+" use "+use)
		}
	}
	var places []string
	if len(project) > 0 {
		places = append(places, list(project)+" in "+projectFile)
	}
	if len(agents) > 0 {
		places = append(places, list(agents)+" in agents")
	}
	p := Notef(found[0].pos, "keys of the original Action Llama that have no effect here: %s", strings.Join(places, "; "))
	p.Fix = strings.Join(instead, ", ")
	return p, true
}
