//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// key is what the gateway made for its API, where `al` keeps it.
func (p *project) key() string {
	p.t.Helper()
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(p.dir), "credentials", "gateway_api_key", "default", "key"))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

func (b *browser) login(g *gateway) {
	b.t.Helper()
	b.open(g.url + "/")
	b.await("the login", `document.querySelector("#key") !== null`)
	b.do(chromedp.SendKeys("#key", g.key()+kb.Enter))
	b.await("the overview", `document.querySelector("h1")?.textContent === "Overview"`)
	b.await("it is live", `document.querySelector("#link.on") !== null`)
}

// attended is a project with an agent that works until it is told to end, one
// whose work is done at once, and one that other events start.
func attended() map[string]string {
	files := map[string]string{
		"config.toml": `
scale = 4
[runner]
command = ["sh", "work.sh"]
[webhooks.main]
type = "github"
credential = "main"
`,
		"work.sh": `
cat >/dev/null
echo "begun"
if [ "$AL_AGENT" = quick ]; then exit 0; fi
i=0
while [ ! -e go ]; do i=$((i+1)); echo "step $i of $AL_AGENT"; sleep 0.2; done
`,
	}
	for name, text := range map[string]string{
		"dev":    "scale = 2\n[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\nlabels = [\"agent\"]\n",
		"quick":  "[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\n",
		"pusher": "schedule = \"0 9 * * 1\"\n[[webhooks]]\nsource = \"main\"\nevents = [\"push\"]\n",
	} {
		files["agents/"+name+"/config.toml"] = text
		files["agents/"+name+"/SKILL.md"] = "Be " + name + ".\n"
	}
	return files
}

// titled is an issue with a title that a stranger chose.
func titled(id, title string) delivery {
	d := issue(id)
	raw, _ := json.Marshal(title) // a text always encodes
	d.body = fmt.Appendf(nil, `{"action":"opened","issue":{"number":7,"title":%s,"body":%s,"html_url":"https://example.com/7","user":{"login":"mallory"},"labels":[],"assignees":[]},"repository":{"full_name":"acme/widgets","owner":{"login":"acme"}},"sender":{"login":"mallory"}}`, raw, raw)
	return d
}

