package runner

import "slices"

// Harness is what harness = "<name>" stands for: how a coding agent runs once,
// without a terminal, with the prompt on its standard input, and ends. It leaves
// what the agent may do to the program's own configuration. Most start out
// careful, so that an agent which shall change files or call tools is given that
// there, or by a command of the project's own.
type Harness struct {
	Name    string
	Command []string
	// Version is a command that starts nothing and costs nothing, for finding
	// out whether the program answers.
	Version []string
	// Permissions says what the agent may do as it is, and how to give it more.
	Permissions string
}

// Harnesses lists the presets by name.
func Harnesses() []Harness {
	return []Harness{
		{
			// Reads a message only from an argument or a file. Its questions have no
			// reader here, hence the standing yes.
			Name: "aider", Command: []string{"aider", "--yes-always", "--message-file", "{prompt}"},
			Version:     []string{"aider", "--version"},
			Permissions: "It changes files and commits them by itself.",
		},
		{
			// With -x and no argument, what is piped in is the prompt.
			Name: "amp", Command: []string{"amp", "-x"},
			Version:     []string{"amp", "--version"},
			Permissions: `It asks before commands that its settings do not allow, and nobody is there to answer: amp.permissions in its settings.`,
		},
		{
			// -p answers and exits; without an argument the prompt is standard input,
			// of at most 10 MB. Tools that nobody allowed are refused, not asked for.
			Name: "claude", Command: []string{"claude", "-p"},
			Version:     []string{"claude", "--version"},
			Permissions: `It only reads until .claude/settings.json here allows more, or command = ["claude", "-p", "--permission-mode", "acceptEdits"].`,
		},
		{
			// exec runs one task, "-" takes it from standard input. Outside of a Git
			// repository it refuses to start unless told that this is meant; a project
			// of ours need not be one. Its sandbox is read-only until configured.
			Name: "codex", Command: []string{"codex", "exec", "--skip-git-repo-check", "-"},
			Version:     []string{"codex", "--version"},
			Permissions: `It only reads, unless command = ["codex", "exec", "--skip-git-repo-check", "--sandbox", "workspace-write", "-"].`,
		},
		{
			// run takes the prompt from its arguments or, without any, from standard
			// input. -q leaves out a spinner that nobody sees.
			Name: "crush", Command: []string{"crush", "run", "-q"},
			Version:     []string{"crush", "--version"},
			Permissions: "It does everything without asking.",
		},
		{
			// Without a terminal it takes standard input for the prompt, answers and
			// exits. Its -p wants the prompt as an argument, where others can see it.
			Name: "gemini", Command: []string{"gemini"},
			Version:     []string{"gemini", "--version"},
			Permissions: `It only reads, unless command = ["gemini", "--approval-mode", "auto_edit"]; this folder has to be one that it trusts.`,
		},
		{
			// "-i -" takes the instructions from standard input; no session is kept,
			// since no run goes on with another's.
			Name: "goose", Command: []string{"goose", "run", "--no-session", "-i", "-"},
			Version:     []string{"goose", "--version"},
			Permissions: "What it may do is its mode: goose configure.",
		},
		{
			// run reads standard input to its end and takes it for the message. A "-"
			// would be part of the message.
			Name: "opencode", Command: []string{"opencode", "run"},
			Version:     []string{"opencode", "--version"},
			Permissions: `It changes files; what its opencode.json wants to be asked for is refused: "permission" there.`,
		},
		{
			// Ours: needs no account and says what a harness is told. See Print.
			Name: "print", Command: []string{"{al}", "harness-print"},
			Permissions: "It does nothing but print.",
		},
	}
}

// FindHarness returns a preset by its name.
func FindHarness(name string) (Harness, bool) {
	all := Harnesses()
	i := slices.IndexFunc(all, func(h Harness) bool { return h.Name == name })
	if i < 0 {
		return Harness{}, false
	}
	return all[i], true
}

// Preset returns the command behind the name of a harness.
func Preset(name string) ([]string, bool) {
	h, ok := FindHarness(name)
	return h.Command, ok
}

// Presets lists the names that Preset knows.
func Presets() []string {
	var names []string
	for _, h := range Harnesses() {
		names = append(names, h.Name)
	}
	return names
}
