package runner

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestPrune(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if n, err := Prune(filepath.Join(dir, "missing"), time.Now()); n != 0 || err != nil {
		t.Errorf("no folder: got %d, %v", n, err)
	}
	now := time.Now()
	for name, files := range map[string]map[string]time.Duration{
		"old":         {"output.log": time.Hour},
		"new":         {"output.log": 0},
		"under-way":   {"output.log": time.Hour, recordName: time.Hour},
		".not a run":  {"output.log": time.Hour},
		"not a run's": {"output.log": time.Hour},
	} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		for file, age := range files {
			if err := os.WriteFile(filepath.Join(dir, name, file), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(filepath.Join(dir, name), now, now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := Prune(dir, now.Add(-time.Minute)); n != 1 || err != nil {
		t.Errorf("got %d, %v; want 1", n, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "old" {
			t.Error("the old run is still there")
		}
	}
	if len(entries) != 4 {
		t.Errorf("%d folders are left, want 4", len(entries))
	}
}
