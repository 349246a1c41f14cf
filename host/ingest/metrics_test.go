package ingest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each word that refuses a delivery has its series from the start, and there is
// no series for anything else.
func TestReasonsAreThoseOfTheAnswers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`\b(?:refuse\(http\.\w+, |unavailable\(|reason :?= )"(\w+)"`)
	found := []string{unknownType}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range said.FindAllStringSubmatch(string(raw), -1) {
			found = append(found, m[1])
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if want := slices.Sorted(slices.Values(reasons)); !slices.Equal(found, want) {
		t.Errorf("deliveries are refused as %v; there are series for %v", found, want)
	}
}

func TestUnusualCodesAreCountedByTheirClass(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{200: "200", 204: "204", 299: "2xx", 418: "4xx", 599: "5xx"} {
		if got := codeLabel(code); got != want {
			t.Errorf("%d is counted as %s; want %s", code, got, want)
		}
	}
}
