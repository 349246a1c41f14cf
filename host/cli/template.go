package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/sdk"
)

// projectPlan is a project that is about to be written.
type projectPlan struct {
	name        string // what its credentials are called
	agent       string
	schedule    string
	harness     runner.Harness
	providers   []sdk.Descriptor
	credentials []plannedCredential // one for each provider
}

// files are the files of a new project, by name.
func (p projectPlan) files() map[string]string {
	return map[string]string{
		"config.toml":                        p.projectConfig(),
		"agents/" + p.agent + "/config.toml": p.agentConfig(),
		"agents/" + p.agent + "/SKILL.md":    p.skill(),
		".gitignore":                         "# what the gateway makes: its queue, its runs, their output\n/.al/\n",
	}
}

func (p projectPlan) projectConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The project. al doctor checks every line of it; what has a # in front is the
# default, or an example.

# Runs at once over all agents.
scale = 4

# Waiting events per agent. When one more arrives, the oldest is dropped.
# workQueueSize = 100

[gateway]
# Only this machine reaches it, which is enough for a tunnel. "0.0.0.0" is every
# address.
# host = "127.0.0.1"
# port = 8080

[runner]
# What a run executes, with the prompt on its standard input: one of
#   %s
# or command = ["my-agent", "--flag"].
harness = %q
# %s
`, strings.Join(runner.Presets(), ", "), p.harness.Name, p.harness.Permissions)
	for _, provider := range p.providers {
		fmt.Fprintf(&b, `
# Deliveries of %[1]s arrive at /webhooks/%[2]s.
[webhooks.%[2]s]
type = %[3]q
`, provider.Name, provider.Type, provider.Type)
		if provider.Credential.Type != "" {
			fmt.Fprintf(&b, "# They are taken when this %s signed them.\ncredential = %q\n", provider.Credential.Type, p.name)
		}
		b.WriteString(settingsOf(provider))
	}
	return b.String()
}

func (p projectPlan) agentConfig() string {
	var b strings.Builder
	if p.schedule != "" {
		fmt.Fprintf(&b, "# When to run. A tick is skipped while the agent is busy.\nschedule = %q\n\n", p.schedule)
	} else {
		b.WriteString("# When to run beside what the events start: nine on weekdays, for example.\n# schedule = \"0 9 * * 1-5\"\n\n")
	}
	b.WriteString(`# Runs at once, and how long one may take.
# scale = 1
# timeout = "15m"

# The agent is paused when more than so many events in a row came of its own
# runs: docs/flow-control.md has what else saves money.
maxSelfTriggers = 5

# What its runs get to see: al creds types lists what there is.
# credentials = ["my_token"]
`)
	for _, provider := range p.providers {
		fmt.Fprintf(&b, `
# What starts the agent: all filters must hold. Repeat [[webhooks]] for more.
[[webhooks]]
source = %q
`, provider.Type)
		for _, f := range provider.Filters { // in the provider's order
			if values := provider.Example[f.Name]; len(values) > 0 {
				fmt.Fprintf(&b, "%s = %s\n", f.Name, filterValue(f, values))
			}
		}
	}
	return b.String()
}

func filterValue(f sdk.Filter, values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	if f.Kind == sdk.String {
		return quoted[0]
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (p projectPlan) skill() string {
	if len(p.providers) == 0 {
		return "You are started by a schedule. Say in one sentence what time it is, and what you\nwould do about it.\n"
	}
	return `You are started when something happens; the webhook-trigger block below says what.
Say in one sentence what it was, and what you would do about it.
`
}

// explain says what there is now, and what is left to do.
func (p projectPlan) explain(s Streams, dir string) {
	fmt.Fprintf(s.Out, "%s %s\n\n", s.paint(green, "made"), dir)
	next := 1
	step := func(format string, args ...any) {
		fmt.Fprintf(s.Out, "%d. %s\n", next, fmt.Sprintf(format, args...))
		next++
	}
	for i, c := range p.credentials {
		if c.state == credentialMissing {
			step("Store what %s signs with:\n   %s", p.providers[i].Name, s.paint(bold, "al creds add "+c.ref.String()))
		}
	}
	if !installedHarness(p.harness) {
		step("Install %s, and log in with it; it is not on this machine.", p.harness.Command[0])
	}
	step("%s", s.paint(bold, "al start -p "+dir))
	for i, provider := range p.providers {
		if name := trial(provider); name != "" && p.credentials[i].state != credentialMissing {
			step("Try it, as %s would, in another terminal:\n   %s", provider.Name,
				s.paint(bold, fmt.Sprintf("al webhook send %s %s -p %s", provider.Type, name, dir)))
		}
	}
	for i, provider := range p.providers {
		if provider.Setup != "" {
			setup := strings.ReplaceAll(strings.TrimSpace(provider.Setup), "{url}", "https://<your host>/webhooks/"+provider.Type)
			step("At %s:\n   %s", provider.Name, strings.ReplaceAll(setup, "\n", "\n   "))
		}
		if c := p.credentials[i]; c.state == credentialMade {
			fmt.Fprintf(s.Out, "   The secret for it was made for you; it is in\n   %s\n", c.dir)
		}
	}
	todo := "Tell the agent what to do in agents/" + p.agent + "/SKILL.md"
	if p.harness.Name == standardHarness {
		todo += ", and choose a coding\n   agent as [runner] harness in config.toml"
	}
	step("%s.", todo)
}

// trial is the provider's sample that is most like its example of a trigger, so
// that it starts the agent: the one whose name has most of the example's values.
func trial(d sdk.Descriptor) string {
	best, most := "", -1
	for _, sample := range d.Samples {
		has := 0
		for _, values := range d.Example {
			if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(sample.Name, v) }) {
				has++
			}
		}
		if has > most {
			best, most = sample.Name, has
		}
	}
	return best
}
