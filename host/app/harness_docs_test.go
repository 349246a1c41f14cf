package app_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/runner"
)

// TestDocsHarnesses: the documentation has the harnesses that there are, with the
// commands that are run.
func TestDocsHarnesses(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/configuration.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this module is here without its repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "| Harness | Command | What it may do |\n| --- | --- | --- |\n")
	got, _, _ := strings.Cut(rest, "\n\n")
	var want strings.Builder
	for _, h := range runner.Harnesses() {
		fmt.Fprintf(&want, "| `%s` | `%s` | %s |\n", h.Name, strings.Join(h.Command, " "), h.Permissions)
	}
	if got += "\n"; got != want.String() {
		t.Errorf("got:\n%s\nwant:\n%s", got, want.String())
	}
}
