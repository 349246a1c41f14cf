package providerdocs

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// T is what the checks need of a *testing.T.
type T interface {
	// Helper marks the caller as one whose lines are not of interest.
	Helper()
	// Errorf reports what is wrong with a page.
	Errorf(format string, args ...any)
	// Skipf ends a test that has nothing to look at.
	Skipf(format string, args ...any)
}

// Check compares the generated region of a page with the descriptor, and then
// the page's examples with its filters, as [CheckExamples] does. With UPDATE=1
// in the environment, or a boolean flag "update" of the test that is set, it
// writes the region instead of comparing it.
//
// It skips the test when the page's folder does not exist: a module may be
// fetched without the repository around it.
func Check(t T, d sdk.Descriptor, file string) {
	t.Helper()
	doc, ok := read(t, file)
	if !ok {
		return
	}
	want, err := Insert(doc, Render(d))
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	switch {
	case want == doc:
	case updating():
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // documentation is for everybody to read
			t.Errorf("%v", err)
		}
	default:
		n, have, should := difference(doc, want)
		t.Errorf("%s:%d: not what the provider's descriptor says; UPDATE=1 go test -count=1 rewrites it\nhave: %s\nwant: %s", file, n, have, should)
	}
	checkExamples(t, d, file, want)
}

// CheckRow looks for the line of [Row] in an overview of several providers. It
// never writes: their tests run at the same time. It skips as [Check] does.
func CheckRow(t T, d sdk.Descriptor, file string) {
	t.Helper()
	doc, ok := read(t, file)
	if !ok {
		return
	}
	want := Row(d)
	for line := range strings.Lines(doc) {
		if strings.TrimRight(line, "\r\n") == want {
			return
		}
	}
	t.Errorf("%s: the line about %s is missing or out of date; it should be:\n%s", file, d.Type, want)
}

// read returns a page, or false after it skipped or failed the test.
func read(t T, file string) (string, bool) {
	t.Helper()
	dir := filepath.Dir(file)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("there is no folder %s: this module is here without the repository that holds its documentation", dir)
		return "", false
	}
	raw, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Errorf("%s is missing; write it, with these two lines where the generated part goes:\n%s\n%s", file, begin, end)
	case err != nil:
		t.Errorf("%v", err)
	}
	return string(raw), err == nil
}

func updating() bool {
	if os.Getenv("UPDATE") == "1" {
		return true
	}
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// difference returns the first line in which two texts differ.
func difference(have, want string) (line int, a, b string) {
	as, bs := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range max(len(as), len(bs)) {
		a, b = at(as, i), at(bs, i)
		if a != b {
			return i + 1, a, b
		}
	}
	return 0, "", ""
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(the end)"
}
