package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/deliveries"
)

// every calls f for each command that people see.
func every(cmd *cobra.Command, f func(*cobra.Command)) {
	if !cmd.IsAvailableCommand() && cmd.HasParent() {
		return
	}
	f(cmd)
	if cmd.Name() == "completion" {
		return // one for each shell, all alike
	}
	for _, c := range cmd.Commands() {
		every(c, f)
	}
}

func rootForDocs() *cobra.Command {
	root := newRoot(Streams{In: strings.NewReader(""), Out: nowhere{}, Err: nowhere{}, Getenv: func(string) string { return "" }})
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	return root
}

// shapes are the JSON of the commands that print some.
var shapes = map[string]any{
	"al creds ls":        credsReport{},
	"al creds types":     credsTypesReport{},
	"al doctor":          doctorReport{},
	"al kill":            api.Killed{},
	"al logs":            logLine{},
	"al pause":           api.Paused{},
	"al plan":            deliveries.Plan{},
	"al plugin test":     pluginTestReport{},
	"al plugin add":      pluginReport{},
	"al plugin ls":       pluginList{},
	"al plugin rollback": pluginReport{},
	"al plugin upgrade":  pluginReport{},
	"al plugin verify":   pluginVerifyReport{},
	"al reload":          api.Reloaded{},
	"al resume":          api.Paused{},
	"al run":             api.JobStatus{},
	"al stat":            api.Status{},
	"al stats":           api.Stats{},
	"al stop":            stopReport{},
	"al store copy":      copiedReport{},
	"al store migrate":   migrated{},
	"al version":         versionReport{},
	"al webhook explain": deliveries.Explanation{},
	"al webhook ls":      api.Receipts{},
	"al webhook replay":  api.ReplayResults{},
	"al webhook send":    sent{},
	"al webhook show":    deliveries.Detail{},
}

// The reference is what the commands say of themselves.
func TestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	const file = "../../docs/cli.md"
	if _, err := os.Stat(filepath.Dir(file)); errors.Is(err, fs.ErrNotExist) {
		t.Skip("this module is here without the repository that holds its documentation")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var commands, printed strings.Builder
	every(rootForDocs(), func(cmd *cobra.Command) {
		commands.WriteString(reference(t, cmd))
		value, known := shapes[cmd.CommandPath()]
		switch prints := cmd.Flags().Lookup("json") != nil; {
		case prints && known:
			fmt.Fprintf(&printed, "### %s\n\n```ts\n%s\n```\n\n", cmd.CommandPath(), shape(reflect.TypeOf(value), ""))
		case prints != known:
			t.Errorf("%s: it has --json: %v; this test knows its JSON: %v", cmd.CommandPath(), prints, known)
		}
	})
	want := insert(t, insert(t, string(raw), "commands", commands.String()), "json", printed.String())
	if want == string(raw) {
		return
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the commands say of themselves (+); UPDATE=1 go test ./cli rewrites it:\n%s", file, cmp.Diff(string(raw), want))
}

// insert replaces a generated region of a page.
func insert(t *testing.T, page, region, text string) string {
	t.Helper()
	begin, end := "<!-- begin generated "+region+" -->\n", "<!-- end generated "+region+" -->\n"
	before, rest, opened := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatalf("the page has no region between %q and %q", begin, end)
	}
	return before + begin + "\n" + text + end + after
}

// shape writes the JSON of a type as TypeScript would; "?" is what may be
// missing.
func shape(typ reflect.Type, indent string) string {
	switch typ {
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[json.RawMessage]():
		return "object"
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return shape(typ.Elem(), indent)
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return shape(typ.Elem(), indent) + "[]"
	case reflect.Map:
		return "{ [name: string]: " + shape(typ.Elem(), indent) + " }"
	case reflect.Struct:
		var b strings.Builder
		b.WriteString("{\n")
		for _, f := range reflect.VisibleFields(typ) {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous || name == "-" {
				continue
			}
			if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
				name += "?"
			}
			fmt.Fprintf(&b, "%s  %s: %s\n", indent, name, shape(f.Type, indent+"  "))
		}
		return b.String() + indent + "}"
	default:
		return "number"
	}
}

// reference is the section about one command, as a part of a longer page.
func reference(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	var page bytes.Buffer
	if err := doc.GenMarkdown(cmd, &page); err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(page.String(), "### SEE ALSO\n")
	text = strings.ReplaceAll(text, "### Synopsis\n\n", "")
	var out strings.Builder
	code := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if !code {
			line = strings.NewReplacer("<", "&lt;", "*", `\*`).Replace(line)
		}
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n\n"
}

// Every command tells enough of itself, in one voice.
func TestHelpIsComplete(t *testing.T) {
	t.Parallel()
	every(rootForDocs(), func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			return // cobra's own
		}
		path := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: its short help is %q; one phrase, without a full stop", path, cmd.Short)
		}
		if !cmd.HasSubCommands() && !strings.Contains(cmd.Example, path) {
			t.Errorf("%s: its help has no example", path)
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			if len(strings.TrimRight(line, "\n")) > 100 {
				t.Errorf("%s: a line of its help is too long for a terminal: %s", path, line)
			}
		}
	})
}
