package config

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
	"github.com/rogpeppe/go-internal/txtar"
)

// seeds are the files of one kind in all test projects.
func seeds(f *testing.F, add func(text []byte), suffix string) {
	f.Helper()
	for _, pattern := range []string{"testdata/problems/*.txtar", "testdata/projects/*.txtar"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				f.Fatal(err)
			}
			for _, file := range archive.Files {
				if strings.HasSuffix(file.Name, suffix) {
					add(file.Data)
				}
			}
		}
	}
}

// usable is what the rest of the host may rely on in a project without errors.
func usable(t *testing.T, p *Project, problems Problems) {
	t.Helper()
	if problems.Err() != nil {
		return
	}
	if p.Scale < 0 || p.WorkQueueSize < 1 || p.MaxAttempts < 1 || p.HistoryRetentionDays < 1 || p.HistoryMaxBytes < 0 {
		t.Errorf("numbers: %+v", p)
	}
	if p.Gateway.MaxBodyBytes < 1 || p.Gateway.MaxInflightBytes < p.Gateway.MaxBodyBytes || p.Gateway.ReadTimeout <= 0 || p.Gateway.Host == "" {
		t.Errorf("gateway: %+v", p.Gateway)
	}
	zones := []string{p.Timezone}
	for _, s := range p.Sources {
		if !sourceName.MatchString(s.Name) || !typeName.MatchString(s.Type) {
			t.Errorf("source: %+v", s)
		}
	}
	for _, a := range p.Agents {
		zones = append(zones, a.Timezone)
		if a.Scale < 0 || a.Timeout <= 0 || a.MaxWorkQueueSize < 1 || !agentName.MatchString(a.Name) {
			t.Errorf("agent: %+v", a)
		}
		if a.Scale > 0 && a.Schedule == "" && len(a.Triggers) == 0 && len(problems) == 0 {
			t.Errorf("nothing starts %+v", a)
		}
		for _, trigger := range a.Triggers {
			if _, ok := p.Source(trigger.Source); !ok {
				t.Errorf("trigger without source: %+v", trigger)
			}
		}
		if _, err := json.Marshal(a.Params); err != nil {
			t.Errorf("params: %v", err)
		}
		if len(a.Runner.Command) > 0 && a.Runner.Harness != "" {
			t.Errorf("two runners: %+v", a.Runner)
		}
	}
	for _, zone := range zones {
		if _, err := time.LoadLocation(zone); err != nil || zone == "" {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
}

func FuzzLoadProject(f *testing.F) {
	seeds(f, func(text []byte) { f.Add(text) }, "config.toml")
	f.Fuzz(func(t *testing.T, text []byte) {
		fsys := fstest.MapFS{
			"config.toml":            {Data: text},
			"agents/dev/config.toml": {Data: []byte("schedule = \"@daily\"\n")},
			"agents/dev/SKILL.md":    {Data: []byte("Do it.\n")},
		}
		p, problems := load(fsys, "/project", Options{})
		checkPositions(t, fsys, problems)
		usable(t, p, problems)
	})
}

func FuzzLoadAgent(f *testing.F) {
	seeds(f, func(text []byte) { f.Add("dev", text) }, "config.toml")
	f.Add("..", []byte("scale = 0"))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		fsys := fstest.MapFS{
			"config.toml": {Data: []byte("[webhooks.github]\ntype = \"github\"\n[webhooks.my-sentry]\ntype = \"sentry\"\n")},
		}
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			name = "dev"
		}
		fsys["agents/"+name+"/config.toml"] = &fstest.MapFile{Data: text}
		fsys["agents/"+name+"/SKILL.md"] = &fstest.MapFile{Data: []byte("Do it.\n")}
		p, problems := load(fsys, "/project", Options{CheckSchedule: fakeSchedule})
		checkPositions(t, fsys, problems)
		usable(t, p, problems)
	})
}

