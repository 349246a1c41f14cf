package provider

// kind is one of the two families of requests, or its ping.
type kind int

const (
	unknown kind = iota
	interactionPing
	interaction
	webhookPing
	webhookEvent
)

// outline is what tells a request's family.
type outline struct {
	Type  whole            `json:"type"`
	Event object[struct{}] `json:"event"`
}

func (o outline) kind() kind { return kindOf(o.Type, o.Event.there, o.Event.ok()) }

// kindOf tells the families apart. Type 1 means a ping in one of them and an
// event in the other, and the wrong answer to either breaks the endpoint.
func kindOf(typ whole, mentionsEvent, hasEvent bool) kind {
	switch {
	case !typ.ok:
		return unknown
	case typ.n == 0:
		return webhookPing
	case typ.n == 1 && hasEvent:
		return webhookEvent
	case typ.n == 1 && !mentionsEvent:
		return interactionPing
	case typ.n > 1:
		return interaction
	default:
		return unknown
	}
}

// payload is a body of either family, as far as it is read. Ids are strings of
// decimal digits.
type payload struct {
	Type          whole           `json:"type"`
	ApplicationID text            `json:"application_id"`
	Event         object[notice]  `json:"event"`
	ID            text            `json:"id"`
	Token         text            `json:"token"`
	Data          object[data]    `json:"data"`
	GuildID       text            `json:"guild_id"`
	Guild         object[guild]   `json:"guild"`
	ChannelID     text            `json:"channel_id"`
	Channel       object[channel] `json:"channel"`
	Member        object[member]  `json:"member"` // in a guild
	User          object[user]    `json:"user"`   // elsewhere
	Message       object[message] `json:"message"`
	Locale        text            `json:"locale"`
	GuildLocale   text            `json:"guild_locale"`
	Context       whole           `json:"context"`
	Permissions   text            `json:"app_permissions"`
	Owners        object[owners]  `json:"authorizing_integration_owners"`
}

func (p *payload) kind() kind { return kindOf(p.Type, p.Event.there, p.Event.ok()) }

// data is what an interaction is about.
type data struct {
	Name       text             `json:"name"`
	Type       whole            `json:"type"`
	Options    objects[option]  `json:"options"`
	TargetID   text             `json:"target_id"`
	Resolved   object[resolved] `json:"resolved"`
	CustomID   text             `json:"custom_id"`
	Kind       whole            `json:"component_type"`
	Values     texts            `json:"values"`
	Components objects[field]   `json:"components"`
}

// option of a command; subcommands and their groups are options, too.
type option struct {
	Name    text            `json:"name"`
	Type    whole           `json:"type"`
	Value   scalar          `json:"value"`
	Focused truth           `json:"focused"`
	Options objects[option] `json:"options"`
}

// field is a component of a modal: one that was filled in, or one that holds
// others (a label its one component, the older action row a list).
type field struct {
	CustomID   text           `json:"custom_id"`
	Value      scalar         `json:"value"`
	Values     *texts         `json:"values"`
	Component  object[field]  `json:"component"`
	Components objects[field] `json:"components"`
}

// resolved looks up the ids that options, values and targets hold.
type resolved struct {
	Users       dict[user]       `json:"users"`
	Members     dict[member]     `json:"members"` // without their user
	Roles       dict[role]       `json:"roles"`
	Channels    dict[channel]    `json:"channels"`
	Attachments dict[attachment] `json:"attachments"`
	Messages    dict[message]    `json:"messages"`
}

type user struct {
	ID         text  `json:"id"`
	Username   text  `json:"username"`
	GlobalName text  `json:"global_name"`
	Bot        truth `json:"bot"`
}

type member struct {
	User        object[user] `json:"user"`
	Nick        text         `json:"nick"`
	Roles       texts        `json:"roles"`
	Permissions text         `json:"permissions"`
}

type role struct {
	Name text `json:"name"`
}

type guild struct {
	ID   text `json:"id"`
	Name text `json:"name"`
}

type channel struct {
	ID       text  `json:"id"`
	Type     whole `json:"type"`
	Name     text  `json:"name"`
	ParentID text  `json:"parent_id"`
}

// isThread is true for the three kinds of threads. For other channels the
// parent is a category.
func (c *channel) isThread() bool { return c.Type.ok && c.Type.n >= 10 && c.Type.n <= 12 }

type message struct {
	ID      text         `json:"id"`
	Content text         `json:"content"`
	Author  object[user] `json:"author"`
}

type attachment struct {
	Filename    text   `json:"filename"`
	ContentType text   `json:"content_type"`
	Size        scalar `json:"size"`
	URL         text   `json:"url"`
}

// owners says where the application is installed: on a guild, on a user.
type owners struct {
	Guild text `json:"0"`
	User  text `json:"1"`
}

// notice is a webhook event.
type notice struct {
	Type      text               `json:"type"`
	Timestamp text               `json:"timestamp"`
	Data      object[noticeData] `json:"data"`
}

type noticeData struct {
	ID              text          `json:"id"`
	User            object[user]  `json:"user"`
	UserID          text          `json:"user_id"`
	Author          object[user]  `json:"author"`
	Guild           object[guild] `json:"guild"`
	GuildID         text          `json:"guild_id"`
	ChannelID       text          `json:"channel_id"`
	LobbyID         text          `json:"lobby_id"`
	Content         text          `json:"content"`
	Scopes          texts         `json:"scopes"`
	IntegrationType whole         `json:"integration_type"`
	SKU             text          `json:"sku_id"`
	Type            scalar        `json:"type"`
	Deleted         truth         `json:"deleted"`
}
