package provider

import (
	"encoding/json"
	"flag"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "sign the cases in testdata again and rewrite their want.json")

// The cases are requests after Slack's documentation. Those named vector-1 and
// vector-2 have signatures that Slack and a library of others publish; the
// other vectors and url_verification were computed apart from this code.
func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Options{
		New:       func() sdk.Provider { return New("test") },
		Package:   "..",
		Update:    *update,
		Short:     testing.Short(),
		Tolerance: tolerance,
		Sign: func(req *sdk.Request, secret map[string]string) {
			at := strconv.FormatInt(req.ReceivedAt.Unix(), 10)
			req.Header.Set(timestampHeader, at)
			req.Header.Set(signatureHeader, sign(secret[secretField], at, req.Body))
		},
		AlwaysPresent: map[string]string{"event": "every delivery has a type, which names the event"},
		Events: []string{
			"message", "app_mention", "reaction_added", "reaction_removed", "channel_created", "channel_rename",
			"channel_left", "member_joined_channel", "member_left_channel", "app_home_opened", "team_join",
			"user_change", "link_shared", "pin_added", "pin_removed", "file_shared", "app_uninstalled",
			"tokens_revoked", "assistant_thread_started",
			slashCommand, "block_actions", "block_suggestion", "dialog_cancellation", "dialog_submission",
			"dialog_suggestion", "interactive_message", "message_action", "shortcut", "view_closed", "view_submission",
		},
	})
}

// Every subtype that the facts about Slack describe has a case.
func TestCasesCoverSubtypes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range cases(t) {
		for _, e := range eventsOf(t, c) {
			seen[e.Name+"/"+e.Action] = true
		}
	}
	for _, subtype := range []string{
		"", "bot_message", "message_changed", "message_deleted", "thread_broadcast", "file_share", "channel_join",
		"channel_topic", "me_message",
	} {
		if !seen["message/"+subtype] {
			t.Errorf("no case for subtype %q", subtype)
		}
	}
}

// What Slack wants to hear, whether an agent takes the event or not: nothing
// but 200, and of a select that asks for options that there are none.
func TestRepliesAreExact(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t) {
		for _, e := range eventsOf(t, c) {
			want := ""
			if e.Name == "block_suggestion" || e.Name == "dialog_suggestion" {
				want = `{"options":[]}`
			}
			for _, r := range []*sdk.Reply{e.Taken, e.Ignored} {
				if r == nil || r.Status != http.StatusOK || string(r.Body) != want {
					t.Errorf("%s: reply %+v, want 200 %q", c.Name, r, want)
				} else if (want == "") != (r.Header.Get("Content-Type") == "") {
					t.Errorf("%s: header %v", c.Name, r.Header)
				}
			}
		}
	}
}

// The retired token that Slack still sends proves nothing and is for nobody, and
// whoever has one of the addresses can post in the app's name.
func TestCapabilitiesAreSensitive(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t) {
		for _, e := range eventsOf(t, c) {
			for name, value := range e.Extra {
				text, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(text), "retired-token") {
					t.Errorf("%s: extra.%s has the verification token", c.Name, name)
				}
				capability := strings.Contains(string(text), "hooks.slack.com") || name == "triggerId"
				if capability != slices.Contains(e.Sensitive, name) {
					t.Errorf("%s: extra.%s, sensitive %q", c.Name, name, e.Sensitive)
				}
			}
		}
	}
}

func cases(t testing.TB) []*providertest.Case {
	t.Helper()
	all, err := providertest.ReadCases("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func caseNamed(t testing.TB, name string) *providertest.Case {
	t.Helper()
	for _, c := range cases(t) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no case %s", name)
	return nil
}

// eventsOf returns none for what is refused; TestProvider says what that is.
func eventsOf(t testing.TB, c *providertest.Case) []sdk.Event {
	t.Helper()
	d, err := sdk.Deliver(t.Context(), New("test"), c.Request, c.Secrets, sdk.DeliverOptions{AllowUnsigned: c.AllowUnsigned})
	if err != nil {
		return nil
	}
	return d.Events
}
