package runner

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/job"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "context.json")
	context := `{"source":"main","number":7,"title":"a\u001b[2Jb\nc","labels":["x", "y"],"body":"` + strings.Repeat("é", 500) + `"}`
	if err := os.WriteFile(path, []byte(context), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"AL_AGENT": "dev", "AL_RUN_ID": "r1", "AL_TRIGGER": "webhook", "AL_ATTEMPT": "2", "AL_CONTEXT_FILE": path}
	var out bytes.Buffer
	prompt := "First.\n\x1b[31mred\n" + strings.Repeat("more\n", 20)
	if err := Print(strings.NewReader(prompt), &out, func(k string) string { return env[k] }); err != nil {
		t.Fatal(err)
	}
	want := `agent      dev
run        r1
trigger    webhook
attempt    2
context
  source       main
  number       7
  title        a\x1b[2Jb\nc
  labels       ["x","y"]
  body         ` + strings.Repeat("é", 160) + `...
prompt     116 bytes, 22 lines
  | First.
  | \x1b[31mred
` + strings.Repeat("  | more\n", 10) + "  | (10 more)\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestPrintOutsideOfARun(t *testing.T) {
	t.Parallel()
	err := Print(strings.NewReader(""), &bytes.Buffer{}, func(string) string { return "" })
	if err == nil || !strings.Contains(err.Error(), "which the gateway starts") {
		t.Errorf("got %v", err)
	}
}

// Print is a harness like any other: sensitive values do not show.
func TestPrintAsAHarness(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, "")
	spec.Command = []string{"{al}", "helper", "print"}
	spec.Context = []byte(`{"event":"command","extra":{"token":"to<ken"}}`)
	spec.Sensitive = []string{"extra.token"}
	if res := r.Run(t.Context(), spec); res.State != job.Done {
		t.Fatalf("got %+v: %s", res, output(t, r))
	}
	got := output(t, r)
	if !strings.Contains(got, `extra        {"token":"***"}`) || strings.Contains(got, "u003cken") || strings.Contains(got, "<ken") {
		t.Errorf("got %s", got)
	}
}

func TestPresets(t *testing.T) {
	t.Parallel()
	want := []string{"aider", "amp", "claude", "codex", "crush", "gemini", "goose", "opencode", "print"}
	if got := Presets(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, name := range want {
		command, ok := Preset(name)
		if !ok || len(command) == 0 {
			t.Fatalf("%s: got %q, %v", name, command, ok)
		}
		if h, _ := FindHarness(name); h.Permissions == "" || name != "print" && (len(h.Version) != 2 || h.Version[0] != command[0]) {
			t.Errorf("%s: %+v", name, h)
		}
		command[0] = "changed"
		if again, _ := Preset(name); again[0] == "changed" {
			t.Errorf("%s: a caller can change the preset", name)
		}
	}
	if _, ok := Preset("no-such"); ok {
		t.Error("a preset that is none")
	}
}
