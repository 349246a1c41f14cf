package scaffold

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// seeds make the key pairs of cases, which protect nothing.
func seeds() []string {
	return []string{"the key pair of the cases, no. 1", "the key pair of the cases, no. 2"}
}

// received is when the requests of cases arrive, unless they say otherwise: what
// the kit takes for granted.
var received = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// oneCase is what differs between cases.
type oneCase struct {
	name    string
	id      string
	body    string
	unsaid  bool // nobody signs it
	wrong   bool // signed with another secret
	next    bool // signed with the second secret of two
	late    bool
	filters string
	want    string // after "which"
}

// event is the outcome of a delivery with one event.
func (d data) event(name, id, at, data string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  \"events\": [\n    {\n      \"deliveryId\": %q,\n      \"event\": %q,\n", id, name)
	if at != "" {
		fmt.Fprintf(&b, "      \"timestamp\": %q,\n", at)
	}
	if data != "" {
		fmt.Fprintf(&b, "      \"extra\": {\n        \"data\": %s\n      },\n", data)
	}
	fmt.Fprintf(&b, "      \"attributes\": {\n        \"event\": [\n          %q\n        ]\n      }\n    }\n  ]\n", name)
	return b.String()
}

// body is one of the vendor's; the id is a header's where the scheme says so.
func (d data) body(id, rest string) string {
	if d.Scheme == standardWebhooks {
		return "{" + rest + "}"
	}
	return `{"id":"` + id + `",` + rest + "}"
}

func (d data) cases() ([]File, error) {
	const at = "2025-12-31T23:59:58Z"
	order := `"type":"order.created","` + d.TimeField + `":"` + at + `","data":{"order":"A-17","total":9007199254740993,"customer":"Bob & \"Eve\" <3"}`
	orderData := "{\n          \"customer\": \"Bob & \\\"Eve\\\" <3\",\n          \"order\": \"A-17\",\n          \"total\": 9007199254740993\n        }"
	const none = "  \"events\": []\n"
	all := []oneCase{
		{
			name: "order.created", id: "evt_1", body: d.body("evt_1", order),
			filters: "pass\npass events = [\"order.created\", \"order.paid\"]\nhold events = \"ping\"\nhold events = \"Order.Created\"\n",
			want:    d.event("order.created", "evt_1", at, orderData),
		},
		{name: "ping", id: "evt_2", body: d.body("evt_2", `"type":"ping"`), want: d.event("ping", "evt_2", "", "")},
		{
			name: "second-secret", id: "evt_3", next: true, body: d.body("evt_3", `"type":"order.created","data":null`),
			want: d.event("order.created", "evt_3", "", ""),
		},
		{name: "no-type", id: "evt_4", body: d.body("evt_4", `"data":{}`), want: "  \"error\": \"unparseable\",\n" + none},
		{name: "not-json", id: "evt_5", body: "Hello", want: "  \"error\": \"unparseable\",\n" + none},
		{name: "unsigned", id: "evt_6", unsaid: true, body: d.body("evt_6", `"type":"ping"`), want: "  \"error\": \"bad signature\",\n" + none},
		{name: "bad-signature", id: "evt_7", wrong: true, body: d.body("evt_7", `"type":"ping"`), want: "  \"error\": \"bad signature\",\n" + none},
	}
	if d.Times {
		all = append(all, oneCase{name: "stale", id: "evt_8", late: true, body: d.body("evt_8", `"type":"ping"`), want: "  \"error\": \"stale\",\n" + none})
	}
	files := make([]File, 0, len(all))
	for _, c := range all {
		text, err := d.text(c)
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", c.name, err)
		}
		files = append(files, File{Name: "cases/" + c.name + ".txtar", Text: []byte(text)})
	}
	return files, nil
}

