//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// busy is a project in which things happen.
func busy() map[string]string {
	files := map[string]string{
		"config.toml": `
scale = 6
[runner]
command = ["sh", "work.sh"]
[webhooks.widgets]
type = "github"
credential = "main"
[webhooks.team]
type = "linear"
[webhooks.chat]
type = "slack"
`,
		"work.sh": `
cat >/dev/null
echo "reading the issue"
echo "cloning acme/widgets"
printf '\033[32mok\033[0m  4 files changed\n'
case "$AL_AGENT" in
  triage) echo "labelled: bug, needs-repro"; exit 0;;
  docs) echo "fatal: could not push: permission denied" >&2; exit 1;;
esac
i=0; while [ ! -e go ] && [ $i -lt 6 ]; do i=$((i+1)); echo "step $i: thinking about it"; sleep 2; done
`,
	}
	for name, text := range map[string]string{
		"dev":     "scale = 2\nmaxWorkQueueSize = 20\n[[webhooks]]\nsource = \"widgets\"\nevents = [\"issues\"]\nlabels = [\"agent\"]\n",
		"triage":  "[[webhooks]]\nsource = \"widgets\"\nevents = [\"issues\"]\n",
		"docs":    "[[webhooks]]\nsource = \"widgets\"\nevents = [\"push\"]\nbranches = [\"main\"]\n",
		"release": "schedule = \"0 9 * * 1\"\n",
		"inbox":   "scale = 3\n[[webhooks]]\nsource = \"chat\"\n",
		"retired": "scale = 0\n[[webhooks]]\nsource = \"team\"\n",
	} {
		files["agents/"+name+"/config.toml"] = text
		files["agents/"+name+"/SKILL.md"] = "You look after " + name + ". Read the event, do what it asks for, and say what you did.\n"
	}
	return files
}

func labelledIssue(id, title, label string) delivery {
	d := issue(id)
	d.body = fmt.Appendf(nil, `{"action":"labeled","label":{"name":%q},"issue":{"number":%d,"title":%q,"body":"It happens on every start.","html_url":"https://github.example/acme/widgets/issues/42","user":{"login":"ada"},"labels":[{"name":%q}],"assignees":[]},"repository":{"full_name":"acme/widgets","owner":{"login":"acme"}},"sender":{"login":"ada"}}`, label, 42+len(id), title, label)
	return d
}

// The pictures of the documentation; AL_PICTURES says where to put them. It takes
// a minute or two, since a queue has to fill and empty.
func TestPagePictures(t *testing.T) {
	if os.Getenv("AL_PICTURES") == "" {
		t.Skip("AL_PICTURES is not set: no pictures are taken")
	}
	p := newProject(t, busy())
	named := filepath.Join(filepath.Dir(p.dir), "acme-agents")
	if err := os.Rename(p.dir, named); err != nil {
		t.Fatal(err)
	}
	p.dir = named
	g := p.start()
	b := newBrowser(t)
	b.look(1280, 900, "light")
	b.login(g)
	_, _ = p.al("pause", "-p", p.dir, "release", "--reason", "after the freeze")
	pushed := push("push-1")
	g.mustSend(pushed)
	pushed.id, pushed.body = "push-2", []byte(strings.Replace(string(pushed.body), "heads/main", "heads/topic", 1))
	topic := g.mustSend(pushed)
	broken := issue("broken")
	broken.body = []byte(`{"action":`)
	g.mustSend(broken)
	for i, burst := range []int{6, 9, 3, 6, 0, 5, 3, 0, 4} {
		for n := range burst {
			g.mustSend(labelledIssue(fmt.Sprint("label-", i, n), "Crash on start", []string{"agent", "agent", "bug"}[n%3]))
		}
		b.await("another sample", fmt.Sprintf(`Date.now() > %d`, time.Now().Add(6*time.Second).UnixMilli()))
		if i == 3 {
			_, _ = p.al("webhook", "send", "slack", "app_mention", "-p", p.dir)
			_, _ = p.al("webhook", "send", "linear", "Issue.create", "-p", p.dir)
		}
	}
	look := func(name string, height int64) {
		for _, scheme := range []string{"light", "dark"} {
			b.look(1280, height, scheme)
			b.picture(name + "-" + scheme)
			b.look(390, 844, scheme)
			b.picture(name + "-phone-" + scheme)
		}
	}
	look("overview", 900)
	for path, name := range map[string]string{
		"/deliveries": "deliveries", "/deliveries?dead=1": "dead", "/agents/dev": "agent", "/runs": "runs", "/deliveries/" + topic.Receipt: "delivery",
	} {
		b.open(g.url + path)
		look(name, 900)
	}
	b.open(g.url + "/runs?state=running")
	b.click(".stream .row")
	b.await("output", `document.querySelector("#output")?.textContent.includes("step 1")`)
	look("run", 900)
	b.checkQuiet(g.url)
	p.write("go", "")
}
