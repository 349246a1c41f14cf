package providertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	bellSignature = "X-Bell-Signature"
	bellTimestamp = "X-Bell-Timestamp"
)

// bell is a whole provider, of a door bell: it signs a time and its body, asks
// for a handshake and knows two events. It does what the kit wants, and tests
// break it in one place each.
type bell struct {
	describe  func(*sdk.Descriptor)
	verify    func(sdk.Request, []sdk.Secret) (sdk.Which, error)
	challenge func(sdk.Request) (*sdk.Reply, error)
	parse     func(sdk.Request) ([]sdk.Event, error)
	sample    func(sdk.SampleAsk) (sdk.Request, error)
}

func (b bell) Describe() sdk.Descriptor {
	d := sdk.Descriptor{
		Type: "bell", Name: "Door bell", Version: "1.0.0",
		Credential: sdk.Credential{Type: "bell_secret", Fields: []sdk.Field{
			{Name: "secret", Label: "Secret", Secret: true, Generated: true},
		}},
		SignatureHeaders: []string{bellSignature, "X-Bell-Old-Signature"},
		DeliveryIDHeader: "X-Bell-Delivery",
		Filters: []sdk.Filter{
			{Name: "events", Attribute: "event", Values: []string{"ring", "knock"}},
			{Name: "doors", Attribute: "door"},
			{Name: "visitor", Kind: sdk.String, Attribute: "visitor", PassAbsent: true, MatchCase: true, OptIn: []string{"Robot"}},
		},
		Example:       map[string][]string{"events": {"ring"}, "doors": {"front"}},
		ReplyDeadline: 3 * time.Second,
	}
	if b.describe != nil {
		b.describe(&d)
	}
	return d
}

func (b bell) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	if b.verify != nil {
		return b.verify(req, secrets)
	}
	return goodVerify(req, secrets)
}

func goodVerify(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, bellSignature, "sha256=")
	if err != nil {
		return nil, err
	}
	stamps := req.Header.Values(bellTimestamp)
	if len(stamps) != 1 {
		return nil, fmt.Errorf("%w: not one %s", sdk.ErrBadSignature, bellTimestamp)
	}
	which, err := sdk.VerifyHMACSHA256(secrets, "secret", signature, []byte(stamps[0]), []byte("."), req.Body)
	if err != nil {
		return nil, err
	}
	return which, sdk.CheckTimestamp(stamps[0], req.ReceivedAt, 5*time.Minute)
}

func (b bell) Challenge(_ context.Context, req sdk.Request, _ []sdk.Secret) (*sdk.Reply, error) {
	if b.challenge != nil {
		return b.challenge(req)
	}
	var probe struct{ Echo string }
	_ = json.Unmarshal(req.Body, &probe) // Parse says what is wrong with it
	if probe.Echo == "" {
		return nil, nil
	}
	return &sdk.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte(probe.Echo)}, nil
}

func (b bell) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	if b.parse != nil {
		return b.parse(req)
	}
	return goodParse(req)
}

func goodParse(req sdk.Request) ([]sdk.Event, error) {
	if !bytes.HasPrefix(req.Body, []byte("{")) {
		return nil, sdk.Unparseable("body is not an object")
	}
	var ring struct {
		Door    string
		Visitor *struct{ Name string }
		Token   json.Number
	}
	if err := json.Unmarshal(req.Body, &ring); err != nil {
		return nil, sdk.Unparseable("body is not what a bell sends")
	}
	e := sdk.Event{DeliveryID: req.Header.Get("X-Bell-Delivery"), Name: "knock", Timestamp: req.ReceivedAt}
	e.Attributes = map[string][]string{"event": {"knock"}}
	if ring.Door != "" {
		e.Name = "ring"
		e.Attributes["event"] = []string{"ring"}
		e.Attributes["door"] = []string{ring.Door}
	}
	if ring.Visitor != nil && ring.Visitor.Name != "" {
		e.Sender = ring.Visitor.Name
		e.Attributes["visitor"] = []string{ring.Visitor.Name}
	}
	if ring.Token != "" {
		e.Extra = map[string]any{"answer": map[string]any{"token": ring.Token}}
		e.Sensitive = []string{"answer.token"}
	}
	return []sdk.Event{e}, nil
}

func (bell) Samples() []sdk.Sample {
	return []sdk.Sample{{Name: "ring", Help: "Somebody rings at the front door."}, {Name: "knock", Help: "Somebody knocks."}}
}

func (b bell) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	if b.sample != nil {
		return b.sample(ask)
	}
	return goodSample(ask)
}

func goodSample(ask sdk.SampleAsk) (sdk.Request, error) {
	body := ask.Body
	if body == nil {
		text, ok := map[string]string{"ring": `{"door":"front","at":"{{time}}"}`, "knock": `{"at":"{{time}}"}`}[ask.Name]
		if !ok {
			return sdk.Request{}, sdk.ErrNoSample
		}
		body = []byte(ask.Fill(text))
	}
	req := sdk.Request{
		Method: http.MethodPost, Body: body, ReceivedAt: ask.SentAt,
		Header: http.Header{"Content-Type": {"application/json"}, "X-Bell-Delivery": {ask.Fill("{{uuid}}")}},
	}
	if ask.Secret != nil {
		signBell(&req, ask.Secret.Fields)
	}
	return req, nil
}

// signBell is how the vendor signs.
func signBell(req *sdk.Request, secret map[string]string) {
	stamp := fmt.Sprint(req.ReceivedAt.Unix())
	req.Header.Set(bellTimestamp, stamp)
	req.Header.Set(bellSignature, sdk.SignHMACSHA256("sha256=", secret["secret"], []byte(stamp+"."), req.Body))
}
