//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
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
i=0; while [ ! -e go ]; do i=$((i+1)); echo "step $i: thinking about it"; sleep 2; done
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

// The pictures of the documentation; AL_PICTURES says where to put them.
func TestPagePictures(t *testing.T) {
	if os.Getenv("AL_PICTURES") == "" {
		t.Skip("AL_PICTURES is not set: no pictures are taken")
	}
	p := newProject(t, busy())
	g := p.start()
	for i := range 9 {
		g.mustSend(labelledIssue(fmt.Sprint("label-", i), "Crash on start", []string{"agent", "bug", "agent"}[i%3]))
	}
	pushed := push("push-1")
	g.mustSend(pushed)
	pushed.id, pushed.body = "push-2", []byte(strings.Replace(string(pushed.body), "heads/main", "heads/topic", 1))
	topic := g.mustSend(pushed)
	for _, typ := range []string{"linear", "slack"} {
		_, _ = p.al("webhook", "send", typ, map[string]string{"linear": "Issue.create", "slack": "app_mention"}[typ], "-p", p.dir)
	}
	_, _ = p.al("pause", "-p", p.dir, "release", "--reason", "after the freeze")
	g.await("runs", func() bool {
		s := p.stat()
		done := 0
		for _, a := range s.Agents {
			if a.LastRun != nil && a.LastRun.State != "running" {
				done++
			}
		}
		return done >= 2
	})

	b := newBrowser(t)
	b.look(1280, 900, "light")
	b.open(g.url)
	b.await("styles", `getComputedStyle(document.querySelector(".card")).borderRadius !== "0px"`)
	b.picture("login-light")
	b.login(g)
	b.await("live", `document.querySelector("#link.on") !== null`)
	b.await("a chart", `document.querySelector(".chart:not(.flat)") !== null`)
	look := func(name string) {
		for _, scheme := range []string{"light", "dark"} {
			b.look(1280, 900, scheme)
			b.picture(name + "-" + scheme)
			b.look(390, 844, scheme)
			b.picture(name + "-phone-" + scheme)
		}
	}
	look("overview")
	b.look(1280, 1600, "light")
	b.picture("overview-tall")
	b.look(390, 3000, "dark")
	b.picture("overview-phone-tall")
	b.open(g.url + "/deliveries/" + topic.Receipt)
	look("delivery")
	b.look(1280, 1500, "light")
	b.picture("delivery-tall")
	b.open(g.url + "/deliveries")
	look("deliveries")
	b.open(g.url + "/deliveries?dead=1")
	look("dead")
	b.open(g.url + "/agents/dev")
	look("agent")
	b.open(g.url + "/runs?state=running")
	b.click(".stream .row")
	b.await("output", `document.querySelector("#output")?.textContent.includes("step 1")`)
	look("run")
	b.checkQuiet(g.url)
	p.write("go", "")
}
