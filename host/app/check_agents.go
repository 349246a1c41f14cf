package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/runner"
)

// CheckedSchedule is when an agent runs next.
type CheckedSchedule struct {
	Agent    string
	Schedule string
	Timezone string
	Next     []time.Time
}

// CheckedHarness is a program that runs of some agents execute.
type CheckedHarness struct {
	Name    string // of a preset; empty for a command of the project's own
	Command []string
	Path    string
	Version string // what it says of itself, where that can be asked without starting it
	OK      bool
}

// nextTicks is how many are shown: enough to see a rhythm.
const nextTicks = 3

func (c *checker) checkAgents(ctx context.Context) {
	for _, agent := range c.p.Agents {
		if agent.Scale == 0 {
			continue // a disabled agent may be unfinished
		}
		c.checkLabels(agent)
		c.checkCredentials(agent)
		c.checkSkill(agent)
		if agent.Schedule != "" {
			c.checkSchedule(agent)
		}
	}
	c.checkHarnesses(ctx)
}

func (c *checker) checkSchedule(agent config.Agent) {
	schedule, err := parseSchedule(agent.Schedule, agent.Timezone)
	if err != nil {
		return // loading said so
	}
	out := CheckedSchedule{Agent: agent.Name, Schedule: agent.Schedule, Timezone: agent.Timezone}
	for at := time.Now(); len(out.Next) < nextTicks; {
		if at = schedule.Next(at); at.IsZero() {
			break
		}
		out.Next = append(out.Next, at)
	}
	if len(out.Next) == 0 {
		c.found(AboutConfig, config.Warnf(agent.SchedulePos, "schedule %q never comes", agent.Schedule).
			WithFix("write one that does, or remove the line"))
	}
	c.Schedules = append(c.Schedules, out)
}

// checkCredentials looks at what an agent's runs are given.
func (c *checker) checkCredentials(agent config.Agent) {
	for _, ref := range agent.Credentials {
		fields, err := c.credentials.ReadAll(ref.Type, ref.Instance)
		if err != nil {
			c.found(AboutCredentials, config.Errorf(ref.Pos, "%v", err))
			continue
		}
		for _, p := range c.credentials.Check(ref.Type, ref.Instance) {
			c.loose(p)
		}
		tool, known := config.ToolOf(ref.Type)
		if !known {
			continue
		}
		for _, f := range tool.Fields {
			for _, name := range append([]string{f.Name}, f.Aliases...) {
				value, stored := fields[name]
				if !stored {
					continue
				}
				if err := config.CheckField(f.Field, value); err != nil {
					c.found(AboutCredentials, config.Warnf(ref.Pos, "credential %s: %s %v", ref, name, err).
						WithFix("store it again with al creds add %s --force", ref))
				}
			}
		}
	}
	g, err := grant(c.credentials, agent.Credentials, "")
	if err != nil {
		return // said above
	}
	for _, clash := range g.clashes {
		c.found(AboutCredentials, config.Warnf(posOf(agent.Credentials, clash.ref), "credentials: %s and %s are both for the variable %s; the first has it",
			clash.takenBy, clash.ref, clash.variable).WithFix("list the one that is meant first, or give the other to another agent"))
	}
}

func posOf(refs []config.CredentialRef, ref config.CredentialRef) config.Pos {
	for _, r := range refs {
		if r.Type == ref.Type && r.Instance == ref.Instance {
			return r.Pos
		}
	}
	return config.Pos{}
}

// inlineCommand is how the original Action Llama had a command's output put into
// the instructions.
var inlineCommand = regexp.MustCompile("!`[^`\n]+`")

func (c *checker) checkSkill(agent config.Agent) {
	if found := inlineCommand.FindString(agent.Skill); found != "" {
		c.found(AboutConfig, config.Notef(config.Pos{File: "agents/" + agent.Name + "/SKILL.md"}, "%s reaches the agent as it is written: no command in it is run", found).
			WithFix("run it as hooks.pre in the agent's config.toml and have the agent read what it wrote"))
	}
}

