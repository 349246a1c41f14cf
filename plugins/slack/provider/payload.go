package provider

import (
	"github.com/go-json-experiment/json/jsontext"
)

// The types of requests that are told apart by the payload's "type".
const (
	typeVerification = "url_verification"
	typeRateLimited  = "app_rate_limited"
	typeCallback     = "event_callback"
)

// thing is what Slack has now as an id and now as an object with that id: a
// channel, a user, a team.
type thing struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Username     string `json:"username"`
	Domain       string `json:"domain"`
	Creator      string `json:"creator"`
	TeamID       string `json:"team_id"`
	EnterpriseID string `json:"enterprise_id"`
}

// callback is a request of the Events API.
type callback struct {
	Type                string          `json:"type"`
	TeamID              string          `json:"team_id"`
	EnterpriseID        string          `json:"enterprise_id"`
	ContextTeamID       string          `json:"context_team_id"`
	ContextEnterpriseID string          `json:"context_enterprise_id"`
	AppID               string          `json:"api_app_id"`
	EventID             string          `json:"event_id"`
	EventTime           int64           `json:"event_time"`
	Authorizations      []authorization `json:"authorizations"`
	Shared              bool            `json:"is_ext_shared_channel"`
	Event               inner           `json:"event"`
}

// authorization is one installation of the app that the event is for.
type authorization struct {
	EnterpriseID string `json:"enterprise_id"`
	TeamID       string `json:"team_id"` // null when the app is installed for the whole organisation
	UserID       string `json:"user_id"`
	IsBot        bool   `json:"is_bot"`
	OrgInstall   bool   `json:"is_enterprise_install"`
}

// inner is the event itself: every event has some of these.
type inner struct {
	message
	Channel   thing  `json:"channel"`
	ChannelID string `json:"channel_id"`
	// ChannelType is channel, group, im, mpim or app_home of a message, and C
	// or G of who joined or left.
	ChannelType string  `json:"channel_type"`
	EventTS     string  `json:"event_ts"`
	Hidden      bool    `json:"hidden"`
	Changed     message `json:"message"`
	Previous    message `json:"previous_message"`
	DeletedTS   string  `json:"deleted_ts"`

	UserID  string `json:"user_id"`
	ActorID string `json:"actor_id"`
	Inviter string `json:"inviter"`

	Item struct {
		Type    string  `json:"type"`
		Channel string  `json:"channel"`
		TS      string  `json:"ts"`
		Message message `json:"message"`
		File    thing   `json:"file"`
		FileID  string  `json:"file_id"`
	} `json:"item"`
	ItemUser string `json:"item_user"`
	Reaction string `json:"reaction"`

	Assistant struct {
		UserID    string `json:"user_id"`
		ChannelID string `json:"channel_id"`
		ThreadTS  string `json:"thread_ts"`
	} `json:"assistant_thread"`

	Links []struct {
		URL string `json:"url"`
	} `json:"links"`
	MessageTS string `json:"message_ts"`
	UnfurlID  string `json:"unfurl_id"`
	Source    string `json:"source"`

	FileID string `json:"file_id"`
	Tab    string `json:"tab"`
}

// message is a message, as the event or within one.
type message struct {
	Type     string `json:"type"`
	Subtype  string `json:"subtype"`
	User     thing  `json:"user"`
	Username string `json:"username"`
	BotID    string `json:"bot_id"`
	AppID    string `json:"app_id"`
	Text     string `json:"text"`
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
	UserTeam string `json:"user_team"`
	Profile  struct {
		AppID string `json:"app_id"`
	} `json:"bot_profile"`
	Edited struct {
		User string `json:"user"`
		TS   string `json:"ts"`
	} `json:"edited"`
	Files       []file         `json:"files"`
	Blocks      jsontext.Value `json:"blocks"`
	Attachments jsontext.Value `json:"attachments"`
}

type file struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Mimetype  string `json:"mimetype"`
	URL       string `json:"url_private"`
	Permalink string `json:"permalink"`
	Access    string `json:"file_access"` // check_file_info: ask the API for the rest
}

// interaction is what a person did with something that the app has shown.
type interaction struct {
	Type       string `json:"type"`
	AppID      string `json:"api_app_id"`
	Team       thing  `json:"team"` // null when the app is installed for the whole organisation
	Enterprise thing  `json:"enterprise"`
	User       thing  `json:"user"`
	Channel    thing  `json:"channel"`
	Container  struct {
		ChannelID   string `json:"channel_id"`
		MessageTS   string `json:"message_ts"`
		ThreadTS    string `json:"thread_ts"`
		IsEphemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Message    message `json:"message"`
	Original   message `json:"original_message"` // of interactive_message
	MessageTS  string  `json:"message_ts"`
	ActionTS   string  `json:"action_ts"`
	CallbackID string  `json:"callback_id"`

	TriggerID    string `json:"trigger_id"`
	ResponseURL  string `json:"response_url"`
	ResponseURLs []struct {
		URL string `json:"response_url"`
	} `json:"response_urls"`

	Actions    []input           `json:"actions"`
	State      state             `json:"state"`
	Submission map[string]string `json:"submission"` // of a dialog
	View       view              `json:"view"`

	// Of a suggestion: which select asks, and what was typed so far.
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Name     string `json:"name"` // of dialog_suggestion
	Value    string `json:"value"`

	OrgInstall bool `json:"is_enterprise_install"`
}

type view struct {
	ID              string `json:"id"`
	Type            string `json:"type"`
	CallbackID      string `json:"callback_id"`
	PrivateMetadata string `json:"private_metadata"`
	InstalledTeamID string `json:"app_installed_team_id"`
	Title           struct {
		Text string `json:"text"`
	} `json:"title"`
	State state `json:"state"`
}

// state is what the inputs of a message or view hold, by block and action. A
// dialog has a text of the app's there.
type state struct {
	Text   string                      `json:"-"`
	Values map[string]map[string]input `json:"values"`
}

// input is an element that a person can use, with what they put in.
type input struct {
	Type     string `json:"type"`
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	ActionTS string `json:"action_ts"`
	Name     string `json:"name"` // of interactive_message

	Value         string         `json:"value"`
	Option        option         `json:"selected_option"`
	Options       []option       `json:"selected_options"`
	User          string         `json:"selected_user"`
	Users         []string       `json:"selected_users"`
	Channel       string         `json:"selected_channel"`
	Channels      []string       `json:"selected_channels"`
	Conversation  string         `json:"selected_conversation"`
	Conversations []string       `json:"selected_conversations"`
	Date          string         `json:"selected_date"`
	Time          string         `json:"selected_time"`
	DateTime      int64          `json:"selected_date_time"`
	Files         []file         `json:"files"`
	RichText      jsontext.Value `json:"rich_text_value"`
}

type option struct {
	Value string `json:"value"`
}
