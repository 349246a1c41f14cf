package provider

import (
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	credentialType = "slack_signing_secret"
	secretField    = "secret"
)

// Describe says what people configure: one secret and the filters.
func (p *Provider) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type:    "slack",
		Name:    "Slack",
		Version: p.version,
		DocsURL: "https://docs.slack.dev/apis/events-api/",
		Credential: sdk.Credential{
			Type: credentialType,
			Fields: []sdk.Field{{
				Name:   secretField,
				Label:  "Signing secret",
				Secret: true,
				Help: "At api.slack.com/apps open the app: Basic Information, App Credentials, Signing Secret, Show. " +
					"It is not the verification token, the client secret or a bot token.",
			}},
		},
		// The time that is signed is no secret. Kept with the receipt, it is the
		// time of those requests whose payload has none.
		SignatureHeaders: []string{signatureHeader},
		Filters:          filters(),
		ReplyDeadline:    3 * time.Second,
		Setup: `At api.slack.com/apps open the app. Basic Information, App Credentials has the signing secret.
Store it as the credential slack_signing_secret first: Slack checks an address as soon as you enter it.
Event Subscriptions: turn them on, Request URL {url}, and subscribe to bot events, for example app_mention.
Slash Commands, Interactivity & Shortcuts: the same Request URL, where your app has any.
Install the app to the workspace and invite it to the channels that it should hear.`,
		Example: map[string][]string{
			"events": {"app_mention"},
		},
	}
}

func filters() []sdk.Filter {
	return []sdk.Filter{
		{
			Name: "events", Attribute: "event", Values: knownEvents(),
			Help: "Kinds of events. message is any message; message.channels and its like are those of one kind of conversation.",
		},
		{Name: "channels", Attribute: "channel", Help: "Ids of channels, such as C0123456789; never their names."},
		{Name: "team_ids", Attribute: "team", Help: "Ids of workspaces, such as T0123456789."},
		{Name: "users", Attribute: "user", Help: "Ids of who did it, such as U0123456789; of a bot its B id as well."},
		{
			Name: "from", Attribute: "from", Values: []string{fromPerson, fromSlack, fromBot, fromSelf}, OptIn: []string{fromBot, fromSelf},
			Help: "Who did it: a person, Slack itself, another app's bot, or self, the app that all this is sent to. Only messages tell other apps' bots from people.",
		},
		{
			Name: "subtypes", Attribute: "subtype", Values: knownSubtypes(),
			Help: "Subtypes of messages; none is a message as people write it.",
		},
		{
			Name: "in_thread", Kind: sdk.String, Attribute: "in_thread", Values: []string{"yes", "no"},
			Help: "Whether the message is an answer in a thread.",
		},
		{
			Name: "mentions_app", Kind: sdk.String, Attribute: "mentions_app", Values: []string{"yes", "no"},
			Help: "Whether the message mentions the app. Slack sends such a message twice, as message and as app_mention.",
		},
		{
			Name: "include", Attribute: "include", PassAbsent: true, Values: knownIncludes(), OptIn: knownIncludes(),
			Help: "What comes beside new messages: edits (every preview of a link is one), deletions, other hidden messages.",
		},
		{Name: "commands", Attribute: "command", Help: "Slash commands, with the slash."},
		{
			Name: "actions", Attribute: "action", MatchCase: true,
			Help: "Names that the app gave: action_id of what was used, callback_id of the view, shortcut or dialog.",
		},
		{Name: "reactions", Attribute: "reaction", Help: "Names of emoji, without colons."},
	}
}

// knownEvents are those that Slack documents for the Events API, then the names
// under which an app subscribes to messages, and what arrives as a form.
func knownEvents() []string {
	return []string{
		"app_deleted", "app_home_opened", "app_installed", "app_mention", "app_requested", "app_uninstalled",
		"app_uninstalled_team", "assistant_thread_context_changed", "assistant_thread_started", "call_rejected",
		"channel_archive", "channel_created", "channel_deleted", "channel_history_changed", "channel_id_changed",
		"channel_left", "channel_rename", "channel_shared", "channel_unarchive", "channel_unshared",
		"dnd_updated", "dnd_updated_user", "email_domain_changed", "emoji_changed", "entity_details_requested",
		"file_change", "file_comment_added", "file_comment_deleted", "file_comment_edited", "file_created",
		"file_deleted", "file_public", "file_shared", "file_unshared", "function_executed", "grid_migration_finished",
		"grid_migration_started", "group_archive", "group_close", "group_deleted", "group_history_changed",
		"group_left", "group_open", "group_rename", "group_unarchive", "im_close", "im_created",
		"im_history_changed", "im_open", "invite_requested", "link_shared", "member_joined_channel",
		"member_left_channel", "message", "message_metadata_deleted", "message_metadata_posted",
		"message_metadata_updated", "pin_added", "pin_removed", "reaction_added", "reaction_removed",
		"resources_added", "resources_removed", "scope_denied", "scope_granted", "shared_channel_invite_accepted",
		"shared_channel_invite_approved", "shared_channel_invite_declined", "shared_channel_invite_received",
		"shared_channel_invite_requested", "star_added", "star_removed", "subteam_created",
		"subteam_members_changed", "subteam_self_added", "subteam_self_removed", "subteam_updated",
		"team_access_granted", "team_access_revoked", "team_domain_change", "team_join", "team_rename",
		"tokens_revoked", "user_change", "user_huddle_changed", "user_profile_changed",
		"user_resource_denied", "user_resource_granted", "user_resource_removed", "user_status_changed",
		"workflow_deleted", "workflow_published", "workflow_step_deleted", "workflow_step_execute",
		"workflow_unpublished",

		"message.channels", "message.groups", "message.im", "message.mpim", "message.app_home",

		slashCommand, "block_actions", "block_suggestion", "dialog_cancellation", "dialog_submission",
		"dialog_suggestion", "interactive_message", "message_action", "shortcut", "view_closed", "view_submission",
		"workflow_step_edit",
	}
}

func knownSubtypes() []string {
	return []string{
		noSubtype, "assistant_app_thread", "bot_add", "bot_message", "bot_remove", "canvas_tab_added",
		"channel_archive", "channel_canvas_updated", "channel_convert_to_private", "channel_convert_to_public",
		"channel_join", "channel_leave", "channel_name", "channel_posting_permissions", "channel_purpose",
		"channel_topic", "channel_unarchive", "document_mention", "ekm_access_denied", "file_comment",
		"file_mention", "file_share", "group_archive", "group_join", "group_leave", "group_name", "group_purpose",
		"group_topic", "group_unarchive", "huddle_thread", "me_message", "message_changed", "message_deleted",
		"message_replied", "pinned_item", "reminder_add",
		"reply_broadcast", "sh_room_created", "sh_room_shared", "thread_broadcast", "tombstone", "unpinned_item",
	}
}

// Who did something.
const (
	fromPerson = "person"
	fromSlack  = "slack"
	fromBot    = "bot"
	fromSelf   = "self"
)

func knownIncludes() []string {
	return []string{"edits", "deletions", "hidden"}
}
