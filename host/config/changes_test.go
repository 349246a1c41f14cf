package config

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const before = `
-- config.toml --
scale = 3
[gateway]
port = 80
[store]
url = "postgres://one"
[webhooks.a]
type = "t"
credential = "x"
[webhooks.b]
type = "t"
credential = "x"
-- agents/dev/config.toml --
[[webhooks]]
source = "a"
labels = ["agent"]
-- agents/dev/SKILL.md --
Do it.
-- agents/ops/config.toml --
schedule = "@daily"
[params]
n = 1
-- agents/ops/SKILL.md --
Look.
`

func TestChanges(t *testing.T) {
	t.Parallel()
	from := good(t, before)
	for name, tt := range map[string]struct {
		replace []string
		want    []Change
		restart []string
	}{
		"nothing":              {nil, nil, nil},
		"only where it stands": {[]string{"[webhooks.a]", "# a comment\n\n[webhooks.a]", `labels = ["agent"]`, ` labels = [ "agent" ]`}, nil, nil},
		"a setting":            {[]string{"scale = 3", "scale = 4"}, []Change{{ChangedSetting, "scale", Changed}}, nil},
		"what needs a restart": {[]string{"port = 80", "port = 81", "postgres://one", "postgres://two"},
			[]Change{{ChangedSetting, "gateway.port", Changed}, {ChangedSetting, "store.url", Changed}}, []string{"gateway.port", "store.url"}},
		"a source renamed": {[]string{"[webhooks.b]", "[webhooks.c]"},
			[]Change{{ChangedSource, "b", Removed}, {ChangedSource, "c", Added}}, nil},
		"a source's credential": {[]string{"[webhooks.b]\ntype = \"t\"\ncredential = \"x\"", "[webhooks.b]\ntype = \"t\"\ncredential = \"y\""},
			[]Change{{ChangedSource, "b", Changed}}, nil},
		"a filter":       {[]string{`"agent"`, `"agents"`}, []Change{{ChangedAgent, "dev", Changed}}, nil},
		"a parameter":    {[]string{"n = 1", "n = 2"}, []Change{{ChangedAgent, "ops", Changed}}, nil},
		"instructions":   {[]string{"Look.", "Look up."}, []Change{{ChangedAgent, "ops", Changed}}, nil},
		"an agent added": {[]string{"-- agents/ops/SKILL.md --", "-- agents/new/config.toml --\nscale = 0\n-- agents/new/SKILL.md --\nX.\n-- agents/ops/SKILL.md --"}, []Change{{ChangedAgent, "new", Added}}, nil},
		"the runner of all": {[]string{"[store]", "[runner]\ncommand = [\"x\"]\n[store]"},
			[]Change{{ChangedSetting, "runner.command", Changed}, {ChangedAgent, "dev", Changed}, {ChangedAgent, "ops", Changed}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := good(t, strings.NewReplacer(tt.replace...).Replace(before))
			if diff := cmp.Diff(tt.want, Changes(from, to)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.restart, NeedRestart(from, to)); diff != "" {
				t.Errorf("restart: -want +got:\n%s", diff)
			}
		})
	}
}

// A key that is renamed must not stay in the list under its old name, and who
// reads the documentation finds all of them.
func TestNeedRestartAreKeys(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, listed, _ := strings.Cut(string(doc), "These keys need `al stop` and `al start`")
	listed, _, _ = strings.Cut(listed, "\n\n")
	for _, name := range needRestart() {
		if !strings.Contains(listed, "`"+name+"`") {
			t.Errorf("the documentation does not say that %s needs a restart", name)
		}
		if !slices.ContainsFunc(Keys(), func(k Key) bool { return k.Name == name }) {
			t.Errorf("%s is no key", name)
		}
	}
}
