package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/examples/demo/signing"
)

// vendor is a payload of the demo and what has to be changed in it so that no
// delivery repeats another.
type vendor struct {
	typ        string
	payload    string
	credential string
	field      string
	header     map[string]string // "{id}" stands for the id
	id         string            // text of the payload to put the id in place of
}

var vendors = []vendor{
	{"github", "issues.labeled.json", "github_webhook_secret", "secret", map[string]string{"X-GitHub-Event": "issues", "X-GitHub-Delivery": "{id}"}, ""},
	{"sentry", "issue.created.json", "sentry_client_secret", "secret", map[string]string{"Sentry-Hook-Resource": "issue", "Request-ID": "{id}"}, ""},
	{"linear", "Issue.update.json", "linear_webhook_secret", "secret", map[string]string{"Linear-Event": "Issue", "Linear-Delivery": "{id}"}, ""},
	{"slack", "app_mention.json", "slack_signing_secret", "secret", nil, "Ev0DEMO0001"},
	{"discord", "application_command.json", "discord_bot", "public_key", nil, "{id of now}"},
	{"twitter", "tweet_create_events.json", "x_twitter_api", "consumer_secret", nil, "2100000000000000257"},
	{"mintlify", "build.failed.json", "mintlify_webhook_secret", "secret", nil, "build-0001"},
}

// eachVendor measures every provider that was built, alone, and then all of
// them in one gateway: how soon they are ready, and what each occupies.
func eachVendor(ctx context.Context, o options, t *table) error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	var built []vendor
	for _, v := range vendors {
		if _, err := os.Stat(filepath.Join(o.bin, "plugins", "al-provider-"+v.typ)); err == nil {
			built = append(built, v)
		}
	}
	for _, v := range built {
		if err := v.measure(ctx, o, t, public, private); err != nil {
			return fmt.Errorf("%s: %w", v.typ, err)
		}
	}
	g, err := launch(ctx, o, project{agents: 1, vendors: built, public: public}, false)
	if err != nil {
		return err
	}
	defer g.stop()
	var memory []string
	for typ, pid := range g.providers() {
		memory = append(memory, fmt.Sprintf("%s %.0f", typ, residentMiB(pid)))
	}
	t.add(fmt.Sprintf("%d providers", len(built)), fmt.Sprintf("ready after %.0f ms", 1000*g.ready.Seconds()), "idle MiB: "+strings.Join(memory, ", "))
	return nil
}

func (v vendor) measure(ctx context.Context, o options, t *table, public ed25519.PublicKey, private ed25519.PrivateKey) error {
	body, err := os.ReadFile(filepath.Join(o.payloads, v.typ, v.payload))
	if err != nil {
		return err
	}
	if v.id != "" && !bytes.Contains(body, []byte(v.id)) {
		return fmt.Errorf("%s does not contain %s", v.payload, v.id)
	}
	sign, ok := signing.For(v.typ)
	if !ok {
		return fmt.Errorf("nobody can sign for it")
	}
	key := []byte(secret)
	if v.typ == "discord" {
		key = private
	}
	g, err := launch(ctx, o, project{agents: 1, vendors: []vendor{v}, public: public}, false)
	if err != nil {
		return err
	}
	defer g.stop()
	r, err := loadWith(ctx, g, o.clients, o.round, 0, func(address string) request {
		return func(buf []byte, id string) []byte { return v.request(buf, address, id, body, key, sign) }
	})
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("%s, %d bytes", v.typ, len(body)), append(r.figures(), r.cost())...)
	return nil
}

// request writes one delivery, signed for itself: most vendors sign what makes
// it different from others.
func (v vendor) request(buf []byte, address, id string, body, key []byte, sign signing.Signer) []byte {
	now := time.Now()
	if v.id != "" { // 18 digits without a leading zero: some ids are numbers
		body = bytes.ReplaceAll(body, []byte(v.id), []byte("1"+id[max(0, len(id)-17):]))
	}
	body = bytes.ReplaceAll(body, []byte(`"{now in ms}"`), strconv.AppendInt(nil, now.UnixMilli(), 10))
	h := http.Header{"Content-Type": {"application/json"}}
	for name, value := range v.header {
		h.Set(name, strings.ReplaceAll(value, "{id}", id))
	}
	sign(h, key, body, now)
	buf = fmt.Appendf(buf, "POST /webhooks/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", v.typ, address, len(body))
	for name, values := range h {
		buf = fmt.Appendf(buf, "%s: %s\r\n", name, values[0])
	}
	buf = append(buf, "\r\n"...)
	return append(buf, body...)
}

// files are a project's that waits for everything from some vendors.
func vendorFiles(dir, credentials string, vs []vendor, public ed25519.PublicKey) map[string]string {
	config := "scale = 1\n[gateway]\nshutdownGrace = \"0s\"\n[runner]\ncommand = [\"sleep\", \"100000\"]\n"
	triggers := "maxWorkQueueSize = 10000000\n"
	files := map[string]string{filepath.Join(dir, "agents", "all", "SKILL.md"): "Look at it.\n"}
	for _, v := range vs {
		config += fmt.Sprintf("[webhooks.%s]\ntype = %q\ncredential = \"bench\"\n", v.typ, v.typ)
		triggers += fmt.Sprintf("[[webhooks]]\nsource = %q\n", v.typ)
		store := func(field, value string) {
			files[filepath.Join(credentials, v.credential, "bench", field)] = value
		}
		switch v.typ {
		case "discord":
			store("application_id", "1200000000000000001")
			store("bot_token", "a bot token")
			store(v.field, hex.EncodeToString(public))
		case "twitter":
			store("consumer_key", "a key")
			store("bearer_token", "a token")
			store(v.field, secret)
		default:
			store(v.field, secret)
		}
	}
	files[filepath.Join(dir, "config.toml")] = config
	files[filepath.Join(dir, "agents", "all", "config.toml")] = triggers
	return files
}
