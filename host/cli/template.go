package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// files are the files of a new project, by name.
func (p projectPlan) files() map[string]string {
	return map[string]string{
		"config.toml":              p.projectConfig(),
		"agents/hello/config.toml": p.agentConfig(),
		"agents/hello/SKILL.md":    skillText,
		".gitignore":               "# what the gateway makes: its queue, its runs, their output\n/.al/\n",
	}
}

func (p projectPlan) projectConfig() string {
	var b strings.Builder
	b.WriteString(`# Runs at once over all agents.
scale = 4

[runner]
# What a run executes, with the prompt on its standard input. "print" only
# prints what it was told; "claude", "codex" and "gemini" are coding agents, and
# command = ["..."] is anything else.
harness = "print"
`)
	if p.provider.Type != "" {
		fmt.Fprintf(&b, `
# Deliveries arrive at /webhooks/%[1]s and must be signed with this credential.
[webhooks.%[1]s]
type = %[2]q
credential = %[3]q
`, p.provider.Type, p.provider.Type, p.name)
	}
	return b.String()
}

func (p projectPlan) agentConfig() string {
	if p.provider.Type == "" {
		return `# When to run. A tick is skipped while the agent is busy.
schedule = "*/15 * * * *"
`
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# What starts the agent: all filters must hold. Repeat [[webhooks]] for more, or
# add a schedule.
[[webhooks]]
source = %q
`, p.provider.Type)
	for _, f := range p.provider.Filters { // in the provider's order
		if values := p.provider.Example[f.Name]; len(values) > 0 {
			quoted := make([]string, len(values))
			for i, v := range values {
				quoted[i] = strconv.Quote(v)
			}
			fmt.Fprintf(&b, "%s = [%s]\n", f.Name, strings.Join(quoted, ", "))
		}
	}
	return b.String()
}

const skillText = `# Hello

You are started when something happens. Say in one sentence what it was, and
what you would do about it.
`
