//go:build e2e

package e2e

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/examples/demo/signing"
)

// vendor is what it takes to send a payload as a vendor would.
type vendor struct {
	credential string
	field      string
	// prepare makes a request of a payload that was recorded some day.
	prepare func(t *testing.T, name string, payload []byte, h http.Header) []byte
	quiet   []string // payloads that start nothing, by the beginning of their names
	asks    string   // filters that name what an entry without them does not get
}

func header(name string) func(*testing.T, string, []byte, http.Header) []byte {
	return func(_ *testing.T, file string, payload []byte, h http.Header) []byte {
		event, _, _ := strings.Cut(file, ".")
		h.Set(name, event)
		return payload
	}
}

var vendors = map[string]vendor{
	"github": {credential: "github_webhook_secret", field: "secret", prepare: header("X-GitHub-Event"), quiet: []string{"ping"}},
	"sentry": {credential: "sentry_client_secret", field: "secret", prepare: header("Sentry-Hook-Resource")},
	"linear": {credential: "linear_webhook_secret", field: "secret", prepare: fresh},
	"slack": {credential: "slack_signing_secret", field: "secret", prepare: slackRequest,
		quiet: []string{"url_verification"},
		asks:  "from = [\"person\", \"bot\", \"slack\", \"self\"]\ninclude = [\"edits\", \"deletions\", \"hidden\"]\n"},
	"discord": {credential: "discord_bot", field: "public_key", prepare: asIs, quiet: []string{"ping", "autocomplete"}},
	"twitter": {credential: "x_twitter_api", field: "consumer_secret", prepare: asIs, quiet: []string{"tweet_object"},
		asks: "origins = [\"self\"]\n"},
}

func asIs(_ *testing.T, _ string, payload []byte, _ http.Header) []byte { return payload }

var webhookTimestamp = regexp.MustCompile(`"webhookTimestamp":\s*[0-9]+`)

// fresh gives a payload the time of now, which Linear signs with it.
func fresh(t *testing.T, file string, payload []byte, h http.Header) []byte {
	event, _, _ := strings.Cut(file, ".")
	h.Set("Linear-Event", event)
	now := fmt.Sprintf(`"webhookTimestamp": %d`, time.Now().UnixMilli())
	if webhookTimestamp.Match(payload) {
		return webhookTimestamp.ReplaceAll(payload, []byte(now))
	}
	i := bytes.LastIndexByte(payload, '}')
	if i < 0 {
		t.Fatalf("%s is no object", file)
	}
	return slices.Concat(payload[:i], []byte(","+now), payload[i:])
}

// slackRequest puts what was recorded into the envelope that it travels in.
func slackRequest(t *testing.T, file string, payload []byte, h http.Header) []byte {
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	switch {
	case strings.HasSuffix(file, ".form_fields.json"):
		var fields map[string]string
		if err := json.Unmarshal(payload, &fields); err != nil {
			t.Fatal(err)
		}
		form := url.Values{}
		for k, v := range fields {
			form.Set(k, v)
		}
		return []byte(form.Encode())
	case strings.HasPrefix(file, "block_actions"), strings.HasPrefix(file, "message_action"), strings.HasPrefix(file, "view_"):
		return []byte(url.Values{"payload": {string(payload)}}.Encode())
	}
	h.Set("Content-Type", "application/json")
	if strings.HasSuffix(file, ".inner.json") {
		return fmt.Appendf(nil, `{"token":"x","team_id":"T1","api_app_id":"A1","type":"event_callback","event_id":%q,"event_time":%d,"event":%s}`,
			"Ev"+file, time.Now().Unix(), payload)
	}
	// Some were recorded with one made-up id for all.
	return eventID.ReplaceAll(payload, []byte(`"event_id": "Ev`+file+`"`))
}

var eventID = regexp.MustCompile(`"event_id":\s*"[^"]*"`)

