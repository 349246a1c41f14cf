package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
)

func TestLabels(t *testing.T) {
	files := maps.Clone(project(small))
	files["config.toml"] = &fstest.MapFile{Data: []byte("[runner]\nlabels = [\"file\"]\n")}
	files["agents/dev/config.toml"] = &fstest.MapFile{Data: []byte("schedule = \"@daily\"\nrunsOn = [\"gpu\", \"vpn\"]\n")}
	p, problems := load(files, "/project", Options{})
	if err := problems.Err(); err != nil || !slices.Equal(p.Labels, []string{"file"}) || !slices.Equal(p.Agents[0].RunsOn, []string{"gpu", "vpn"}) {
		t.Errorf("labels %q, runsOn %q, %v", p.Labels, p.Agents[0].RunsOn, err)
	}
	// Hosts share the file; what tells them apart goes before it.
	t.Setenv("AL_RUNNER_LABELS", "gpu, vpn ")
	p, problems = load(files, "/project", Options{})
	if err := problems.Err(); err != nil || !slices.Equal(p.Labels, []string{"gpu", "vpn"}) {
		t.Errorf("labels of the environment: %q, %v", p.Labels, err)
	}
	t.Setenv("AL_RUNNER_LABELS", "a b")
	if _, problems = load(files, "/project", Options{}); problems.Err() == nil {
		t.Error("took a label that is none")
	}
}

// The file may be anywhere; the project's own folder is where a relative path
// starts.
func TestStoreURLFile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"p/agents/dev/config.toml": "schedule = \"@daily\"\n", "p/agents/dev/SKILL.md": "Do it.\n",
		"p/url": "postgres://in/project\n", "url": " postgres://beside/it ", "open": "postgres://for/all", "empty": "\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o600)
		if name == "open" {
			mode = 0o644
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for value, want := range map[string]struct {
		url      string
		problems int
	}{
		"url":                       {"postgres://in/project", 0},
		"../url":                    {"postgres://beside/it", 0},
		filepath.Join(dir, "url"):   {"postgres://beside/it", 0},
		filepath.Join(dir, "open"):  {"postgres://for/all", 1},
		filepath.Join(dir, "empty"): {"", 1},
		filepath.Join(dir, "none"):  {"", 1},
	} {
		t.Setenv("AL_STORE_URL_FILE", value)
		p, problems := Load(filepath.Join(dir, "p"), Options{})
		if got := p.Store.URL.Reveal(); got != want.url || len(problems) != want.problems {
			t.Errorf("%s: %q, %v", value, got, problems)
		}
	}
}