func FuzzSkill(f *testing.F) {
	seeds(f, func(text []byte) { f.Add(text) }, "SKILL.md")
	f.Add([]byte("---\na: &x [*x]\n? {b: c}\n: d\n<<: *x\n---\n"))
	f.Add([]byte("---\n\rcredentials: 00\u0085 x: y\u2028\r\nscale: z\n---"))
	f.Add([]byte("---\na: !!binary x\nb: !!int 99999999999999999999\nc: 0x_\n--- \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		fsys := fstest.MapFS{
			"config.toml":         {Data: []byte("[webhooks.github]\ntype = \"github\"\n")},
			"agents/dev/SKILL.md": {Data: text},
		}
		p, problems := load(fsys, "/project", Options{CheckSchedule: fakeSchedule})
		checkPositions(t, fsys, problems)
		usable(t, p, problems)
		if len(p.Agents) == 1 && !strings.HasSuffix(string(text), p.Agents[0].Skill) {
			t.Errorf("the body %q is not the end of %q", p.Agents[0].Skill, text)
		}
	})
}

// FuzzTOML holds our reading of the syntax tree against go-toml's decoder: what
// both take must be the same.
func FuzzTOML(f *testing.F) {
	seeds(f, func(text []byte) { f.Add(text) }, "config.toml")
	f.Add([]byte("a.b.c = 1\n[x]\ny.z = [{q.r = 1}, {}]\n[[x.w]]\n[x.w.v]\nk = 0o17\n[[x.w]]\n'k' = 1e3\n[x.w.v]\nk = 2\n[x.w.u]\nj = 3\n"))
	f.Add([]byte("a = 0b1_0\nb = +1_000.5\nc = '''\nx'''\nd = \"\\u00e9\"\ne = [[], [[1]]]\nf = -0x1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		root, problems := parseTOML("config.toml", text)
		var want map[string]any
		err := toml.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &want)
		if (err != nil) != (len(problems) > 0) {
			if err == nil && strings.Contains(render(problems), "nested more than") {
				return
			}
			t.Fatalf("go-toml says %v, we say:\n%s", err, render(problems))
		}
		if err != nil {
			return
		}
		if want == nil {
			want = map[string]any{}
		}
		if diff := cmp.Diff(comparably(want), comparably(root.plain())); diff != "" {
			t.Errorf("-go-toml +ours:\n%s", diff)
		}
	})
}

// comparably leaves out what the two show differently on purpose: dates are
// text here, and what is not a number equals nothing.
func comparably(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, in := range v {
			out[k] = comparably(in)
		}
		return out
	case []any:
		out := []any{}
		for _, in := range v {
			out = append(out, comparably(in))
		}
		return out
	case float64:
		if math.IsNaN(v) {
			return "nan"
		}
		return v
	case int64, bool:
		return v
	case string:
		if len(v) >= 8 && (v[2] == ':' || v[4] == '-') {
			return "text or date"
		}
		return v
	default:
		return "text or date"
	}
}

func TestDeepNesting(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"lists":   "a = " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"tables":  "a = " + strings.Repeat("{a=", 5000) + "1" + strings.Repeat("}", 5000),
		"keys":    strings.Repeat("a.", 100000) + "a = 1",
		"headers": "[" + strings.Repeat("a.", 100000) + "a]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := parseTOML("config.toml", []byte(text))
			if got := render(problems); !strings.Contains(got, "levels deep") {
				t.Errorf("got:\n%.300s", got)
			}
		})
	}
	t.Run("front matter", func(t *testing.T) {
		t.Parallel()
		_, _, problems := parseSkill("SKILL.md", []byte("---\na: "+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"\n---\nx"))
		if problems.Err() == nil {
			t.Error("no error")
		}
	})
}

// TestFuzzSeedsExist: a fuzz target without seeds finds nothing.
func TestFuzzSeedsExist(t *testing.T) {
	t.Parallel()
	if entries, err := os.ReadDir("testdata/problems"); err != nil || len(entries) < 20 {
		t.Errorf("%d cases: %v", len(entries), err)
	}
}
