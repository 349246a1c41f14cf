package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// corpusDir holds real payloads, which are not ours to distribute.
const corpusDir = "../../../../shared/corpus/discord"

func corpus(t testing.TB) map[string]sdk.Request {
	t.Helper()
	all := map[string]sdk.Request{}
	for name, body := range providertest.Payloads(t, corpusDir) {
		all[name] = delivery(body)
	}
	return all
}

// Requests that Discord itself signed.
func TestCorpusSignatures(t *testing.T) {
	t.Parallel()
	requests := corpus(t)
	tests := []struct {
		name, sha256, key, timestamp, signature string
		want                                    error
	}{
		{
			"application_command.signed_a",
			"7e54075268ccc3081783a487f29b0cdb970086605b8df0ced25642efa3b04e35",
			"b853dd9f496723daf64bf2f5a886086f790df66e61d7b6f7f98a50c9e5ede8f3", "1749368683",
			"0a12acb96843700b724f1c9dba3075a7fc482677e0c713eb6be63bfea406fb33b4715975f1062b2dff95127bd559ee23758911bd217760727dc44e7880bc6e04", nil,
		},
		{
			"application_command.signed_b.guild_command",
			"97b68e8908845bae788da23f6ba5b40b5cb7dc20cfff1d411cda5509a6aa8791",
			"852aec10972ef6dd0431747902c779342cc411ad6d42c2de16ef4c87895c61ad", "1682372142",
			"c91641b5c3d12f9c819d9b5c568ef7d660e7f9abc2c312f296c562f6d7b028dac80c6c8e5c8a11f7a21ee28dbb8c6cf2762118bee45c00b2df78065b3b59f20c", nil,
		},
		{
			"application_command.signed_b.guild_command",
			"97b68e8908845bae788da23f6ba5b40b5cb7dc20cfff1d411cda5509a6aa8791",
			"852aec10972ef6dd0431747902c779342cc411ad6d42c2de16ef4c87895c61ad", "1682371237",
			"c91641b5c3d12f9c819d9b5c568ef7d660e7f9abc2c312f296c562f6d7b028dac80c6c8e5c8a11f7a21ee28dbb8c6cf2762118bee45c00b2df78065b3b59f20c", sdk.ErrBadSignature,
		},
	}
	for _, tt := range tests {
		req := requests[tt.name]
		if sum := sha256.Sum256(req.Body); hex.EncodeToString(sum[:]) != tt.sha256 {
			t.Errorf("%s: not the bytes that were signed", tt.name)
		}
		req.Header.Set(signatureHeader, tt.signature)
		req.Header.Set(timestampHeader, tt.timestamp)
		seconds, err := strconv.ParseInt(tt.timestamp, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		req.ReceivedAt = time.Unix(seconds, 0)
		d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(public(testKey), tt.key), sdk.DeliverOptions{})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s at %s: %v, want %v", tt.name, tt.timestamp, err, tt.want)
			continue
		}
		if tt.want != nil {
			continue
		}
		if fmt.Sprint(d.Which) != "[1]" || len(d.Events) != 1 {
			t.Errorf("%s: %+v", tt.name, d)
		}
		// Discord makes the id and signs in the same second.
		if off := d.Events[0].Timestamp.Sub(req.ReceivedAt).Abs(); off > time.Second {
			t.Errorf("%s: the id is off by %s", tt.name, off)
		}
	}
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	p := New("test")
	for name, req := range corpus(t) {
		events, err := p.Parse(t.Context(), req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		reply, err := p.Challenge(t.Context(), req, nil)
		if strings.HasPrefix(name, "ping.") {
			if err != nil || reply == nil || string(reply.Body) != `{"type":1}` || len(events) != 0 {
				t.Errorf("%s: %+v, %v, events %v", name, reply, err, events)
			}
			continue
		}
		if err != nil || reply != nil || len(events) != 1 {
			t.Errorf("%s: reply %+v, %v, %d events", name, reply, err, len(events))
			continue
		}
		e := events[0]
		kind, _, _ := strings.Cut(name, ".")
		isNotice := kind == "webhook_event"
		if !isNotice && e.Name != kind || isNotice && e.Name != strings.ToUpper(strings.TrimPrefix(name, "webhook_event.")) {
			t.Errorf("%s: event %s", name, e.Name)
		}
		if !isNotice && (e.Sender == "" || e.Action == "" || len(e.Sensitive) == 0) || e.DeliveryID == "" || e.Timestamp.IsZero() {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestCorpusValues(t *testing.T) {
	t.Parallel()
	requests := corpus(t)
	attribute := func(name string) func(e sdk.Event) any {
		return func(e sdk.Event) any { return e.Attributes[name] }
	}
	extra := func(path ...string) func(e sdk.Event) any {
		return func(e sdk.Event) any { return in(e.Extra, path...) }
	}
	action := func(e sdk.Event) any { return e.Action }
	body := func(e sdk.Event) any { return e.Body }
	sender := func(e sdk.Event) any { return e.Sender }
	page := func(e sdk.Event) any { return e.URL }
	id := func(e sdk.Event) any { return e.DeliveryID }
	tests := []struct {
		name string
		get  func(e sdk.Event) any
		want string
	}{
		{"application_command.signed_a", action, "sign"},
		{"application_command.signed_a", body, "message: llamas"},
		{"application_command.signed_a", id, "1381177107555680327"},
		{"application_command.signed_a", attribute("guild"), "[1380488052169769110]"},
		{"application_command.signed_a", attribute("channel"), "[1380488052169769113]"},
		{"application_command.signed_a", sender, "410212090289192960"},
		{"application_command.signed_a", extra("user", "globalName"), "kprasch"},
		{"application_command.signed_a", extra("interaction", "applicationId"), "1380486651436073092"},
		{"application_command.signed_a", page, "https://discord.com/channels/1380488052169769110/1380488052169769113"},
		{"application_command.signed_b.guild_command", attribute("role"), "[943607715639484456]"},
		{"application_command.signed_b.guild_command", body, ""},
		{"application_command.direct_message", attribute("guild"), "[]"},
		{"application_command.direct_message", attribute("command"), "[unplug]"},
		{"application_command.direct_message", sender, "97325654688681984"},
		{"application_command.direct_message", body, "system: DMTest"},
		{"application_command.direct_message", page, "https://discord.com/channels/@me/790393329975820319"},
		{"application_command.message_menu", body, "some message"},
		{"application_command.message_menu", func(e sdk.Event) any { return e.Author }, "167348773423415296"},
		{"application_command.message_menu", extra("target", "id"), "867793854505943041"},
		{"application_command.message_menu", extra("commandType"), "message"},
		{"application_command.message_menu", page, "https://discord.com/channels/772904309264089089/772908445358620702/867793854505943041"},
		{"application_command.message_menu", func(e sdk.Event) any { return e.Timestamp.Format("2006-01-02 15:04") }, "2021-07-22 15:43"},
		{"application_command.user_menu", extra("target", "username"), "VoltyDemo"},
		{"application_command.user_menu", extra("target", "bot"), "true"},
		{"application_command.user_menu", body, ""},
		{"application_command.slash_string_option", body, "cardname: The Gitrog Monster"},
		{"application_command.slash_string_option", extra("interaction", "webhookUrl"), "<nil>"}, // no application_id
		{"application_command.subcommand", action, "rolemenu delete"},
		{"application_command.subcommand", attribute("command"), "[rolemenu rolemenu delete]"},
		{"application_command.subcommand", body, "cname: hehe\nbuttons: B3"},
		{"application_command.subcommand_group", action, "rolemenu create something"},
		{"application_command.user_option_resolved", extra("options", "target"), "1033681843708510238"},
		{"application_command.user_option_resolved", extra("resolved", "users", "1033681843708510238", "username"), "Abitofbot"},
		{"application_command.user_option_resolved", extra("userInstallOnly"), "<nil>"}, // on a guild as well
		{"autocomplete.subcommand", action, "mentions autocomplete"},
		{"autocomplete.subcommand", extra("focused"), "fav_fruit3"},
		{"autocomplete.subcommand", extra("options", "fav_fruit2"), "hmm"},
		{"message_component.button", action, "click_one"},
		{"message_component.button", extra("componentType"), "button"},
		{"message_component.button", extra("message", "id"), "844397162624450620"},
		{"message_component.button", attribute("channel"), "[345626669114982999]"}, // not the message's
		{"message_component.button", attribute("command"), "[]"},
		{"message_component.button_in_thread", attribute("channel"), "[1457536551830421524 1457510428359004343]"},
		{"message_component.button_in_thread", extra("threadId"), "1457536551830421524"},
		{"message_component.button_in_thread", extra("parentChannelId"), "1457510428359004343"},
		{"message_component.button_in_thread", extra("context"), "guild"},
		{"message_component.string_select", extra("values"), "[mage rogue]"},
		{"message_component.string_select", extra("componentType"), "string_select"},
		{"message_component.string_select", extra("user", "nick"), "Bot Man"},
		{"modal_submit.from_command", extra("fields"), "map[foo:[two] fppp:Fooooo]"},
		{"modal_submit.from_command", body, "foo: two\nfppp: Fooooo"},
		{"modal_submit.from_command", extra("interaction", "deferral"), "5"},
		{"modal_submit.every_component", extra("fields", "two"), "[1403111187431948451]"},
		{"modal_submit.every_component", extra("fields", "file-upload"), "[308994132968210433]"},
		{"modal_submit.every_component", extra("resolved", "users", "856780995629154305", "globalName"), "Lala"},
		{"webhook_event.application_authorized", extra("installedOn"), "user"},
		{"webhook_event.application_authorized", extra("scopes"), "[applications.commands]"},
		{"webhook_event.application_authorized", attribute("user"), "[]"}, // left out by the documentation
		{"webhook_event.application_authorized", func(e sdk.Event) any { return e.Timestamp }, "2024-10-18 14:42:53.064834 +0000 UTC"},
		{"webhook_event.entitlement_create", sender, "111178765189277770"},
		{"webhook_event.entitlement_create", extra("skuId"), "123489045643835123"},
		{"webhook_event.game_direct_message_create", body, "get in friend, we're going raiding"},
		{"webhook_event.game_direct_message_create", attribute("channel"), "[1405604229820715098]"},
		{"webhook_event.lobby_message_delete", extra("lobbyId"), "1402399883394285659"},
		{"webhook_event.lobby_message_delete", extra("messageId"), "1402406637632884857"},
	}
	for _, tt := range tests {
		req, ok := requests[tt.name]
		if !ok {
			t.Errorf("no payload %s", tt.name)
			continue
		}
		events, err := New("test").Parse(t.Context(), req)
		if err != nil || len(events) != 1 {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := fmt.Sprint(tt.get(events[0])); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
