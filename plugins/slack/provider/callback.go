package provider

import (
	"cmp"
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// callback reads a request of the Events API.
func (p *Provider) callback(req sdk.Request) ([]sdk.Event, error) {
	var c callback
	if err := p.decoder.read(req.Body, &c); err != nil {
		return nil, err
	}
	switch {
	case c.Type == typeVerification, c.Type == typeRateLimited:
		return nil, nil
	case c.Type == "":
		return nil, sdk.Unparseable("the payload has no type")
	case c.Type == typeCallback && c.Event.Type == "":
		return nil, sdk.Unparseable("the payload has no event with a type")
	}
	return []sdk.Event{c.event()}, nil
}

func (c *callback) event() sdk.Event {
	in := &c.Event
	about := in.about()
	e := sdk.Event{
		DeliveryID: c.EventID, // there is no header; the same on every retry
		Name:       cmp.Or(in.Type, c.Type),
		Action:     in.Subtype,
		Body:       in.text(),
		Author:     in.author(),
		Sender:     in.sender(),
		Timestamp:  cmp.Or(timeOf(in.EventTS), unix(c.EventTime)),
		Taken:      empty(),
		Ignored:    empty(),
	}
	channel, thread := in.channel(), in.thread()
	x := extra{}
	x.text("channel", channel)
	x.text("channelName", in.Channel.Name)
	x.text("channelType", in.ChannelType)
	x.text("ts", in.messageID())
	x.text("thread", thread)
	c.installation(x)
	x.flag("sharedChannel", c.Shared)
	x.text("userTeam", about.UserTeam)
	x.text("username", about.Username)
	x.text("bot", about.BotID)
	in.more(x)

	from, kind := c.from(), in.kind()
	if from != fromPerson {
		x.text("from", from)
	}
	x.text("include", kind)
	a := attributes{}.
		with("event", eventNames(e.Name, in.ChannelType)...).
		with("channel", channel).
		with("team", c.teams()...).
		with("user", e.Sender, about.BotID).
		with("from", from).
		with("include", kind).
		with("reaction", in.Reaction)
	if in.isMessage() {
		mentioned := c.mentioned()
		a.with("subtype", cmp.Or(in.Subtype, noSubtype)).
			with("in_thread", yesNo(thread != "" && thread != in.messageID())).
			with("mentions_app", yesNo(mentioned))
		x.flag("mentionsApp", mentioned)
	}
	e.Attributes = a
	e.Extra = x.all(&e)
	return e
}

// installation tells an agent which of its tokens to answer with.
func (c *callback) installation(x extra) {
	first := authorization{}
	if len(c.Authorizations) > 0 {
		first = c.Authorizations[0]
	}
	x.text("team", cmp.Or(first.TeamID, c.TeamID, c.Event.User.TeamID))
	x.text("enterprise", cmp.Or(first.EnterpriseID, c.EnterpriseID))
	x.text("app", c.AppID)
	x.flag("orgInstall", first.OrgInstall)
	if first.IsBot {
		x.text("botUser", first.UserID)
	}
}

// teams are all workspaces that the event may be said to be of: with a shared
// channel the outer one can be another company's, and an app that is installed
// for a whole organisation has no other.
func (c *callback) teams() []string {
	teams := []string{c.TeamID, c.ContextTeamID}
	for _, a := range c.Authorizations {
		teams = append(teams, a.TeamID)
	}
	return teams
}

// kind tells what is no new message from those that are: every update of a
// message and every preview of a link makes an edit.
func (in *inner) kind() string {
	switch {
	case in.Subtype == "message_changed":
		return "edits"
	case in.Subtype == "message_deleted":
		return "deletions"
	case in.Hidden:
		return "hidden"
	default:
		return ""
	}
}

// own says whether the app itself did it: an agent that answered would answer
// itself for ever. Its posts come without subtype, as anybody's do.
func (c *callback) own() bool {
	in := &c.Event
	switch in.Type {
	case "member_joined_channel", "member_left_channel", "app_home_opened":
		// That the app was invited is news. The others are no answers to
		// anything, so nothing goes round in circles.
		return false
	}
	who := in.about()
	if c.AppID != "" && (who.AppID == c.AppID || who.Profile.AppID == c.AppID) {
		return true
	}
	// Their user is whom the event is about, not who did it.
	if in.Type == "team_join" || strings.HasPrefix(in.Type, "user_") {
		return false
	}
	return c.isBot(cmp.Or(who.User.ID, in.UserID, in.Channel.Creator))
}

// isBot says whether a user is the app's own.
func (c *callback) isBot(user string) bool {
	return user != "" && slices.ContainsFunc(c.Authorizations, func(a authorization) bool { return a.IsBot && a.UserID == user })
}

// mentioned says whether the text mentions the app. Such a message comes again
// as app_mention where the app subscribed to both.
func (c *callback) mentioned() bool {
	if c.Event.Type == "app_mention" {
		return true
	}
	text := c.Event.text()
	return slices.ContainsFunc(c.Authorizations, func(a authorization) bool {
		return a.IsBot && a.UserID != "" &&
			(strings.Contains(text, "<@"+a.UserID+">") || strings.Contains(text, "<@"+a.UserID+"|"))
	})
}

// isMessage says whether this is somebody's message.
func (in *inner) isMessage() bool { return in.Type == "message" || in.Type == "app_mention" }

// about returns the message that the event is of: the one in it where it is
// about an edit or a deletion, otherwise the event itself.
func (in *inner) about() *message {
	switch in.Subtype {
	case "message_changed", "message_replied":
		return &in.Changed
	case "message_deleted":
		return &in.Previous
	default:
		return &in.message
	}
}

func (in *inner) channel() string {
	return cmp.Or(in.Channel.ID, in.ChannelID, in.Item.Channel, in.Assistant.ChannelID)
}

func (in *inner) thread() string {
	return cmp.Or(in.ThreadTS, in.Assistant.ThreadTS, in.Changed.ThreadTS, in.Previous.ThreadTS)
}

// messageID returns the ts of the message: within its channel, its id. The
// outer ts of an edit or a deletion is not one that the API knows.
func (in *inner) messageID() string {
	switch in.Subtype {
	case "message_changed", "message_replied":
		return cmp.Or(in.Changed.TS, in.Previous.TS)
	case "message_deleted":
		return cmp.Or(in.DeletedTS, in.Previous.TS)
	default:
		return cmp.Or(in.TS, in.Item.TS, in.Item.Message.TS, in.MessageTS)
	}
}

func (in *inner) sender() string {
	return cmp.Or(in.User.ID, in.UserID, in.ActorID, in.Changed.User.ID, in.Previous.User.ID,
		in.Channel.Creator, in.Assistant.UserID, in.BotID, in.Changed.BotID, in.Previous.BotID)
}

// author is whose message it is about. That of an edit is its sender as well:
// who edited it is an extra.
func (in *inner) author() string {
	if !in.isMessage() {
		return cmp.Or(in.ItemUser, in.Item.Message.User.ID, in.Item.Message.BotID)
	}
	about := in.about()
	return cmp.Or(about.User.ID, about.BotID)
}

func (in *inner) text() string {
	return firstText(&in.message, &in.Changed, &in.Previous, &in.Item.Message)
}

// from tells people from programs, as far as Slack does: of other apps only
// messages say so. What the app does itself and is news all the same is by none
// of them.
func (c *callback) from() string {
	switch sender := c.Event.sender(); {
	case c.own():
		return fromSelf
	case sender == "USLACKBOT" || sender == "USLACK": // have no bot_id
		return fromSlack
	case c.Event.about().BotID != "" || c.Event.Subtype == "bot_message":
		return fromBot
	case sender != "" && !c.isBot(sender):
		return fromPerson
	default:
		return ""
	}
}

// more has what single kinds of events bring.
func (in *inner) more(x extra) {
	if in.Subtype == "message_changed" {
		x.text("previousText", in.Previous.text())
		x.text("editedBy", in.Changed.Edited.User) // missing when Slack added a preview
	}
	x.files(in.about().Files)
	x.text("reaction", in.Reaction)
	x.text("itemType", in.Item.Type)
	x.text("file", cmp.Or(in.FileID, in.Item.File.ID, in.Item.FileID))
	x.text("inviter", in.Inviter)
	x.text("tab", in.Tab)
	var links []string
	for _, l := range in.Links {
		links = append(links, l.URL)
	}
	x.texts("links", links)
	x.text("unfurlId", in.UnfurlID)
	if in.UnfurlID != "" { // without it, source is something else
		x.text("unfurlSource", in.Source)
	}
}

// eventNames are the name in the payload and, of a message, the name under
// which an app subscribes to it, which no payload has.
func eventNames(name, channelType string) []string {
	if name == "message" {
		switch channelType {
		case "channel":
			return []string{name, "message.channels"}
		case "group":
			return []string{name, "message.groups"}
		case "im", "mpim", "app_home":
			return []string{name, "message." + channelType}
		}
	}
	return []string{name}
}
