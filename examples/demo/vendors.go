package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"github.com/action-llama/gateway/examples/demo/signing"
)

// vendor is one of the others: what has to be configured for it, and what it
// sends.
type vendor struct {
	typ, name  string
	credential string            // type of its credential
	fields     map[string]string // of that credential
	filters    string            // of the trigger, in TOML
	sign       signing.Signer
	key        []byte // what it signs with
	stranger   []byte // what somebody else signs with
	calls      []call
	context    map[string]string // values that the agent must get, by dotted path
}

// call is one request of a vendor and the answer that it must get, exactly.
type call struct {
	what     string // for the reader
	method   string // POST when empty
	query    string
	header   map[string]string
	payload  string // file under payloads/<type>; empty for no body
	unsigned bool
	forge    bool // signed by a stranger
	starts   bool // a run
	want     answer
}

const asJSON = "application/json"

var (
	// {receipt} stands for an id that the gateway makes up.
	queued  = answer{http.StatusOK, asJSON, `{"ok":true,"receipt":"{receipt}","events":1,"matched":1,"queued":1,"dropped":0}` + "\n"}
	refused = answer{http.StatusUnauthorized, asJSON, `{"ok":false,"error":"bad_signature","detail":"no valid signature"}` + "\n"}
	empty   = answer{http.StatusOK, "", ""}
)

// vendors are those that come after GitHub, each with a credential that is made
// up on the spot.
func vendors() ([]vendor, error) {
	discord, err := discordVendor()
	if err != nil {
		return nil, err
	}
	return []vendor{sentryVendor(), linearVendor(), slackVendor(), discord, twitterVendor(), mintlifyVendor()}, nil
}

func sentryVendor() vendor {
	v := withSecret("sentry", "Sentry", "sentry_client_secret", signing.Sentry)
	v.filters = `resources = ["issue"], actions = ["created"]`
	issue := call{
		what: "a new issue", payload: "issue.created.json",
		header: map[string]string{"Sentry-Hook-Resource": "issue", "Request-ID": "6f1c0d9e8b7a45c6a3d2e1f005a4b3c2"},
	}
	v.calls = deliver(issue, queued)
	v.context = map[string]string{"event": "issue", "action": "created", "repo": "widgets", "number": "5550001234"}
	return v
}

func linearVendor() vendor {
	v := withSecret("linear", "Linear", "linear_webhook_secret", signing.Linear)
	v.filters = `events = ["issues"], labels = ["agent"]`
	issue := call{
		what: "an issue got a label", payload: "Issue.update.json",
		header: map[string]string{"Linear-Event": "Issue", "Linear-Delivery": "2f9b1c7e-8d3a-4f60-9a1b-7c6d5e4f3a2b", "User-Agent": "Linear-Webhook"},
	}
	v.calls = deliver(issue, queued)
	v.context = map[string]string{"event": "issues", "action": "update", "number": "42", "sender": "grace@example.com"}
	return v
}

func slackVendor() vendor {
	v := withSecret("slack", "Slack", "slack_signing_secret", signing.Slack)
	v.filters = `events = ["app_mention"], channels = ["C0WIDGETS"]`
	v.calls = append([]call{{
		what: "handshake: url_verification", payload: "url_verification.json",
		want: answer{http.StatusOK, asJSON, `{"challenge":"widgets-stand-in-any-wind-3eZbrw1aBm"}`},
	}}, deliver(call{what: "the agent was mentioned", payload: "app_mention.json"}, empty)...)
	v.context = map[string]string{"event": "app_mention", "sender": "U0GRACE01", "extra.channel": "C0WIDGETS", "extra.thread": "1795420700.000100"}
	return v
}

func discordVendor() (vendor, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return vendor{}, err
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return vendor{}, err
	}
	return vendor{
		typ: "discord", name: "Discord", credential: "discord_bot",
		fields: map[string]string{
			"application_id": "1200000000000000001",
			"public_key":     hex.EncodeToString(public),
			"bot_token":      rand.Text(),
		},
		filters: `events = ["application_command"], commands = ["ask"]`,
		sign:    signing.Discord, key: private, stranger: stranger,
		calls: append([]call{{
			what: "handshake: PING", payload: "ping.json", want: answer{http.StatusOK, asJSON, `{"type":1}`},
		}}, deliver(call{what: "/ask, for an agent", payload: "application_command.json"},
			answer{http.StatusOK, asJSON, `{"type":5}`})...),
		context: map[string]string{
			"event": "application_command", "action": "ask",
			"extra.interaction.token": "token-to-answer-with-for-15-minutes",
		},
	}, nil
}

func twitterVendor() vendor {
	const token = "challenge-of-the-demo"
	v := withSecret("twitter", "X", "x_twitter_api", signing.Twitter)
	v.fields = map[string]string{"consumer_key": rand.Text(), "consumer_secret": string(v.key), "bearer_token": rand.Text()}
	v.filters = `events = ["tweet_create_events"], users = ["1500000000000000001"]`
	v.calls = append([]call{{
		what: "handshake: CRC, by GET", method: http.MethodGet, query: "?crc_token=" + token, unsigned: true,
		want: answer{http.StatusOK, asJSON, `{"response_token":"` + signing.ChallengeResponse(v.key, token) + `"}`},
	}}, deliver(call{what: "a post mentions the account", payload: "tweet_create_events.json"}, empty)...)
	// The id is beyond what a float64 holds.
	v.context = map[string]string{"event": "tweet_create_events", "sender": "grace", "url": "https://x.com/grace/status/2100000000000000257"}
	return v
}

func mintlifyVendor() vendor {
	v := withSecret("mintlify", "Mintlify", "mintlify_webhook_secret", signing.Mintlify)
	v.filters = `events = ["build"], actions = ["failed"]`
	v.calls = deliver(call{what: "a build failed", payload: "build.failed.json"}, queued)
	v.context = map[string]string{"event": "build", "action": "failed", "conclusion": "failure", "branch": "main"}
	return v
}

// withSecret is a vendor that shares one secret with its customer.
func withSecret(typ, name, credential string, sign signing.Signer) vendor {
	secret := rand.Text()
	return vendor{
		typ: typ, name: name, credential: credential, fields: map[string]string{"secret": secret},
		sign: sign, key: []byte(secret), stranger: []byte(rand.Text()),
	}
}

// deliver is a delivery that starts a run, and the same from a stranger.
func deliver(c call, want answer) []call {
	genuine, forged := c, c
	genuine.starts, genuine.want = true, want
	forged.what, forged.forge, forged.want = "a stranger signs the same", true, refused
	return []call{genuine, forged}
}
