package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What was read is known to have changed exactly when it has.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(name string) {
		t.Helper()
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("config.toml", "scale = 2\n")
	write("agents/dev/config.toml", `schedule = "@daily"`)
	write("agents/dev/SKILL.md", "Do it.")
	p, problems := Load(dir, Options{Overrides: map[string]string{"gateway.port": "99"}})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	if p.Files.Changed() {
		t.Error("changed before anything did")
	}

	// Work in the project's folder is none of its configuration.
	write("result.txt", "done")
	write(".al/al.db", "x")
	write("agents/dev/notes.md", "x")
	write("agents/.swp", "x")
	write("config.toml", "scale = 2\n") // the same again
	if p.Files.Changed() {
		t.Error("changed, and reading again would find the same")
	}

	for name, step := range map[string]struct{ do, undo func() }{
		"content":        {func() { write("config.toml", "scale = 3\n") }, func() { write("config.toml", "scale = 2\n") }},
		"instructions":   {func() { write("agents/dev/SKILL.md", "") }, func() { write("agents/dev/SKILL.md", "Do it.") }},
		"removed":        {func() { remove("config.toml") }, func() { write("config.toml", "scale = 2\n") }},
		"another agent":  {func() { write("agents/ops/SKILL.md", "Look.") }, func() { remove("agents/ops") }},
		"agent removed":  {func() { remove("agents/dev/SKILL.md") }, func() { write("agents/dev/SKILL.md", "Do it.") }},
		"no file at all": {func() { remove("config.toml"); write("config.toml/x", "") }, func() { remove("config.toml"); write("config.toml", "scale = 2\n") }},
	} {
		step.do()
		if !p.Files.Changed() {
			t.Errorf("%s: not noticed", name)
		}
		again, _ := p.Files.Load()
		if again.Files.Digest() == p.Files.Digest() {
			t.Errorf("%s: the digest is the same", name)
		}
		step.undo()
		if p.Files.Changed() {
			t.Errorf("%s: still changed after it was undone", name)
		}
	}

	again, _ := p.Files.Load()
	if again.Files.Digest() != p.Files.Digest() || len(p.Files.Digest()) != 12 {
		t.Errorf("digests of the same files: %s, %s", p.Files.Digest(), again.Files.Digest())
	}
	if again.Gateway.Port != 99 {
		t.Errorf("read again without the overrides: port %d", again.Gateway.Port)
	}
	files, folders := p.Files.Paths()
	for _, want := range []string{"config.toml", "agents/dev/config.toml", "agents/dev/SKILL.md"} {
		if !slices.Contains(files, filepath.Join(dir, want)) {
			t.Errorf("%s is not to be watched: %s", want, strings.Join(files, " "))
		}
	}
	if want := []string{filepath.Join(dir, "agents")}; !slices.Equal(folders, want) {
		t.Errorf("folders to be watched are %v; want %v", folders, want)
	}
}
