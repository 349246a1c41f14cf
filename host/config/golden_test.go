package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/action-llama/gateway/sdk"
)

var update = flag.Bool("update", false, "rewrite what the golden cases expect")

// TestMain keeps the settings of whoever runs the tests out of them.
func TestMain(m *testing.M) {
	flag.Parse()
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, envPrefix) {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}

// fakeSchedule stands in for the cron parser: five words, none of them "bad".
func fakeSchedule(expr, _ string) error {
	fields := strings.Fields(expr)
	if strings.HasPrefix(expr, "@") {
		return nil
	}
	if len(fields) != 5 {
		return fmt.Errorf("want 5 fields (minute hour day month weekday), got %d", len(fields))
	}
	if fields[0] == "bad" {
		return errors.New(`"bad" is not a minute`)
	}
	return nil
}

func files(a *txtar.Archive) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, f := range a.Files {
		if f.Name != "problems" {
			fsys[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	return fsys
}

// project makes a file system of a txtar text.
func project(text string) fstest.MapFS { return files(txtar.Parse([]byte(text))) }

func render(problems Problems) string {
	var out strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&out, "%s: %s\n", p.Severity, p.Error())
	}
	return out.String()
}

// TestProblems compares what a person reads with what the cases say. Each case
// holds the files of a project and the problems that must come out, all of
// them, in this order.
func TestProblems(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/problems/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p, problems := load(files(archive), "/project", Options{CheckSchedule: fakeSchedule})
			for _, s := range p.Sources { // as a provider without settings has it
				_, found := s.ReadSettings(sdk.Descriptor{Type: s.Type})
				problems = append(problems, found...)
			}
			problems = problems.Sorted()
			got, want, found := render(problems), "", false
			for i, f := range archive.Files {
				if f.Name == "problems" {
					want, found = string(f.Data), true
					archive.Files[i].Data = []byte(got)
				}
			}
			if *update {
				if !found {
					archive.Files = append(archive.Files, txtar.File{Name: "problems", Data: []byte(got)})
				}
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problems (-want +got), -update accepts them:\n%s", diff)
			}
			checkPositions(t, files(archive), problems)
		})
	}
}

// checkPositions: a position that does not exist sends a person searching.
func checkPositions(t *testing.T, fsys fstest.MapFS, problems Problems) {
	t.Helper()
	for _, p := range problems {
		if p.Message == "" || p.Pos.File == "" || p.Pos.Line < 1 || p.Pos.Column < 1 {
			t.Errorf("not a position or no message: %+v", p)
			continue
		}
		f, ok := fsys[p.Pos.File]
		if !ok {
			if p.Pos.Line != 1 || p.Pos.Column != 1 {
				t.Errorf("%v: is not in a file", p)
			}
			continue
		}
		lines := strings.Split(string(f.Data), "\n")
		if p.Pos.Line > max(len(lines), 1) {
			t.Errorf("%v: the file has %d lines", p, len(lines))
			continue
		}
		if line := lines[p.Pos.Line-1]; p.Pos.Column > len([]rune(line))+1 {
			t.Errorf("%v: the line has %d characters", p, len([]rune(line)))
		}
	}
}
