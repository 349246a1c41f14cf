package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocsTools: the table of variables in the documentation is the one that
// counts.
func TestDocsTools(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "| Credential | Variables |\n| --- | --- |\n")
	got, _, _ := strings.Cut(rest, "| any other type with one field |")
	var want strings.Builder
	for _, tool := range Tools() {
		var names []string
		for _, f := range tool.Fields {
			names = append(names, f.AllVariables()...)
		}
		fmt.Fprintf(&want, "| `%s` | `%s` |\n", tool.Type, strings.Join(names, "` `"))
	}
	if got != want.String() {
		t.Errorf("got:\n%s\nwant:\n%s", got, want.String())
	}
}
