package provider

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// Names of the events that interactions become, after Discord's names for
// their types.
const (
	applicationCommand = "application_command"
	messageComponent   = "message_component"
	autocomplete       = "autocomplete"
	modalSubmit        = "modal_submit"
)

// tokenLife is how long an interaction can be answered, by Discord's rules.
const tokenLife = 15 * time.Minute

func nameOf(typ int) string {
	switch typ {
	case typeCommand:
		return applicationCommand
	case typeComponent:
		return messageComponent
	case typeAutocomplete:
		return autocomplete
	case typeModal:
		return modalSubmit
	default: // newer than this provider
		return "interaction_" + strconv.Itoa(typ)
	}
}

// eventOfInteraction makes an event of an interaction that arrived at a time.
func eventOfInteraction(p *payload, receivedAt time.Time) (sdk.Event, error) {
	if err := complete(p); err != nil {
		return sdk.Event{}, err
	}
	d, who := p.Data.get(), senderOf(p)
	i := read(d)
	a := answersTo(p)

	guildID := first(p.GuildID, p.Guild.get().ID)
	channelID := first(p.ChannelID, p.Channel.get().ID)
	channels := []string{string(channelID)}
	if p.Channel.get().isThread() {
		channels = append(channels, string(p.Channel.get().ParentID))
	}
	created := timeOfID(p.ID)

	e := sdk.Event{
		DeliveryID: string(p.ID),
		Name:       nameOf(p.Type.n),
		Action:     i.action,
		Body:       i.text,
		URL:        pageOf(guildID, channelID, first(p.Message.get().ID, i.targetMessage)),
		Author:     string(i.author),
		Sender:     string(who.ID),
		Timestamp:  created,
		Automated:  bool(who.Bot),
		Attributes: attributes(map[string][]string{
			"event":     {nameOf(p.Type.n)},
			"guild":     {string(guildID)},
			"channel":   channels,
			"command":   i.commands,
			"user":      {string(who.ID)},
			"role":      rolesOf(p),
			"custom_id": customIDs(d.CustomID),
		}),
		Taken:   jsonReply(a.taken),
		Ignored: jsonReply(a.ignored),
	}
	extra := i.extra
	placeOf(p, extra, guildID, channelID)
	answering := tokenOf(p, a, created, receivedAt)
	extra.object("interaction", answering)
	e.Extra = extra
	// With the token anybody can answer in the application's name.
	e.Sensitive = []string{"interaction.token"}
	if _, ok := answering["webhookUrl"]; ok {
		e.Sensitive = append(e.Sensitive, "interaction.webhookUrl")
	}
	return e, nil
}

// complete refuses interactions that lack what tells them apart. Filters on
// commands and custom ids let pass what has none, so those must be there.
func complete(p *payload) error {
	d := p.Data.get()
	switch {
	case p.ID == "" || p.Token == "":
		return sdk.Unparseable("the interaction has no id or no token")
	case (p.Type.n == typeCommand || p.Type.n == typeAutocomplete) && d.Name == "":
		return sdk.Unparseable("the command has no name")
	case (p.Type.n == typeComponent || p.Type.n == typeModal) && d.CustomID == "":
		return sdk.Unparseable("the component or modal has no custom_id")
	default:
		return nil
	}
}

// senderOf returns who did it: a member in a guild, else a user.
func senderOf(p *payload) *user {
	if p.Member.get().User.ok() {
		return p.Member.get().User.get()
	}
	return p.User.get()
}

func rolesOf(p *payload) []string {
	return append([]string(nil), p.Member.get().Roles...)
}

// customIDs are what filters see. Applications commonly put what a button is
// about behind a colon: "approve:1234".
func customIDs(id text) []string {
	ids := []string{string(id)}
	if kind, _, ok := strings.Cut(string(id), ":"); ok {
		ids = append(ids, kind)
	}
	return ids
}

// snowflakeEpoch is when ids begin to count: the first second of 2015, in ms.
const snowflakeEpoch = 1420070400000

// timeOfID returns when Discord made an id; zero for what is not an id.
func timeOfID(id text) time.Time {
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(n>>22) + snowflakeEpoch).UTC()
}

// pageOf returns the page of a message, else of a channel.
func pageOf(guildID, channelID, messageID text) string {
	if channelID == "" {
		return ""
	}
	page := "https://discord.com/channels/" + url.PathEscape(string(first(guildID, "@me"))) + "/" + url.PathEscape(string(channelID))
	if messageID != "" {
		page += "/" + url.PathEscape(string(messageID))
	}
	return page
}

// placeOf adds who, where and on what terms.
func placeOf(p *payload, x extras, guildID, channelID text) {
	c, o := p.Channel.get(), p.Owners.get()
	x.object("user", person(senderOf(p), p.Member.get())).
		text("guildId", guildID).
		text("channelId", channelID).
		text("channelName", c.Name).
		text("locale", p.Locale).
		text("guildLocale", p.GuildLocale).
		text("appPermissions", p.Permissions).
		text("context", contextOf(p.Context)).
		flag("userInstallOnly", truth(o.User != "" && o.Guild == ""))
	if c.isThread() {
		x.text("threadId", first(c.ID, channelID)).text("parentChannelId", c.ParentID)
	}
	if m := p.Message.get(); p.Message.ok() {
		x.object("message", quoted(m))
	}
}

func contextOf(w whole) text {
	switch {
	case w.is(0):
		return "guild"
	case w.is(1):
		return "bot_dm"
	case w.is(2):
		return "private_channel"
	default:
		return ""
	}
}

// quoted is a message as agents see one.
func quoted(m *message) map[string]any {
	return extras{}.
		text("id", m.ID).
		text("content", m.Content).
		object("author", person(m.Author.get(), nil))
}

// tokenOf is what an agent needs to answer.
func tokenOf(p *payload, a answers, created, receivedAt time.Time) extras {
	x := extras{}.
		text("id", p.ID).
		number("type", p.Type.n).
		text("applicationId", p.ApplicationID)
	x["token"] = string(p.Token) // never cut
	if a.deferral != 0 {
		x.number("deferral", a.deferral)
	}
	x["ephemeral"] = a.ephemeral
	if p.ApplicationID != "" && p.Type.n != typeAutocomplete { // which leaves nothing to change
		x["webhookUrl"] = "https://discord.com/api/v10/webhooks/" + url.PathEscape(string(p.ApplicationID)) + "/" + url.PathEscape(string(p.Token))
	}
	if expires := expiry(created, receivedAt); !expires.IsZero() {
		x["expiresAt"] = expires.Format(time.RFC3339)
		x.flag("expired", truth(!receivedAt.IsZero() && expires.Before(receivedAt)))
	}
	return x
}

// expiry counts from the arrival, or from the interaction's own time when that
// is earlier: what is replayed later does not become answerable again.
func expiry(created, receivedAt time.Time) time.Time {
	from := receivedAt
	if from.IsZero() || !created.IsZero() && created.Before(from) {
		from = created
	}
	if from.IsZero() {
		return from
	}
	return from.Add(tokenLife).UTC()
}
