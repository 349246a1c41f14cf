package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// eventOfWebhook makes an event of a webhook event.
func eventOfWebhook(p *payload, body []byte) (sdk.Event, error) {
	n := p.Event.get()
	if n.Type == "" {
		return sdk.Event{}, sdk.Unparseable("the webhook event has no type")
	}
	d := n.Data.get()
	who := d.User.get()
	if !d.User.ok() {
		who = d.Author.get()
	}
	sender := string(first(who.ID, d.UserID))
	guildID := string(first(d.Guild.get().ID, d.GuildID))

	// Discord numbers no deliveries. A repeat has the same bytes.
	sum := sha256.Sum256(body)
	e := sdk.Event{
		DeliveryID: hex.EncodeToString(sum[:]),
		Name:       string(n.Type),
		Body:       string(d.Content),
		Author:     string(d.Author.get().ID),
		Sender:     sender,
		Timestamp:  timeOf(string(n.Timestamp)),
		Automated:  bool(d.Author.get().Bot), // messages have an author
		Attributes: attributes(map[string][]string{
			"event":   {string(n.Type)},
			"guild":   {guildID},
			"channel": {string(d.ChannelID)},
			"user":    {sender},
		}),
		Extra: extras{}.
			text("applicationId", p.ApplicationID).
			text("guildId", text(guildID)).
			text("guildName", d.Guild.get().Name).
			text("channelId", d.ChannelID).
			text("lobbyId", d.LobbyID).
			object("user", person(who, nil)).
			list("scopes", d.Scopes).
			text("installedOn", installation(d.IntegrationType)),
		Taken:   noContent(),
		Ignored: noContent(),
	}
	extra := extras(e.Extra)
	switch {
	case strings.HasPrefix(e.Name, "ENTITLEMENT_"):
		extra.text("entitlementId", d.ID).text("skuId", d.SKU).scalar("entitlementType", d.Type).flag("deleted", d.Deleted)
	case strings.Contains(e.Name, "_MESSAGE_"):
		extra.text("messageId", d.ID)
	default:
		extra.text("id", d.ID)
	}
	return e, nil
}

func installation(w whole) text {
	switch {
	case w.is(0):
		return "guild"
	case w.is(1):
		return "user"
	default:
		return ""
	}
}

// timeOf reads the time of a webhook event. It has no zone and means UTC.
func timeOf(text string) time.Time { return sdk.ParseTime(text, "2006-01-02T15:04:05", time.RFC3339) }
