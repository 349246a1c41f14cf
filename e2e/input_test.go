//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestWhatADeliveryIsAnswered(t *testing.T) {
	p := newProject(t, map[string]string{
		"config.toml": `
scale = 4
[gateway]
maxBodyBytes = "1MiB"
[runner]
command = ["true"]
[webhooks.main]
type = "github"
credential = ["old", "main"]
[webhooks.other]
type = "github"
credential = "other"
`,
		"agents/dev/config.toml": "[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\n",
		"agents/dev/SKILL.md":    "Look at it.\n",
	})
	p.credential("github_webhook_secret", "old", "secret", "the one before")
	p.credential("github_webhook_secret", "other", "secret", "somebody else's")
	g := p.start()
	big := issue("big")
	big.body = append(big.body, bytes.Repeat([]byte(" "), 1<<20)...)
	form := issue("form")
	form.body = []byte("payload=" + url.QueryEscape(string(form.body)))
	form.header = map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
	with := func(d delivery, change func(*delivery)) delivery { change(&d); return d }

	for _, tt := range []struct {
		name string
		send delivery
		code int
		want string
	}{
		{"matches", issue("a"), 200, `"queued":1`},
		{"the same again", issue("a"), 200, `"duplicate":true`},
		{"signed with the secret that is being replaced", with(issue("b"), func(d *delivery) { d.secret = "the one before" }), 200, `"queued":1`},
		{"addressed to its source", with(issue("c"), func(d *delivery) { d.path = "/webhooks/github/main" }), 200, `"queued":1`},
		{"addressed to another source", with(issue("d"), func(d *delivery) { d.path = "/webhooks/github/other" }), 401, `"bad_signature"`},
		{"signed for a source without triggers", with(issue("e"), func(d *delivery) { d.secret = "somebody else's" }), 200, `"matched":0`},
		{"another event", with(issue("f"), func(d *delivery) { d.event = "star" }), 200, `"matched":0`},
		{"a ping", with(issue("g"), func(d *delivery) { d.event = "ping"; d.body = []byte(`{"zen":"z","hook_id":1}`) }), 200, `"events":0`},
		{"form-encoded", form, 200, `"queued":1`},
		{"unknown type", with(issue("h"), func(d *delivery) { d.path = "/webhooks/nosuch" }), 404, `"unknown_type"`},
		{"unknown source", with(issue("i"), func(d *delivery) { d.path = "/webhooks/github/nosuch" }), 404, `"unknown_source"`},
		{"wrong secret", with(issue("j"), func(d *delivery) { d.secret = "guess" }), 401, `"bad_signature"`},
		{"no signature", with(issue("k"), func(d *delivery) { d.header = map[string]string{"X-Hub-Signature-256": ""} }), 401, `"bad_signature"`},
		{"only the legacy signature", with(issue("l"), func(d *delivery) {
			d.header = map[string]string{"X-Hub-Signature-256": "", "X-Hub-Signature": "sha1=00"}
		}), 401, `"bad_signature"`},
		{"no event name", with(issue("m"), func(d *delivery) { d.header = map[string]string{"X-GitHub-Event": ""} }), 400, `"unparseable"`},
		{"signed, but not JSON", with(issue("n"), func(d *delivery) { d.body = []byte("not json") }), 400, `"unparseable"`},
		{"empty body", with(issue("o"), func(d *delivery) { d.body = nil }), 400, `"unparseable"`},
		{"too large", big, 413, `"too_large"`},
		{"a header that is not UTF-8", with(issue("q"), func(d *delivery) { d.header = map[string]string{"X-Odd": "caf\xe9"} }), 200, `"queued":1`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := g.mustSend(tt.send)
			if a.code != tt.code || !strings.Contains(a.text, tt.want) {
				t.Errorf("answered %d %s; want %d with %s", a.code, a.text, tt.code, tt.want)
			}
		})
	}

	if code := g.get("/webhooks/github"); code != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered %d; want 405 where there are no handshakes by GET", code)
	}
	g.stop()
}

func TestFiftyIdenticalDeliveriesAtOnceAreOneJob(t *testing.T) {
	g := newProject(t, standard(anyIssue)).start()
	var sending sync.WaitGroup
	answers := make([]answer, 50)
	for i := range answers {
		sending.Go(func() { answers[i], _ = g.send(issue("same")) })
	}
	sending.Wait()
	queued, repeats := 0, 0
	for _, a := range answers {
		queued += a.Queued
		if a.Duplicate {
			repeats++
		}
	}
	if queued != 1 || repeats != 49 {
		t.Errorf("%d jobs and %d duplicates; want 1 and 49", queued, repeats)
	}
}

func TestUnsignedSourceTakesOnlyWhatNobodySigned(t *testing.T) {
	files := standard(anyIssue)
	files["config.toml"] = "[runner]\ncommand = [\"true\"]\n[webhooks.main]\ntype = \"github\"\n"
	g := newProject(t, files).start()
	unsigned := issue("a")
	unsigned.header = map[string]string{"X-Hub-Signature-256": ""}
	if a := g.mustSend(unsigned); a.code != http.StatusOK || a.Queued != 1 {
		t.Errorf("unsigned: answered %d %s", a.code, a.text)
	}
	if a := g.mustSend(issue("b")); a.code != http.StatusUnauthorized {
		t.Errorf("signed by somebody: answered %d %s; it must never count as unsigned", a.code, a.text)
	}
	if !strings.Contains(g.log.String(), "unsigned") {
		t.Errorf("nothing warns of the unsigned source\n%s", g.log)
	}
}