// Every real payload of every vendor passes through the gateway: none is
// answered with an error, and all start an agent but the handshakes and what no
// trigger asks for.
func TestCorpusOfEveryVendor(t *testing.T) {
	corpus := "../../shared/corpus"
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("no corpus beside this checkout; the providers' own fixtures cover each event")
	}
	p, types, private := everyVendor(t)
	g := p.start()

	for _, typ := range types {
		t.Run(typ, func(t *testing.T) {
			v := vendors[typ]
			sign, ok := signing.For(typ)
			if !ok {
				t.Fatal("nobody can sign for it")
			}
			key := []byte(secret)
			if typ == "discord" {
				key = private
			}
			files, err := filepath.Glob(filepath.Join(corpus, typ, "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no payloads: %v", err)
			}
			for _, file := range files {
				payload, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				name := filepath.Base(file)
				h := http.Header{"Content-Type": {"application/json"}}
				body := v.prepare(t, name, payload, h)
				quiet := slices.ContainsFunc(v.quiet, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
				before := queued(t, g)
				code, text := post(t, g.url+"/webhooks/"+typ, h, body, key, sign)
				if code < 200 || code > 299 {
					t.Errorf("%s: answered %d %s", name, code, text)
					continue
				}
				switch started := queued(t, g) - before; {
				case !quiet && started < 1:
					t.Errorf("%s: answered %d %s, and started nothing", name, code, text)
				case quiet && started > 0:
					t.Errorf("%s: answered %d %s, and started an agent", name, code, text)
				}
				// The same bytes from somebody else are refused.
				stranger := []byte("somebody else's secret")
				if typ == "discord" {
					_, stranger, _ = ed25519.GenerateKey(nil)
				}
				if code, text := post(t, g.url+"/webhooks/"+typ, h.Clone(), body, stranger, sign); code != http.StatusUnauthorized {
					t.Errorf("%s, from a stranger: answered %d %s; want 401", name, code, text)
				}
			}
			t.Logf("%d payloads", len(files))
		})
	}
}

// everyVendor is a project with a source of each vendor whose provider is built,
// named like its type, and an agent that all of them start. The key is the one
// that signs for Discord.
func everyVendor(t *testing.T) (p *project, types []string, private ed25519.PrivateKey) {
	t.Helper()
	installed, err := filepath.Glob("../bin/plugins/al-provider-*")
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	configText, triggers := "scale = 4\nworkQueueSize = 10000\n[runner]\ncommand = [\"true\"]\n", ""
	for _, typ := range slices.Sorted(maps.Keys(vendors)) {
		if slices.Contains(installed, "../bin/plugins/al-provider-"+typ) {
			types = append(types, typ)
			configText += fmt.Sprintf("[webhooks.%s]\ntype = %q\ncredential = \"main\"\n", typ, typ)
			triggers += fmt.Sprintf("[[webhooks]]\nsource = %q\n", typ)
			if asks := vendors[typ].asks; asks != "" {
				triggers += fmt.Sprintf("[[webhooks]]\nsource = %q\n%s", typ, asks)
			}
		}
	}
	p = newProject(t, map[string]string{"config.toml": configText, "agents/dev/config.toml": triggers, "agents/dev/SKILL.md": "Look.\n"})
	for _, typ := range types {
		p.credential(vendors[typ].credential, "main", vendors[typ].field, secret)
	}
	p.credential("discord_bot", "main", "public_key", hex.EncodeToString(public))
	p.credential("discord_bot", "main", "application_id", "1380486651436073092")
	p.credential("discord_bot", "main", "bot_token", "a bot token")
	p.credential("x_twitter_api", "main", "consumer_key", "a key")
	p.credential("x_twitter_api", "main", "bearer_token", "a bearer token")
	p.credential("discord_bot", "main", "test_private_key", "ed25519:"+hex.EncodeToString(private.Seed()))
	return p, types, private
}

func post(t *testing.T, target string, h http.Header, body, key []byte, sign signing.Signer) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = h.Clone()
	sign(req.Header, key, body, time.Now())
	resp, err := httpClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

var queuedEvents = regexp.MustCompile(`(?m)^al_events_total\{outcome="queued",provider="[a-z]+"\} ([0-9]+)`)

// queued is how many events started something so far, by the metrics: what some
// vendors are answered does not say it.
func queued(t *testing.T, g *gateway) int {
	t.Helper()
	resp, err := httpClient.Get(g.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, m := range queuedEvents.FindAllSubmatch(text, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