// text writes a case as the kit reads it.
func (d data) text(c oneCase) (string, error) {
	req := sdk.Request{Header: http.Header{}, Body: []byte(c.body), ReceivedAt: received}
	if d.Scheme == standardWebhooks {
		req.Header.Set(sdk.StandardWebhooksID, c.id)
	}
	key := d.key(1)
	which := 0
	switch {
	case c.wrong:
		key = d.key(3)
	case c.next:
		key, which = d.key(2), 1
	}
	if !c.unsaid {
		if err := d.sign(&req, key); err != nil {
			return "", err
		}
	}
	var head strings.Builder
	if err := req.Header.Write(&head); err != nil { // in the order of names
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- request.http --\nPOST /webhooks/%s HTTP/1.1\nContent-Type: application/json\n%s\n%s\n", d.Type, strings.ReplaceAll(head.String(), "\r\n", "\n"), c.body)
	fmt.Fprintf(&b, "-- secrets --\nshop %s=%s\n", d.Field, d.public(d.key(1)))
	if c.next {
		fmt.Fprintf(&b, "# two during a rotation\nshop/next %s=%s\n", d.Field, d.public(d.key(2)))
	}
	if c.late {
		fmt.Fprintf(&b, "-- options --\nreceivedAt: %s\n", received.Add(5*time.Minute+time.Second).Format(time.RFC3339))
	}
	if c.filters != "" {
		fmt.Fprintf(&b, "-- filters --\n%s", c.filters)
	}
	b.WriteString("-- want.json --\n{\n")
	if !strings.Contains(c.want, `"bad signature"`) && !strings.Contains(c.want, `"stale"`) {
		fmt.Fprintf(&b, "  \"which\": [\n    %d\n  ],\n", which)
	}
	b.WriteString(c.want + "}\n")
	return b.String(), nil
}

// key is a credential of the cases, which protects nothing: what signs.
func (d data) key(n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "key %d of the cases", n))
	switch d.Scheme {
	case standardWebhooks:
		return "whsec_" + base64.StdEncoding.EncodeToString(sum[:24])
	case "ed25519":
		if n <= len(seeds()) {
			return seeds()[n-1]
		}
		return string(sum[:])
	default:
		return "case_" + hex.EncodeToString(sum[:16])
	}
}

// public is what a source is given of a key.
func (d data) public(key string) string {
	if d.Scheme != "ed25519" {
		return key
	}
	public, _ := ed25519.NewKeyFromSeed([]byte(key)).Public().(ed25519.PublicKey)
	return hex.EncodeToString(public)
}

// sign signs as the vendor would.
func (d data) sign(req *sdk.Request, key string) error {
	switch d.Scheme {
	case "hmac-hex":
		req.Header.Set(d.Header, sdk.SignHMACSHA256(d.Prefix, key, req.Body))
	case "hmac-base64":
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(req.Body)
		req.Header.Set(d.Header, d.Prefix+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	case "timestamped":
		req.Header.Set(d.Header, sdk.SignTimestampedHMAC(key, req.ReceivedAt, req.Body))
	case "token":
		req.Header.Set(d.Header, d.Prefix+key)
	case "ed25519":
		at := strconv.FormatInt(req.ReceivedAt.Unix(), 10)
		req.Header.Set(d.TimestampHeader, at)
		signature := ed25519.Sign(ed25519.NewKeyFromSeed([]byte(key)), append([]byte(at), req.Body...))
		req.Header.Set(d.Header, d.Prefix+hex.EncodeToString(signature))
	default:
		return sdk.SignStandardWebhooks(req.Header, key, req.Header.Get(sdk.StandardWebhooksID), req.ReceivedAt, req.Body)
	}
	return nil
}

// samples are the bodies that al webhook send can make.
func (d data) samples() map[string]string {
	return map[string]string{
		"order.created": d.body("evt_{{hex}}", `"type":"order.created","`+d.TimeField+`":"{{time}}Z","data":{"order":"{{code}}","total":42,"customer":"Ada"}`),
		"ping":          d.body("evt_{{hex}}", `"type":"ping","`+d.TimeField+`":"{{time}}Z"`),
	}
}
