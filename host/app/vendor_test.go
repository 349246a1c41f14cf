package app_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The host knows no vendor: a provider that is dropped in tomorrow is as much
// at home as those that come with it.
func TestHostNamesNoVendor(t *testing.T) {
	t.Parallel()
	vendor := regexp.MustCompile(`(?i)\b(github|sentry|linear|mintlify|slack|discord|twitter)(_|\b)`)
	ours := strings.NewReplacer("github.com/", "", ".github/workflows/", "", "linear in", "", "time is linear", "")
	read := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read++
		for i, line := range strings.Split(string(raw), "\n") {
			if found := vendor.FindString(ours.Replace(line)); found != "" {
				t.Errorf("%s:%d names a vendor (%s): %s", path, i+1, found, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil || read < 20 {
		t.Fatalf("%d files read: %v", read, err)
	}
}