// checkHarnesses looks for each program that runs execute, and asks those that
// it knows for their version.
func (c *checker) checkHarnesses(ctx context.Context) {
	type use struct {
		harness CheckedHarness
		preset  runner.Harness
		at      config.Pos
	}
	var uses []*use
	for _, agent := range c.p.Agents {
		if agent.Scale == 0 || len(lacking(c.p, agent)) > 0 {
			continue
		}
		at := agent.Runner.Pos
		if at == (config.Pos{}) {
			at = agent.Pos
		}
		command, err := commandOf(agent.Runner)
		if err != nil {
			if p := config.Errorf(at, "[runner]: %v", err); !c.has(p) {
				c.found(AboutHarness, p)
			}
			continue
		}
		if agent.Runner.Harness == "" && len(agent.Runner.Command) == 0 {
			p := config.Notef(config.Pos{File: "config.toml", Line: 1, Column: 1}, "no harness is chosen: runs only print what they are told").
				WithFix(`choose one below [runner], for example harness = "claude"; harness = "print" says that this is meant`)
			if !c.has(p) {
				c.found(AboutHarness, p)
			}
		}
		u := &use{harness: CheckedHarness{Command: command}, at: at}
		if len(agent.Runner.Command) == 0 {
			name := agent.Runner.Harness
			if name == "" {
				name = defaultHarness
			}
			u.preset, _ = runner.FindHarness(name)
			u.harness.Name = name
		}
		if !slices.ContainsFunc(uses, func(o *use) bool { return slices.Equal(o.harness.Command, command) && o.at == at }) {
			uses = append(uses, u)
		}
	}
	problems := make([]*config.Problem, len(uses))
	var asking sync.WaitGroup
	for i, u := range uses {
		asking.Go(func() { problems[i] = checkHarness(ctx, c.p.Dir, &u.harness, u.preset, u.at) })
	}
	asking.Wait()
	for i, u := range uses {
		if problems[i] != nil && !c.has(*problems[i]) {
			c.found(AboutHarness, *problems[i])
		}
		same := func(o CheckedHarness) bool { return slices.Equal(o.Command, u.harness.Command) }
		if !slices.ContainsFunc(c.Harnesses, same) {
			c.Harnesses = append(c.Harnesses, u.harness)
		}
	}
}

func checkHarness(ctx context.Context, dir string, h *CheckedHarness, preset runner.Harness, at config.Pos) *config.Problem {
	path, err := findCommand(dir, h.Command[0])
	if err != nil {
		p := config.Errorf(at, "[runner]: the harness can not be run: %v", err).
			WithFix("install it where this user's PATH finds it, or set [runner] command or harness in this agent's or the project's config.toml")
		return &p
	}
	h.Path, h.OK = path, true
	if len(preset.Version) == 0 {
		return nil // a program that we do not know may do anything when it is called
	}
	h.Version, err = versionOf(ctx, preset.Version)
	if err != nil {
		h.OK = false
		p := config.Errorf(at, "[runner]: the harness %s does not answer: %v", preset.Name, err).
			WithFix("try %s as the user that al runs as", strings.Join(preset.Version, " "))
		return &p
	}
	return nil
}

// findCommand finds a harness as a run would.
func findCommand(dir, name string) (string, error) {
	if strings.HasPrefix(name, "{al}") {
		return os.Executable()
	}
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	return exec.LookPath(name)
}

// versionPatience is for programs that come with a runtime of their own, on a
// machine that has other things to do.
const versionPatience = 20 * time.Second

// versionOf returns the first line that a program says about itself.
func versionOf(ctx context.Context, command []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = runner.HostEnvironment()
	cmd.WaitDelay = time.Second // a child that keeps the pipe open is not waited for
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("%s says nothing for %s", strings.Join(command, " "), versionPatience)
	case err != nil && firstPlainLine(complaint.String()) != "":
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, firstPlainLine(complaint.String()))
	case err != nil:
		return "", fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return firstPlainLine(out.String()), nil
}

// firstPlainLine is the first line of a text without anything that a terminal
// would obey.
func firstPlainLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, line)
	if runes := []rune(line); len(runes) > 100 {
		line = string(runes[:100]) + "..."
	}
	return line
}
