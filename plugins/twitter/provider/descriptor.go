package provider

import (
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	credentialType = "x_twitter_api"
	secretField    = "consumer_secret" // what deliveries are signed with
)

// Describe says what people configure: the keys of an app, and six filters.
func (p *Provider) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type:    "twitter",
		Name:    "X (Twitter)",
		Version: p.version,
		DocsURL: "https://docs.x.com/x-api/webhooks/introduction",
		Credential: sdk.Credential{
			Type: credentialType,
			Fields: []sdk.Field{
				{
					Name: "consumer_key", Label: "API key", Secret: true, Aliases: []string{"api_key"},
					Help: "Developer console, your app, Keys and tokens: API key (consumer key).",
				},
				{
					Name: secretField, Label: "API key secret", Secret: true, Aliases: []string{"api_secret"},
					Help: "Beside the API key (consumer secret). X signs deliveries with this one.",
				},
				{
					Name: "bearer_token", Label: "Bearer token", Secret: true,
					Help: "Beside the API key. Webhooks are registered with it.",
				},
				{
					Name: "access_token", Label: "Access token", Secret: true, Optional: true,
					Help: "Of the user whose account the Account Activity API watches.",
				},
				{
					Name: "access_token_secret", Label: "Access token secret", Secret: true, Optional: true,
					Help: "Belongs to the access token.",
				},
			},
		},
		SignatureHeaders: []string{signatureHeader},
		Filters:          filters(),
		// X's present pages allow 10 s, the older ones 3.
		ReplyDeadline: 3 * time.Second,
		Setup: `X has no form for webhooks. Make an app in the developer console and store its keys as the credential x_twitter_api.
While al is running and reachable by HTTPS without a port, register the address with the bearer token:
  curl -X POST https://api.x.com/2/webhooks -H "Authorization: Bearer $BEARER_TOKEN" -H "Content-Type: application/json" -d '{"url":"{url}"}'
X sends its challenge at once and from time to time, and stops delivering when the answer is wrong.
With several apps, register /webhooks/twitter/<source> for each: X does not say which app asks.
Then subscribe: to the X Activity API or a filtered stream with the bearer token, to Account Activity with a user's tokens.`,
		Example: map[string][]string{
			"events":  {"tweet_create_events", "post.mention.create"},
			"origins": {byOthers},
		},
	}
}

func filters() []sdk.Filter {
	return []sdk.Filter{
		{
			Name: "events", Attribute: "event", Values: knownEvents(),
			Help: "Kinds of events: keys of the Account Activity API, event types of the X Activity API, or filtered_stream.",
		},
		{
			Name: "users", Attribute: "user",
			Help: "Ids of the subscribed users (for_user_id) that the event is delivered for. The filtered stream has none.",
		},
		{
			Name: "senders", Attribute: "sender",
			Help: "Who did it, as id or as user name without @.",
		},
		{
			Name: "origins", Attribute: "origin", Values: []string{bySelf, byOthers}, OptIn: []string{bySelf},
			Help: "self for what the subscribed user did, others for the rest. An agent that acts as that user would answer itself.",
		},
		{
			Name: "kinds", Attribute: "kind", Values: []string{kindPost, kindReply, kindQuote, kindRetweet},
			Help: "Kinds of new posts. Other events have none and do not match.",
		},
		{
			Name: "tags", Attribute: "tag", MatchCase: true,
			Help: "Tags of the subscription, or of the stream's rules that the post fits.",
		},
	}
}

// knownEvents are those that X documents. The first group is of the Account
// Activity API, with the opposites that X sends under the same key.
func knownEvents() []string {
	return []string{
		"tweet_create_events", "tweet_delete_events", "favorite_events", "follow_events", "unfollow_events",
		"block_events", "unblock_events", "mute_events", "unmute_events", "direct_message_events",
		"direct_message_indicate_typing_events", "direct_message_mark_read_events", "user_event",

		"post.create", "post.delete", "post.mention.create", "post.reply.create", "post.quote.create",
		"post.repost.create", "like.create", "follow.follow", "follow.unfollow", "mute.mute", "mute.unmute",
		"block.block", "block.unblock", "dm.received", "dm.sent", "dm.read", "dm.indicate_typing",
		"chat.received", "chat.sent", "chat.conversation_join",
		"profile.update.bio", "profile.update.profile_picture", "profile.update.banner_picture",
		"profile.update.screenname", "profile.update.handle", "profile.update.geo", "profile.update.url",
		"profile.update.verified_badge", "profile.update.affiliate_badge",
		"spaces.start", "spaces.end", "broadcast.start", "broadcast.end", "broadcast.chat", "news.new", "oauth.revoke",

		"filtered_stream",
	}
}
