package app_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
)

// What the pages about providers show can be copied into a project and loads.
// That the filters in it exist is what each provider's own test looks at.
func TestExamplesOfDocsLoad(t *testing.T) {
	t.Parallel()
	const folder = "../../docs/providers"
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("there is no folder %s: this module is here without its repository", folder)
	}
	pages, err := filepath.Glob(folder + "/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			blocks := tomlBlock.FindAllStringSubmatch(string(raw), -1)
			if len(blocks) == 0 {
				t.Error("the page shows no example")
			}
			project := ""
			for _, block := range blocks {
				project = loadExample(t, block[1], project)
			}
		})
	}
}

var (
	tomlBlock  = regexp.MustCompile("(?s)\n```toml\n(.*?)\n```")
	fileName   = regexp.MustCompile(`(?m)^# (\S+\.toml)$`)
	agentsFile = regexp.MustCompile(`^agents/[^/]+/config\.toml$`)
)

// loadExample loads one block of a page, in which lines such as "# config.toml"
// begin a file. A block that has only agents goes with the project's file of the
// block before, which is returned.
func loadExample(t *testing.T, block, project string) string {
	t.Helper()
	names := fileName.FindAllStringSubmatchIndex(block, -1)
	if len(names) == 0 || names[0][0] != 0 {
		t.Errorf("an example does not begin with the name of its file, as # config.toml:\n%s", block)
		return project
	}
	dir := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	agents := false
	for i, at := range names {
		end := len(block)
		if i+1 < len(names) {
			end = names[i+1][0]
		}
		name, text := block[at[2]:at[3]], block[at[0]:end]
		switch {
		case name == "config.toml":
			project = text
		case agentsFile.MatchString(name):
			agents = true
			write(name, text)
			write(filepath.Join(filepath.Dir(name), "SKILL.md"), "Say what happened.\n")
		default:
			t.Errorf("a project has no file %s:\n%s", name, block)
		}
	}
	if !agents { // the block is about config.toml; a project has one at least
		write("agents/idle/config.toml", "scale = 0\n")
		write("agents/idle/SKILL.md", "Do nothing.\n")
	}
	write("config.toml", project)
	_, problems := config.Load(dir, config.Options{CheckSchedule: app.CheckSchedule})
	for _, p := range problems {
		// Also a warning: a reader who copies this should not get one.
		t.Errorf("%v\n%s", p, block)
	}
	return project
}
