package runner

import "slices"

// presets are the commands behind harness = "<name>": how each program runs
// once, without a terminal, and ends. They leave what the agent may do to the
// program's own configuration; most start out careful, so that an agent which
// shall change files or call tools is given that there, or by a command of the
// project's own.
var presets = map[string][]string{
	// -p answers and exits; without an argument the prompt is standard input,
	// of at most 10 MB. Tools that nobody allowed are refused, not asked for.
	"claude": {"claude", "-p"},
	// exec runs one task, "-" takes it from standard input. Outside of a Git
	// repository it refuses to start unless told that this is meant; a project
	// of ours need not be one. Its sandbox is read-only until configured.
	"codex": {"codex", "exec", "--skip-git-repo-check", "-"},
	// Without a terminal it takes standard input for the prompt, answers and
	// exits. Its -p wants the prompt as an argument, where others can see it.
	"gemini": {"gemini"},
	// run reads standard input to its end and takes it for the message. A "-"
	// would be part of the message.
	"opencode": {"opencode", "run"},
	// Reads a message only from an argument or a file. Its questions have no
	// reader here, hence the standing yes.
	"aider": {"aider", "--yes-always", "--message-file", "{prompt}"},
	// Ours: needs no account and says what a harness is told. See Print.
	"print": {"{al}", "harness-print"},
}

// Preset returns the command behind the name of a harness.
func Preset(name string) ([]string, bool) {
	command, ok := presets[name]
	return slices.Clone(command), ok
}

// Presets lists the names that Preset knows.
func Presets() []string {
	names := make([]string, 0, len(presets))
	for name := range presets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
