package config

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90": 90 * time.Second, "1m30s": 90 * time.Second, "0": 0, "-5": -5 * time.Second, "1.5s": 1500 * time.Millisecond,
		"250ms": 250 * time.Millisecond, "8784h": maxDuration,
	} {
		if got, ok := parseDuration(text); !ok || got != want {
			t.Errorf("%q: got %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "soon", "1 h", "5 minutes", "8785h", "9223372036854775807", "99999999999999999999", "1d"} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("%q: got %v", text, got)
		}
	}
	for d, want := range map[time.Duration]string{
		30 * time.Second: "30s", 15 * time.Minute: "15m", 2 * time.Hour: "2h", 90 * time.Second: "1m30s", 0: "0s", 10 * time.Minute: "10m",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "32MiB": 32 << 20, "2GiB": 2 << 30, "1.5 gib": 3 << 29, "10 KB": 10000, "7B": 7, " 1 TB ": 1e12, "-1": -1,
	} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%q: got %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "MiB", "2 giga", "1M", "infGB", "nanKB", "99999999TiB", "1e400B", "99999999999999999999"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q: got %d", text, got)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "1", 1 << 20: "1MiB", 2 << 30: "2GiB", 1536: "1536", 1 << 40: "1TiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func TestEnvNames(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"scale": "AL_SCALE", "workQueueSize": "AL_WORK_QUEUE_SIZE", "gateway.maxBodyBytes": "AL_GATEWAY_MAX_BODY_BYTES", "store.url": "AL_STORE_URL",
	} {
		if got := envName(key); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	// What the host hands to providers and runs must not be taken for settings.
	for _, k := range Keys() {
		for _, taken := range []string{"AL_AGENT", "AL_RUN_ID", "AL_TRIGGER", "AL_PROMPT_FILE", "AL_CONTEXT_FILE", "AL_ATTEMPT", "AL_CREDENTIALS_PATH", CredentialsEnv} {
			if k.Env == taken {
				t.Errorf("%s: %s has another meaning", k.Name, k.Env)
			}
		}
	}
}

// TestDocs: every key is in the documentation, in one line with its default and
// its variable, and nothing there is a key no more.
func TestDocs(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	section := ""
	for _, line := range strings.Split(string(doc), "\n") {
		if strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "### ") {
			section = ""
			if strings.Contains(line, "config.toml") {
				section = projectFile
			}
			if strings.Contains(line, "agents/") {
				section = anyAgent
			}
		}
		if name, ok := strings.CutPrefix(line, "| `"); ok && section != "" {
			key, _, _ := strings.Cut(name, "`")
			rows[section+" "+key] = line
		}
	}
	for _, k := range Keys() {
		row, ok := rows[k.File+" "+k.Name]
		delete(rows, k.File+" "+k.Name)
		switch {
		case !ok:
			t.Errorf("%s: %s is missing; a row for it:\n%s", k.File, k.Name, docRow(k))
		case row != docRow(k):
			t.Errorf("%s: %s:\ngot  %s\nwant %s", k.File, k.Name, row, docRow(k))
		}
	}
	for name := range rows {
		t.Errorf("%s is no key", name)
	}
}

func docRow(k Key) string {
	standard, env := "", ""
	if k.Default != "" {
		standard = "`" + k.Default + "`"
	}
	if k.Env != "" {
		env = "`" + k.Env + "`"
	}
	help := strings.ReplaceAll(k.Help, "|", `\|`)
	if k.File == projectFile {
		return strings.Join([]string{"| `" + k.Name + "`", standard, env, help + " |"}, " | ")
	}
	return strings.Join([]string{"| `" + k.Name + "`", standard, help + " |"}, " | ")
}

// TestDocsExample: the examples in the documentation load.
func TestDocsExample(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string]string{} // by file; what comes later is a further part of it
	rest := string(doc)
	for {
		var ok bool
		_, rest, ok = strings.Cut(rest, "```toml\n# ")
		if !ok {
			break
		}
		var name, body string
		name, rest, _ = strings.Cut(rest, "\n")
		body, rest, _ = strings.Cut(rest, "```")
		blocks[name] += body
	}
	var files strings.Builder
	for name, text := range blocks {
		files.WriteString("-- " + name + " --\n" + text)
	}
	files.WriteString("-- agents/dev/SKILL.md --\nDo it.\n")
	p, problems := load(project(files.String()), "/project", Options{CheckSchedule: fakeSchedule})
	if len(problems) > 0 || len(p.Agents) != 1 || len(p.Agents[0].Triggers) == 0 {
		t.Errorf("%d agents, problems:\n%s", len(p.Agents), render(problems))
	}
}
