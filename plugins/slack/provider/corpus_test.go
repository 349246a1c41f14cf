package provider

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// corpusDir holds real payloads, which are not ours to distribute.
const corpusDir = "../../../../shared/corpus/slack"

// corpus returns signed requests: some of the files are less than a whole body.
func corpus(t testing.TB) map[string]sdk.Request {
	t.Helper()
	all := map[string]sdk.Request{}
	for name, body := range providertest.Payloads(t, corpusDir) {
		contentType := contentJSON
		switch {
		case strings.HasSuffix(name, ".inner"):
			body = fmt.Appendf(nil, `{"type":"event_callback","event_id":"Ev1","team_id":"T1","event":%s}`, body)
		case name == "slash_command.form_fields":
			contentType = contentForm
			var fields map[string]string
			if err := json.Unmarshal(body, &fields); err != nil {
				t.Fatal(err)
			}
			form := url.Values{}
			for name, value := range fields {
				form.Set(name, value)
			}
			body = []byte(form.Encode())
		case slices.Contains([]string{"block_actions", "message_action", "view_submission"}, name):
			contentType = contentForm
			body = []byte(url.Values{"payload": {string(body)}}.Encode())
		}
		all[name] = signedAs(contentType, body)
	}
	return all
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	type want struct{ event, action, channel, thread, ts, sender, body, team, id, time string }
	tests := map[string]want{
		"app_home_opened.org_install":      {"app_home_opened", "", "D111", "", "", "W111", "", "T111", "Ev111", "2020-12-01T08:22:07"},
		"app_mention":                      {"app_mention", "", "C00FAKECHAN1", "", "1766458026.240809", "U00FAKEUSER1", "<@U00FAKEBOT01> 1", "T00FAKE00AA", "Ev0A602NNCQG", "2025-12-23T02:47:06"},
		"block_actions":                    {"block_actions", "info", "C00FAKECHAN1", "1767326125.870439", "1767326126.896109", "U00FAKEUSER1", "", "T00FAKE00AA", deliveryID("10215325802133.3901254001572.2e2548aa918b35fd85829545c2d4ae2b", sdk.Request{}), "2026-01-02T03:55:30"},
		"channel_created":                  {"channel_created", "", "C04493BRXEZ", "", "", "U043H11ES4V", "", "T043DB835ML", "Ev0445DETPAA", "2022-09-28T22:36:46"},
		"file_shared.slack_connect":        {"file_shared", "", "C111", "", "", "USER_ID_ACTOR", "", "INSTALLED_TEAM_ID", "", "2023-03-10T13:29:41"},
		"link_shared.composer.inner":       {"link_shared", "", "COMPOSER", "", "Uxxxxxxx-909b5454-75f8-4ac4-b325-1b40e230bbd8-gryl3kb80b3wm49ihzoo35fyqoq08n2y", "Uxxxxxxx", "", "T1", "Ev1", ""},
		"member_joined_channel.enterprise": {"member_joined_channel", "", "C00FAKECHAN1", "", "", "U00FAKEBOT01", "", "T00FAKE00AA", "Ev00FAKE0001", "2026-03-03T06:12:32"},
		"message.bot_message":              {"message", "bot_message", "C07KH38CR5E", "", "1724955010.440469", "B07JWPS5Y5S", "<https://myworkspace.slack.com/archives/C07KTH1T4CQ/p1724954997876929>", "T043DB835ML", "Ev07JQHFTAKH", "2024-08-29T18:10:10"},
		"message.changed_by_own_bot":       {"message", "message_changed", "C00FAKECHAN1", "1766458026.240809", "1766458031.632339", "U00FAKEBOT01", "Just a little bit...", "T00FAKE00AA", "Ev0A53MVM13Q", "2025-12-23T02:47:13"},
		"message.channel":                  {"message", "", "C00FAKECHAN1", "", "1766458026.240809", "U00FAKEUSER1", "<@U00FAKEBOT01> 1", "T00FAKE00AA", "Ev0A4QA0FC8P", "2025-12-23T02:47:06"},
		"message.deleted":                  {"message", "message_deleted", "C043YJGBY49", "", "1663966382.046509", "U043H11ES4V", "This message will be deleted", "T043DB835ML", "Ev043QRVT9FE", "2022-09-23T21:43:03"},
		"message.file_share":               {"message", "file_share", "D0442US94JD", "", "1670631527.874149", "U043H11ES4V", "message message message", "T043DB835ML", "Ev04EEHX2PSS", "2022-12-10T00:18:47"},
		"message.own_bot_thread_reply":     {"message", "", "C00FAKECHAN1", "1766458026.240809", "1766458029.244159", "U00FAKEBOT01", "Thanks for mentioning me! I'm now listening to this thread.\n\n_Connected via slack_", "T00FAKE00AA", "Ev0A52AALLMB", "2025-12-23T02:47:09"},
		"message.thread_broadcast":         {"message", "thread_broadcast", "C111", "1633663824.000500", "1633670813.007500", "U111", "Hi there!", "T111", "Ev111", "2021-10-08T05:26:53"},
		"message_action":                   {"message_action", "test-shortcut", "C111", "", "1583636382.000300", "W111", "<@W222> test", "T111", deliveryID("111.222.xxx", sdk.Request{}), "2020-03-08T03:12:37"},
		"pin_added.inner":                  {"pin_added", "", "C0LAN2Q65", "", "1539904112.000100", "U061F7AUR", "<@U0LAN0Z89> is it everything a river should be?", "T1", "Ev1", "2018-01-08T22:12:02"},
		"reaction_added.slack_connect":     {"reaction_added", "", "C111", "", "1599529504.000400", "W111", "", "T_INSTALLED", "Ev111", "2020-09-09T02:01:21"},
		"slash_command.form_fields":        {"slash_command", "/test-feedback", "C00FAKECHAN3", "", "", "U00FAKEUSER2", "some arguments here", "T00FAKE00BB", deliveryID("10520020890661.10229338706656.2e2188a074adf3bf9f8456b30180f405", sdk.Request{}), "2026-01-01T00:00:00"},
		"view_submission":                  {"view_submission", "feedback_form", "", "", "", "U00FAKEUSER2", "", "T00FAKE00BB", deliveryID("10508000345735.10229338706656.1d14116e4b7b4893f2fad4c24f913293", sdk.Request{}), "2026-01-01T00:00:00"},
	}
	for name, req := range corpus(t) {
		d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "url_verification" {
			if d.Reply == nil || string(d.Reply.Body) != `{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}` {
				t.Errorf("%s: %+v", name, d.Reply)
			}
			continue
		}
		w, ok := tests[name]
		if !ok || len(d.Events) != 1 {
			t.Errorf("%s: %d events, expected by the test: %v", name, len(d.Events), ok)
			continue
		}
		e := d.Events[0]
		text := func(name string) string { s, _ := e.Extra[name].(string); return s }
		got := want{e.Name, e.Action, text("channel"), text("thread"), text("ts"), e.Sender, e.Body, text("team"), e.DeliveryID, ""}
		if !e.Timestamp.IsZero() {
			got.time = e.Timestamp.Format("2006-01-02T15:04:05")
		}
		if got != w {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, w)
		}
	}
}

