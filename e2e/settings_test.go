//go:build e2e

package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Two senders that nobody has written a provider for: they differ in how they
// sign, in their headers and in what there is to filter by. Each starts its own
// agent, and the secret of one is no good in the other's way to sign.
func TestSendersThatOnlySettingsKnow(t *testing.T) {
	p := newProject(t, map[string]string{
		"config.toml": `
scale = 4
[runner]
command = ["true"]

[webhooks.shop]
type = "hmac"
credential = "shop"
signatureHeader = "X-Shop-Hmac"
encoding = "base64"
event = "header:X-Shop-Topic"
deliveryId = "header:X-Shop-Id"
attributes = { status = "order.status" }

[webhooks.billing]
type = "hmac"
credential = "billing"
signatureHeader = "X-Billing-Signature"
prefix = "v1="
timestampHeader = "X-Billing-Timestamp"
signed = "{timestamp}.{body}"
event = "type"
deliveryId = "id"
[webhooks.billing.attributes]
plan = "data.plan"
`,
		"agents/orders/config.toml":   "[[webhooks]]\nsource = \"shop\"\nevents = [\"orders/updated\"]\nstatus = [\"paid\"]\n",
		"agents/orders/SKILL.md":      "Look.\n",
		"agents/invoices/config.toml": "[[webhooks]]\nsource = \"billing\"\nplan = \"team\"\n",
		"agents/invoices/SKILL.md":    "Look.\n",
	})
	p.credential("hmac_secret", "shop", "secret", "the secret of the shop")
	p.credential("hmac_secret", "billing", "secret", "the secret of the billing")
	g := p.start()

	now := fmt.Sprint(time.Now().Unix())
	shop := func(secret, id, body string) (int, string) {
		return sendTo(t, g.url+"/webhooks/hmac", body, map[string]string{
			"X-Shop-Topic": "orders/updated", "X-Shop-Id": id,
			"X-Shop-Hmac": base64.StdEncoding.EncodeToString(macOf(secret, body)),
		})
	}
	billing := func(secret, body string) (int, string) {
		return sendTo(t, g.url+"/webhooks/hmac", body, map[string]string{
			"X-Billing-Timestamp": now,
			"X-Billing-Signature": "v1=" + hex.EncodeToString(macOf(secret, now+"."+body)),
		})
	}
	answered := func(what string, code int, text string, wantCode int, want string) {
		t.Helper()
		if code != wantCode || !strings.Contains(text, want) {
			t.Errorf("%s: answered %d %s; want %d %s", what, code, text, wantCode, want)
		}
	}

	code, text := shop("the secret of the shop", "o-1", `{"order":{"status":"paid"}}`)
	answered("a paid order", code, text, http.StatusOK, `"matched":1,"queued":1`)
	code, text = shop("the secret of the shop", "o-1", `{"order":{"status":"paid"}}`)
	answered("the same again", code, text, http.StatusOK, `"duplicate":true`)
	code, text = shop("the secret of the shop", "o-2", `{"order":{"status":"open"}}`)
	answered("an open order", code, text, http.StatusOK, `"matched":0`)
	code, text = billing("the secret of the billing", `{"id":"i-1","type":"invoice.paid","data":{"plan":"team"}}`)
	answered("an invoice", code, text, http.StatusOK, `"matched":1,"queued":1`)
	code, text = shop("the secret of the billing", "o-3", `{"order":{"status":"paid"}}`)
	answered("the secret of the other", code, text, http.StatusUnauthorized, "")
	code, text = billing("the secret of the shop", `{"id":"i-2","data":{"plan":"team"}}`)
	answered("the other way round", code, text, http.StatusUnauthorized, "")

	g.await("each agent has run once, and nothing else", func() bool {
		out, _ := p.al("webhook", "ls", "-n", "0", "-p", p.dir)
		return strings.Count(out, "orders done") == 1 && strings.Count(out, "invoices done") == 1
	})
	out, _ := p.al("doctor", "-p", p.dir)
	if !strings.Contains(out, "0 errors") {
		t.Errorf("doctor:\n%s", out)
	}
	for _, source := range []string{"shop", "billing"} {
		if out, code := p.al("webhook", "send", "hmac", "webhook", "--source", source, "-p", p.dir); code != 0 {
			t.Errorf("a sample for %s: %s", source, out)
		}
	}
}

func macOf(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func sendTo(t *testing.T, url, body string, headers map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text.String()
}