// raw speaks HTTP by hand, for what net/http would not send.
func raw(t *testing.T, g *gateway, request string, body io.Reader) (*http.Response, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if body != nil {
		go func() { _, _ = io.Copy(conn, body) }()
	}
	return http.ReadResponse(bufio.NewReader(conn), nil)
}

func TestBodiesThatLieAboutTheirLength(t *testing.T) {
	files := standard(anyIssue)
	files["config.toml"] += "[gateway]\nmaxBodyBytes = \"64KiB\"\nreadTimeout = \"1s\"\n"
	g := newProject(t, files).start()

	resp, err := raw(t, g, "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", nil)
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("announces too much: %v, %v; want 413", resp, err)
	}

	chunk := strings.Repeat("x", 16<<10)
	var chunks strings.Builder
	for range 6 {
		fmt.Fprintf(&chunks, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	chunks.WriteString("0\r\n\r\n")
	resp, err = raw(t, g, "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", strings.NewReader(chunks.String()))
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("chunked and too large: %v, %v; want 413, never a cut body judged as a bad signature", resp, err)
	}

	// Announces more than it sends, and a sender that drips: both are closed.
	for name, request := range map[string]string{
		"short body":      "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc",
		"no body at all":  "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
		"half the header": "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nX-Slow: ",
	} {
		began := time.Now()
		resp, err := raw(t, g, request, nil)
		if err == nil && resp.StatusCode < 400 {
			t.Errorf("%s: answered %d", name, resp.StatusCode)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: held for %s", name, took)
		}
	}
	if g.get("/health") != http.StatusOK {
		t.Error("not healthy afterwards")
	}
}

// A hundred strangers send 32 MiB each. Memory stays bounded, the gateway says
// 503 beyond that, and answers others meanwhile.
func TestManyLargeBodiesDoNotFillTheMemory(t *testing.T) {
	g := newProject(t, standard(anyIssue)).start()
	const size = 32 << 20
	stop := make(chan struct{})
	var senders sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for range 100 {
		senders.Go(func() {
			body := io.LimitReader(zeros{}, size)
			req, err := http.NewRequest(http.MethodPost, g.url+"/webhooks/github", body)
			if err != nil {
				t.Error(err)
				return
			}
			req.ContentLength = size
			req.Header.Set("X-GitHub-Event", "issues")
			req.Header.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64))
			resp, err := httpClient.Do(req)
			if err != nil {
				return // closed while it was still sending: that is allowed
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			mu.Lock()
			codes[resp.StatusCode]++
			mu.Unlock()
		})
	}
	peak, slowest := 0, time.Duration(0)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			began := time.Now()
			if g.get("/health") != http.StatusOK {
				t.Error("/health failed under load")
			}
			slowest = max(slowest, time.Since(began))
			peak = max(peak, residentMiB(t, g.cmd.Process.Pid))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	senders.Wait()
	close(stop)
	watching.Wait()
	t.Logf("answers %v, peak %d MiB resident, slowest /health %s", codes, peak, slowest)
	for code := range codes {
		if code != http.StatusServiceUnavailable && code != http.StatusUnauthorized {
			t.Errorf("some were answered %d; want 503 or 401", code)
		}
	}
	if peak > 700 { // 100 bodies alone would be 3,200
		t.Errorf("resident memory rose to %d MiB", peak)
	}
	if slowest > 5*time.Second {
		t.Errorf("/health took %s", slowest)
	}
	if a := g.mustSend(issue("after")); a.Queued != 1 {
		t.Errorf("afterwards: answered %d %s", a.code, a.text)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func residentMiB(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(raw))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

// GitHub sends up to 25 MB of JSON, and more when it is form-encoded.
func TestLargestPayload(t *testing.T) {
	g := newProject(t, standard(anyIssue)).start()
	large := issue("json")
	text := bytes.Repeat([]byte("a widget, "), 25<<20/10)
	large.body = fmt.Appendf(nil, `{"action":"opened","issue":{"number":1,"title":"t","body":%q},"repository":{"full_name":"a/b"}}`, text)
	if a := g.mustSend(large); a.code != http.StatusOK || a.Queued != 1 {
		t.Errorf("%d bytes of JSON: answered %d %s", len(large.body), a.code, a.text)
	}
	form := large
	form.id = "form"
	form.body = append([]byte("payload="), bytes.ReplaceAll(bytes.ReplaceAll(large.body, []byte(`"`), []byte("%22")), []byte(" "), []byte("+"))...)
	form.header = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	if a := g.mustSend(form); a.code != http.StatusOK || a.Queued != 1 {
		t.Errorf("%d bytes of form: answered %d %s", len(form.body), a.code, a.text)
	}
}
