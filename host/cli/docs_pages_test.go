package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	inline  = regexp.MustCompile("`(?:bin/)?(al [^`\n]+)`")
	console = regexp.MustCompile(`(?m)^\$ (?:bin/)?(al .+)$`)
	reason  = regexp.MustCompile(`(?m)\b(?:refuse|unavailable|refuseMethod)\((?:http\.\w+, )?"([a-z_]+)"|reason :?= "([a-z_]+)"`)
	outcome = regexp.MustCompile(`(?m)^\t\w+ +(?:job\.)?Outcome *= "([a-z_]+)"`)
)

// TestDocsNameCommands: every command and flag that the documentation names is
// one that there is.
func TestDocsNameCommands(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	more, err2 := filepath.Glob("../../docs/providers/*.md")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if len(pages) == 0 {
		t.Skip("this module is here without its repository")
	}
	pages = append(append(pages, more...), "../../README.md")
	named := 0
	for _, page := range pages {
		text := read(t, page)
		for _, found := range slices.Concat(inline.FindAllStringSubmatch(text, -1), console.FindAllStringSubmatch(text, -1)) {
			named++
			if wrong := checkCall(found[1]); wrong != "" {
				t.Errorf("%s: %s: %s", filepath.Base(page), found[1], wrong)
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d commands were found", named)
	}
}

// checkCall says what is wrong with the words of a call, values aside.
func checkCall(call string) string {
	call, _, _ = strings.Cut(call, " #")
	call, _, _ = strings.Cut(call, " < ")
	words := strings.Fields(call)[1:]
	var plain []string
	for _, w := range words {
		if strings.HasPrefix(w, "-") || strings.Contains(w, "|") || w == strings.ToUpper(w) {
			break // a flag, a choice, or a placeholder such as AGENT
		}
		plain = append(plain, w)
	}
	if len(plain) == 0 {
		return ""
	}
	cmd, _, err := rootForDocs().Find(plain)
	if err != nil {
		return err.Error()
	}
	if !cmd.HasParent() {
		return "no such command"
	}
	cmd.InitDefaultHelpFlag()
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		switch {
		case strings.HasPrefix(name, "--"):
			if cmd.Flags().Lookup(name[2:]) == nil {
				return "has no flag " + name
			}
		case strings.HasPrefix(name, "-") && len(name) == 2:
			if cmd.Flags().ShorthandLookup(name[1:]) == nil {
				return "has no flag " + name
			}
		}
	}
	return ""
}

// TestDocsExplainAnswers: whatever the gateway answers a vendor, and whatever
// became of a delivery, somebody looks it up in the pages about trouble.
func TestDocsExplainAnswers(t *testing.T) {
	t.Parallel()
	page := read(t, "../../docs/troubleshooting.md") + read(t, "../../docs/debugging-webhooks.md")
	for pattern, files := range map[*regexp.Regexp]string{reason: "../ingest/*.go", outcome: "../job/*.go"} {
		names, err := filepath.Glob(files)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, m := range pattern.FindAllStringSubmatch(read(t, name), -1) {
				found++
				if word := strings.Join(m[1:], ""); !strings.Contains(page, "`"+word+"`") {
					t.Errorf("%s: %q is not explained", name, word)
				}
			}
		}
		if found < 5 {
			t.Errorf("%s: only %d words were found", files, found)
		}
	}
}

// TestDocsLinks: links between the pages lead somewhere.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)
	for _, page := range []string{"../../docs/troubleshooting.md", "../../docs/getting-started.md", "../../docs/debugging-webhooks.md"} {
		text := read(t, page)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor := page, strings.TrimPrefix(m[2], "#")
			if strings.HasPrefix(m[1], "http") {
				continue
			}
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: %s has no heading for #%s", filepath.Base(page), target, anchor)
			} else if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", filepath.Base(page), err)
			}
		}
	}
}

// anchors are what GitHub makes of the headings of a page.
func anchors(page string) []string {
	var out []string
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		text := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		text = strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
				return r
			default:
				return -1
			}
		}, text)
		out = append(out, text)
	}
	return out
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s: this module is here without its repository", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
