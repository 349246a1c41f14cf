package cli_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/action-llama/gateway/sdk"
)

// chime is a provider whose vendor hands out a credential of several fields.
type chime struct{ bell }

func (chime) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "chime", Name: "Chime", Version: "0.1.0",
		Credential: sdk.Credential{Type: "chime_app", Fields: []sdk.Field{
			{Name: "app_id", Label: "App ID", Pattern: "[0-9]{4}", Help: "Four digits, on the app's page."},
			{Name: "token", Label: "Token", Secret: true, Help: "Below the app ID."},
			{Name: "webhook_token", Label: "Second token", Secret: true, Optional: true},
		}},
		SignatureHeaders: []string{"X-Chime-Signature"},
		Filters: []sdk.Filter{
			{Name: "rooms", Attribute: "room"}, {Name: "topic", Kind: sdk.String, Attribute: "topic"},
		},
		Setup:   "Point it to {url}",
		Example: map[string][]string{"topic": {"weather"}},
	}
}

// gullible is a provider that takes whatever anybody signs.
type gullible struct{ bell }

func (gullible) Describe() sdk.Descriptor {
	d := bell{}.Describe()
	d.Type, d.Name, d.Credential.Type = "gullible", "Gullible", "gullible_secret"
	return d
}

func (gullible) Verify(_ context.Context, _ sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	which := make(sdk.Which, len(secrets))
	for i := range secrets {
		which[i] = i
	}
	return which, nil
}

// github stands in for the provider of projects that were there before: the
// filters and the credential are its own, the payload is not.
type github struct{}

func (github) Describe() sdk.Descriptor {
	d := sdk.Descriptor{
		Type: "github", Name: "GitHub", Version: "2.0.0",
		Credential: sdk.Credential{Type: "github_webhook_secret", Fields: []sdk.Field{
			{Name: "secret", Label: "Webhook secret", Secret: true, Generated: true, Help: "Enter the same text at GitHub."},
		}},
		SignatureHeaders: []string{"X-Hub-Signature-256"},
		DeliveryIDHeader: "X-GitHub-Delivery",
		Setup:            "Settings, Webhooks, Add webhook.\nPayload URL: {url}",
		Example:          map[string][]string{"events": {"issues"}, "actions": {"labeled"}, "labels": {"agent"}},
	}
	for filter, attribute := range map[string]string{
		"repos": "repo", "orgs": "org", "events": "event", "actions": "action", "labels": "label", "branches": "branch", "conclusions": "conclusion",
	} {
		d.Filters = append(d.Filters, sdk.Filter{Name: filter, Attribute: attribute})
	}
	for filter, attribute := range map[string]string{"org": "org", "assignee": "assignee", "author": "author"} {
		d.Filters = append(d.Filters, sdk.Filter{Name: filter, Kind: sdk.String, Attribute: attribute})
	}
	return d
}

func (github) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, "X-Hub-Signature-256", "sha256=")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, "secret", signature, req.Body)
}

func (github) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	var issue struct {
		Event, Action, Repo, Org, Label string
		Number                          int64
	}
	if err := json.Unmarshal(req.Body, &issue); err != nil {
		return nil, sdk.Unparseable("body is not JSON")
	}
	return []sdk.Event{{
		Name: issue.Event, Action: issue.Action, Repo: issue.Repo, Number: issue.Number, DeliveryID: req.Header.Get("X-GitHub-Delivery"),
		Attributes: map[string][]string{
			"event": {issue.Event}, "action": {issue.Action}, "repo": {issue.Repo}, "org": {issue.Org}, "label": {issue.Label},
		},
	}}, nil
}

func (github) Samples() []sdk.Sample {
	return []sdk.Sample{{Name: "push", Help: "A commit is pushed."}, {Name: "issues.labeled", Help: "The issue gets a label."}}
}

func (github) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body := ask.Body
	switch {
	case body != nil:
	case ask.Name == "issues.labeled":
		body = []byte(`{"event":"issues","action":"labeled","repo":"acme/widgets","org":"acme","label":"agent","number":17}`)
	case ask.Name == "push":
		body = []byte(`{"event":"push","repo":"acme/widgets","org":"acme"}`)
	default:
		return sdk.Request{}, sdk.ErrNoSample
	}
	req := sdk.Request{
		Method: http.MethodPost, Body: body, ReceivedAt: ask.SentAt,
		Header: http.Header{"Content-Type": {"application/json"}, "X-Github-Delivery": {ask.Fill("{{uuid}}")}},
	}
	signature, err := ask.SignHMACSHA256("secret", "sha256=", body)
	if signature != "" {
		req.Header.Set("X-Hub-Signature-256", signature)
	}
	return req, err
}

// deliver is a vendor: "deliver PROJECT TYPE CREDENTIAL FILE" sends the file,
// signed with the credential, to the project's running gateway. With "forged" the
// signature is somebody else's.
func deliver(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: deliver PROJECT TYPE CREDENTIAL FILE [forged]")
	}
	ts.Check(ts.Exec("al", "stat", "-p", args[0], "--json"))
	var status struct{ Address string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &status))
	body := ts.ReadFile(args[3])
	secret := strings.TrimSuffix(ts.ReadFile(filepath.Join(ts.Getenv("HOME"), ".action-llama", "credentials", args[2], "secret")), "\n")
	if len(args) > 4 {
		secret = "somebody else's"
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	req, err := http.NewRequest(http.MethodPost, status.Address+"/webhooks/"+args[1], strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Delivery", rand.Text())
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	_ = resp.Body.Close()
	if (resp.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("answered %s", resp.Status)
	}
}

func (bell) Samples() []sdk.Sample {
	return []sdk.Sample{{Name: "ring", Help: "Ada rings at the front door."}}
}

func (bell) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body := ask.Body
	if body == nil {
		if ask.Name != "ring" {
			return sdk.Request{}, sdk.ErrNoSample
		}
		body = []byte(`{"door":"front","visitor":"ada"}`)
	}
	req := sdk.Request{
		Method: http.MethodPost, Body: body, ReceivedAt: ask.SentAt,
		Header: http.Header{"Content-Type": {"application/json"}, "X-Bell-Delivery": {ask.Fill("{{uuid}}")}},
	}
	signature, err := ask.SignHMACSHA256("secret", "", body)
	if signature != "" {
		req.Header.Set("X-Bell-Signature", signature)
	}
	return req, err
}
