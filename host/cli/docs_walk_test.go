package cli_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestGettingStarted walks docs/getting-started.md as it is written, as far as
// that works without a network: every command of a block that is marked with
// "<!-- try -->" is run, what it is said to print has to be in its output, and
// the files that the page shows are written. GitHub and the coding agent are
// played by this test.
func TestGettingStarted(t *testing.T) {
	withoutRace(t)
	t.Parallel()
	page, err := os.ReadFile("../../docs/getting-started.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this module is here without its repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{}
	w.line(`symlink $HOME/.action-llama/plugins/al-provider-github -> $GITHUB`)
	w.line(`chmod 755 bin/claude`)
	w.line(`env PATH=$WORK/bin${:}$PATH`)
	blocks := tried.FindAllStringSubmatch(string(page), -1)
	for _, b := range blocks {
		if err := w.block(strings.Fields(b[1]), b[2], b[3]); err != nil {
			t.Fatal(err)
		}
	}
	if shown := strings.Count(string(page), "\n```"); shown != 2*len(blocks) {
		t.Errorf("%d blocks, of which %d say whether they are tried", shown/2, len(blocks))
	}
	w.line(`wait gateway`)
	w.file("bin/claude", "#!/bin/sh\ntest \"$1\" = --version && echo 1.0.0 && exit\ntest -n \"$GH_TOKEN\" && grep -q 'gh issue comment' && echo 'commented'\n")
	w.file("token.txt", "ghp_0123456789\n")
	w.file("ping.json", `{"event":"ping"}`+"\n")
	w.file("issues.json", `{"event":"issues","action":"labeled","repo":"me/mine","label":"agent","number":42}`+"\n")

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "getting-started.txtar"), []byte(w.script.String()+w.files.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"until": until, "deliver": deliver, "edit": edit, "says": says},
		Setup:               setup,
	})
}

// tried is a block of the page with the mark before it: what to do, the block's
// language and its text.
var tried = regexp.MustCompile("(?s)<!-- try(.*?) -->\n```([a-z]+)\n(.*?)```")

// walk is the script that a page becomes.
type walk struct{ script, files strings.Builder }

func (w *walk) line(format string, args ...any) { fmt.Fprintf(&w.script, format+"\n", args...) }

func (w *walk) file(name, text string) { fmt.Fprintf(&w.files, "-- %s --\n%s", name, text) }

func (w *walk) block(mark []string, language, text string) error {
	what := strings.TrimPrefix(strings.Join(mark, " "), ": ")
	word, rest, _ := strings.Cut(strings.TrimPrefix(what, ":"), " ")
	switch strings.TrimSpace(word) {
	case "skip":
		return nil
	case "file":
		w.file("shown/"+rest, text)
		w.line("exec mkdir -p %s", filepath.Dir(rest))
		w.line("cp $WORK/shown/%s %s", rest, rest)
		return nil
	case "edit":
		w.file("shown/"+rest, text)
		w.line("edit %s $WORK/shown/%s", rest, rest)
		return nil
	case "deliver":
		w.line("deliver . github github_webhook_secret/my-agents $WORK/%s.json", rest)
		if rest == "issues" {
			w.line(`until '"done": 3' al stats --json`)
		} else {
			w.line(`until github/github al webhook ls`)
		}
	case "wait": // for the run that the first command starts
		first, others, _ := strings.Cut(text, "$ al logs ")
		if err := w.commands(first, false, ""); err != nil {
			return err
		}
		w.line(`until '"done": %s' al stats --json`, rest)
		text = "$ al logs " + others
	case "input":
		w.line("stdin $WORK/%s.txt", rest)
	case "background", "":
	default:
		return fmt.Errorf("<!-- try: %s -->: not understood", what)
	}
	if language != "console" {
		return fmt.Errorf("<!-- try: %s -->: a block of %s has no commands", what, language)
	}
	return w.commands(text, word == "background", rest)
}

// commands runs the commands of a console, and looks for what follows each in
// its output. "..." stands for anything.
func (w *walk) commands(text string, background bool, name string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		command, is := strings.CutPrefix(line, "$ ")
		switch {
		case !is:
			pattern := strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, ".*")
			w.line("says '%s'", strings.ReplaceAll(pattern, " ", ` +`))
		case strings.Contains(command, "'"):
			return fmt.Errorf("%s: a quote that a script can not have", command)
		case strings.HasPrefix(command, "cd "):
			w.line("%s", command)
		case background:
			w.line("exec %s &%s&", command, name)
			w.line(`until '"running": true' al stat --json`)
		default:
			w.line("exec sh -c '%s'", command)
		}
	}
	return nil
}

// says looks for a pattern in what the last command printed, wherever it did.
func says(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: says PATTERN")
	}
	text := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	if !regexp.MustCompile("(?m)^" + args[0]).MatchString(text) {
		ts.Fatalf("it does not say %q, but:\n%s", args[0], text)
	}
}

// edit puts the last line of a shown piece of a file where the file has another
// value for its key.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: edit FILE PIECE")
	}
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[1])), "\n")
	wanted := lines[len(lines)-1]
	key, _, _ := strings.Cut(wanted, " =")
	old := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(key) + ` = .*$`)
	text := ts.ReadFile(args[0])
	if !old.MatchString(text) {
		ts.Fatalf("%s has no line with %s", args[0], key)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(old.ReplaceAllLiteralString(text, wanted)), 0o600))
}