func TestCorpusValues(t *testing.T) {
	t.Parallel()
	requests := corpus(t)
	attribute := func(name string) func(sdk.Event) any { return func(e sdk.Event) any { return e.Attributes[name] } }
	extra := func(name string) func(sdk.Event) any { return func(e sdk.Event) any { return e.Extra[name] } }
	tests := []struct {
		name string
		get  func(e sdk.Event) any
		want string
	}{
		{"app_home_opened.org_install", extra("orgInstall"), "true"},
		{"app_home_opened.org_install", attribute("team"), "[T111]"},
		{"app_mention", attribute("event"), "[app_mention]"},
		{"message.channel", attribute("event"), "[message message.channels]"},
		{"message.channel", attribute("mentions_app"), "[yes]"}, // the twin of the one before
		{"message.bot_message", attribute("from"), "[bot]"},
		{"message.bot_message", extra("username"), "Reacji Channeler"},
		{"message.own_bot_thread_reply", attribute("from"), "[self]"},
		{"message.changed_by_own_bot", attribute("from"), "[self]"},
		{"message.changed_by_own_bot", attribute("include"), "[edits]"},
		{"message.changed_by_own_bot", extra("previousText"), "Processing..."},
		{"message.deleted", attribute("include"), "[deletions]"},
		{"message.thread_broadcast", attribute("in_thread"), "[yes]"},
		{"message.file_share", attribute("event"), "[message message.im]"},
		{"message.file_share", func(e sdk.Event) any { return strings.Contains(fmt.Sprint(e.Extra["files"]), "name:namenamename.txt ") }, "true"},
		{"channel_created", attribute("channel"), "[C04493BRXEZ]"},
		{"channel_created", extra("channelName"), "new-channel"},
		{"file_shared.slack_connect", extra("sharedChannel"), "true"},
		{"member_joined_channel.enterprise", attribute("from"), "[]"}, // the app's own, and news
		{"member_joined_channel.enterprise", extra("inviter"), "U00FAKEUSER1"},
		{"pin_added.inner", attribute("channel"), "[C0LAN2Q65]"},
		{"reaction_added.slack_connect", extra("reaction"), "heart_eyes"},
		{"reaction_added.slack_connect", attribute("from"), "[self]"}, // whose user is the app's
		{"link_shared.composer.inner", extra("links"), "[https://example.com/12345 https://example.com/67890 https://yet.another-example.com/v/abcde]"},
		{"block_actions", attribute("in_thread"), "[yes]"},
		{"block_actions", func(e sdk.Event) any { return e.Sensitive }, "[responseUrl triggerId]"},
		{"message_action", func(e sdk.Event) any { return e.URL }, "https://test-test.slack.com/archives/C111/p1583636382000300"},
		{"slash_command.form_fields", attribute("command"), "[/test-feedback]"},
		{"slash_command.form_fields", extra("orgInstall"), "<nil>"},
		{"view_submission", extra("values"), "map[category:map[category:feature] email:map[email:user@example.com] message:map[message:Hello!]]"},
		{"view_submission", attribute("channel"), "[]"},
		{"view_submission", func(e sdk.Event) any {
			return fmt.Sprint(e.Taken.Status, len(e.Taken.Body), e.Ignored.Status, len(e.Ignored.Body))
		}, "200 0 200 0"},
	}
	for _, tt := range tests {
		events, err := New("test").Parse(t.Context(), requests[tt.name])
		if err != nil || len(events) != 1 {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := fmt.Sprint(tt.get(events[0])); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