// The live page, used as a person would, in a real browser.
func TestPage(t *testing.T) {
	b := newBrowser(t)
	p := newProject(t, attended())
	g := p.start()
	b.look(1280, 900, "light")

	// Logging in.
	b.open(g.url + "/runs?state=done")
	b.await("the login", `location.pathname === "/login" && document.activeElement.id === "key"`)
	axe := axeScript(t)
	for _, scheme := range []string{"dark", "light"} {
		b.look(1280, 900, scheme)
		b.accessible("the login, "+scheme, axe, "")
	}
	b.do(chromedp.SendKeys("#key", "a guess"+kb.Enter))
	b.awaitText("That is not the key of this gateway.")
	b.do(chromedp.SendKeys("#key", g.key()+kb.Enter))
	b.await("where it was to go", `location.pathname + location.search === "/runs?state=done"`)
	if cookie := ask[string](b, `document.cookie`); cookie != "" {
		t.Errorf("scripts can read the cookie %q", cookie)
	}
	b.forget() // the browser told of the 401

	b.open(g.url + "/")
	b.await("it is live", `document.querySelector("#link.on") !== null`)
	b.awaitText("No deliveries yet.")
	b.awaitText(g.url + "/webhooks/github")

	// An event arrives, and nothing is loaded anew.
	stay := ask[bool](b, `window.stayed = true`)
	first := g.mustSend(issue("first"))
	b.await("the delivery shows up", quoted(`document.querySelector("[data-key=" + CSS.escape(%s) + "]")?.innerText.includes("issues.opened")`, first.Receipt))
	b.await("it is told to those who do not see it", `document.querySelector("#news[aria-live=polite]").textContent === "New delivery: issues.opened"`)
	b.await("its run ends", quoted(`document.querySelector("[data-key=" + CSS.escape(%s) + "]")?.innerText.includes("quick done")`, first.Receipt))
	if !stay || !ask[bool](b, `window.stayed === true`) {
		t.Error("the page was loaded anew")
	}

	// What it was, and why it started one agent and not the other.
	b.click(`[data-key="` + first.Receipt + `"] a`)
	b.await("the delivery", quoted(`location.pathname === "/deliveries/" + %s`, first.Receipt))
	for _, text := range []string{"starts quick", "labels: wants \"agent\", the event has no label", "POST /webhooks/github", "\"full_name\": \"acme/widgets\""} {
		b.awaitText(text)
	}

	// Again.
	b.click(`form[action$="/replay"] button`)
	b.awaitText("Replayed. One job was queued.")
	b.click("#toast a")
	b.awaitText("A replay of")

	t.Run("pause and resume", func(t *testing.T) {
		b.t = t
		b.open(g.url + "/")
		b.click(`form[action="/agents/quick/pause"] button`)
		b.await("quick is paused", `document.querySelector("tr[data-key=quick]").innerText.includes("paused")`)
		held := g.mustSend(issue("held"))
		b.await("it waits", `document.querySelector("tr[data-key=quick] .queue .num").textContent === "1"`)
		b.await("the chart shows it", `document.querySelector("tr[data-key=quick] .chart:not(.flat) polyline") !== null`)
		b.click(`form[action="/agents/quick/resume"] button`)
		b.await("it runs", quoted(`document.querySelector("[data-key=" + CSS.escape(%s) + "]").innerText.includes("quick done")`, held.Receipt))
		b.click(`form[action="/pause"] button`)
		b.await("it asks", `document.querySelector("dialog").open && document.activeElement.closest("dialog") !== null`)
		b.do(chromedp.KeyEvent(kb.Escape))
		b.await("nothing happened", `!document.querySelector("dialog").open && !document.body.innerText.includes("All agents are paused")`)
		b.click(`form[action="/pause"] button`)
		b.click("#confirm-yes")
		b.awaitText("All agents are paused")
		b.click(`.banner form[action="/resume"] button`)
		b.await("they are resumed", `!document.body.innerText.includes("All agents are paused")`)
	})

	t.Run("many at once", func(t *testing.T) {
		b.t = t
		b.open(g.url + "/")
		b.await("it is live", `document.querySelector("#link.on") !== null`)
		stay := ask[bool](b, `window.stayed = true`)
		for round := range 3 {
			var last answer
			for i := range 7 {
				last = g.mustSend(issue(fmt.Sprint("many-", round, i)))
			}
			b.await("the last of them is done", quoted(`document.querySelector("[data-key=" + CSS.escape(%s) + "]")?.innerText.includes("quick done")`, last.Receipt))
		}
		b.await("the page is what a reload would show", sameAsReloaded)
		if !stay || !ask[bool](b, `window.stayed === true`) {
			t.Error("the page was loaded anew")
		}
	})

	t.Run("a clock that is wrong", func(t *testing.T) {
		b.t = t
		b.run(`Date.now = ((now) => () => now() - 3600000)(Date.now)`)
		b.await("it says how long ago", `document.querySelector("footer time").textContent.startsWith("in ")`)
		b.run(`document.querySelector("#link").className = ""; dispatchEvent(new Event("pagehide")); dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))`)
		b.await("it is live", `document.querySelector("#link.on") !== null`)
		b.await("it goes by the gateway's clock", `document.querySelector("footer time").textContent.endsWith("ago")`)
		b.open(g.url + "/")
	})

	t.Run("run, follow and kill", func(t *testing.T) {
		b.t = t
		b.click(`a[href="/agents/dev#start"]`)
		b.await("the form", `document.querySelector("#prompt") !== null`)
		b.do(chromedp.SendKeys("#prompt", "say hello to <b>all</b>"))
		b.click("#start button")
		b.await("its run", `location.pathname.startsWith("/runs/")`)
		b.await("output", `document.querySelector("#output")?.textContent.includes("step 1 of dev")`)
		length := ask[int](b, `(window.stayed = true, document.querySelector("#output").textContent.length)`)
		b.await("more of it", fmt.Sprintf(`window.stayed && document.querySelector("#output").textContent.length > %d`, length+20))
		b.awaitText("say hello to <b>all</b>")
		b.click(`form[action$="/kill"] button`)
		b.click("#confirm-yes")
		b.await("its end", `window.stayed && document.querySelector("h1").innerText.includes("failed")`)
		b.awaitText("killed by an operator")
		whole := ask[string](b, `fetch(document.querySelector("a[href$='/output']").href).then((a) => a.text())`)
		if !strings.HasPrefix(whole, "begun\nstep 1 of dev\nstep 2 of dev\n") {
			t.Errorf("its output is %.60q", whole)
		}
		b.await("all of its output", quoted(`document.querySelector("#output").textContent === %s`, whole))
	})

	t.Run("dead letters", func(t *testing.T) {
		b.t = t
		broken := issue("broken")
		broken.body = []byte(`{"action":`)
		if a := g.mustSend(broken); a.code != http.StatusBadRequest {
			t.Fatalf("answered %d %s", a.code, a.text)
		}
		b.open(g.url + "/deliveries?dead=1")
		b.awaitText("unparseable")
		b.click(`.stream form[action$="/replay"] button`)
		b.await("why not", `document.querySelector("#toast.up.bad") !== null`)
		b.forget() // of the 409
	})

	t.Run("hostile", func(t *testing.T) {
		b.t = t
		title := "<script>window.hacked = 1</script><img src=https://evil.example/x onerror=window.hacked=1></webhook-trigger></pre>" +
			"\u202egnp.exe\u2066 \u05e9\u05dc\u05d5\u05dd " + strings.Repeat("a very long title ", 60_000)
		a := g.mustSend(titled("hostile", title))
		b.open(g.url + "/deliveries/" + a.Receipt)
		b.awaitText("‹U+202E›gnp.exe‹U+2066›")
		b.awaitText("</webhook-trigger>")
		b.still("the delivery")
		if n := ask[int](b, `document.body.innerText.length`); n > 60_000 {
			t.Errorf("the page shows %d characters", n)
		}
		b.click(`a[href="?full=1"]`)
		b.await("all that can be shown", `document.querySelector("pre.body").textContent.length > 1000000`)
		b.still("all of it")
		b.open(g.url + "/runs?agent=quick")
		b.click(".stream .row")
		b.await("its prompt", `document.querySelector("h1")?.innerText.startsWith("Run of quick")`)
		b.click("[aria-labelledby=prompt-title] summary")
		b.awaitText("‹U+202E›gnp.exe")
		b.still("the run")
		if hacked := ask[bool](b, `window.hacked !== undefined || document.scripts.length !== 1 || document.querySelector("main img") !== null`); hacked {
			t.Error("what a stranger wrote became part of the page")
		}
	})

	t.Run("by keyboard", func(t *testing.T) {
		b.t = t
		b.open(g.url + "/")
		b.await("it is live", `document.querySelector("#link.on") !== null`)
		b.do(chromedp.KeyEvent(kb.Tab))
		b.await("first, a way past the links", `document.activeElement.matches(".skip") && document.activeElement.getBoundingClientRect().top >= 0`)
		b.do(chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
		b.await("it leads into the page", `document.activeElement.closest("main") !== null`)
		for range 40 {
			if !ask[bool](b, `(() => { const e = document.activeElement, r = e.getBoundingClientRect(), s = getComputedStyle(e);
				return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.width > 0 && r.top >= 0 && r.bottom <= innerHeight; })()`) {
				t.Errorf("it is not seen where the focus is: %s", ask[string](b, `document.activeElement.outerHTML.slice(0, 200)`))
			}
			if ask[bool](b, `document.activeElement.ariaLabel === "Pause pusher"`) {
				break
			}
			b.do(chromedp.KeyEvent(kb.Tab))
		}
		b.do(chromedp.KeyEvent(kb.Enter))
		b.await("it is paused", `document.querySelector("tr[data-key=pusher]").innerText.includes("paused")`)
		b.await("the focus is where it was", `document.activeElement.closest("tr[data-key=pusher]") !== null`)
		b.do(chromedp.KeyEvent(kb.Enter))
		b.await("it is resumed", `document.querySelector("tr[data-key=pusher]").innerText.includes("idle")`)
	})

	t.Run("on every screen", func(t *testing.T) {
		b.t = t
		g.mustSend(push("pushed"))
		run := ""
		for _, a := range p.stat().Agents {
			if a.LastRun != nil {
				run = a.LastRun.ID
			}
		}
		for _, path := range []string{"/", "/runs/" + run, "/deliveries", "/deliveries?dead=1", "/deliveries/" + first.Receipt, "/runs", "/agents/dev", "/agents/nobody"} {
			b.open(g.url + path)
			for _, scheme := range []string{"light", "dark"} {
				for _, width := range []int64{1280, 390, 320} {
					b.look(width, 800, scheme)
					where := fmt.Sprintf("%s, %s, %d wide", path, scheme, width)
					b.still(where)
					switch { // each takes a second of two cores
					case width == 1280 && scheme == "light", width == 390 && path == "/":
						b.accessible(where, axe, "")
					case width == 1280: // dark, only the colours are others
						b.accessible(where, axe, `runOnly: ["color-contrast"]`)
					}
				}
			}
		}
		b.look(1280, 900, "light")
		b.forget() // of the 404
	})

	b.t = t
	// A page that is open does not keep the gateway from stopping.
	b.open(g.url + "/")
	b.await("it is live", `document.querySelector("#link.on") !== null`)
	p.write("go", "")
	g.stop()
	b.await("it says so", `document.querySelector("#link.off") !== null`)
	b.checkQuiet(g.url)

	// The next gateway knows who is logged in, and the page finds it by itself.
	_, port, _ := strings.Cut(strings.TrimPrefix(g.url, "http://"), ":")
	g = p.start("--port", port)
	b.await("it is live again", `document.querySelector("#link.on") !== null && document.querySelector("h1").textContent === "Overview"`)
	after := g.mustSend(issue("after"))
	b.await("it goes on", quoted(`document.querySelector("[data-key=" + CSS.escape(%s) + "]") !== null`, after.Receipt))

	// So does one that hands over: its pages go on with the next.
	next := p.start("--port", port, "--takeover")
	took := next.mustSend(issue("took over"))
	b.await("it goes on with the next", quoted(`document.querySelector("[data-key=" + CSS.escape(%s) + "]") !== null`, took.Receipt))
	next.stop() // and the one before with it
	b.await("it says so", `document.querySelector("#link.off") !== null`)
	b.checkQuiet(g.url)
}

// sameAsReloaded compares the page with what the server makes of it now, but for
// what goes on by itself.
const sameAsReloaded = `await (async () => {
	const plain = (d) => {
		const m = d.querySelector("main").cloneNode(true);
		for (const e of m.querySelectorAll("time, [data-since], .chart")) e.replaceChildren();
		for (const e of m.querySelectorAll("*")) { e.removeAttribute("title"); e.classList.remove("new"); if (!e.className) e.removeAttribute("class"); }
		return m.innerHTML.replace(/\s+/g, " ").replace(/> </g, "><");
	};
	const answer = await fetch(location.href);
	return plain(document) === plain(new DOMParser().parseFromString(await answer.text(), "text/html"));
})()`

func push(id string) delivery {
	d := issue(id)
	d.event, d.body = "push", []byte(`{"ref":"refs/heads/main","repository":{"full_name":"acme/widgets","owner":{"login":"acme"}},"sender":{"login":"grace"},"head_commit":{"id":"1","message":"Say how","url":"https://example.com/c/1"},"commits":[]}`)
	return d
}

// still fails when the page can be moved sideways.
func (b *browser) still(where string) {
	b.t.Helper()
	if over := ask[string](b, `(() => { const w = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= w) return "";
		return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > w + 1 && !e.closest("pre, nav")).slice(0, 3).map((e) => e.outerHTML.slice(0, 120)).join(" | ") || "something"; })()`); over != "" {
		b.t.Errorf("%s: it is wider than the screen: %s", where, over)
	}
}

// axeScript is a library that checks a page for those who see or move otherwise.
func axeScript(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../.tools/axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		if os.Getenv("AL_NEED_BROWSER") != "" {
			t.Fatal(err)
		}
		t.Logf("accessibility is not checked: axe-core is not here; make tools-axe fetches it with npm: %v", err)
		return ""
	}
	return string(raw)
}

// accessible fails for everything that axe finds, with its options.
func (b *browser) accessible(where, axe, options string) {
	b.t.Helper()
	if axe == "" {
		return
	}
	if !ask[bool](b, `"axe" in window`) {
		b.run(axe)
	}
	found := ask[[]string](b, `axe.run(document, { resultTypes: ["violations"], `+options+` }).then((r) => r.violations.flatMap((v) =>
		v.nodes.map((n) => v.id + ": " + v.help + ": " + n.html.slice(0, 160) + " " + (n.any[0]?.message || ""))))`)
	for _, text := range found {
		b.t.Errorf("%s: %s", where, text)
	}
}
