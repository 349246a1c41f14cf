package provider

import (
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	credentialType = "discord_bot"
	keyField       = "public_key"
)

// Describe says what people configure: an application's keys and seven filters.
func (p *Provider) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type:    "discord",
		Name:    "Discord",
		Version: p.version,
		DocsURL: "https://discord.com/developers/docs/interactions/receiving-and-responding",
		Credential: sdk.Credential{
			Type: credentialType,
			Fields: []sdk.Field{
				{
					Name: "application_id", Label: "Application ID", Pattern: "[0-9]{15,20}",
					Help: "Discord's developer portal, your application, General Information. Tools and agents need it; verifying does not.",
				},
				{
					Name: keyField, Label: "Public key", Pattern: "[0-9a-fA-F]{64}",
					Help: "Discord's developer portal, your application, General Information. 64 hex digits; what proves that Discord sent a request.",
				},
				{
					Name: "bot_token", Label: "Bot token", Secret: true, Optional: true,
					Help: "Discord's developer portal, your application, Bot. Only for agents that post later than 15 minutes after an interaction.",
				},
				{
					Name: testKeyField, Label: "Private key, for test deliveries", Secret: true, Optional: true, Pattern: testKeyPrefix + "[0-9a-fA-F]{64}",
					Help: "Leave it empty for Discord's own deliveries. Only with a key pair of your own making: its private half, and the other as Public key.",
				},
			},
		},
		SignatureHeaders: []string{signatureHeader, timestampHeader},
		Filters:          filters(),
		ReplyDeadline:    3 * time.Second,
		Setup: `In the developer portal, open your application.
Interactions Endpoint URL (General Information): {url}
Endpoint (Webhooks), only for webhook events: {url}, and choose the events.
Discord checks each address when it is saved, with good and with bad signatures: the gateway has to be running, and to have the credential discord_bot.
While an interactions endpoint is set, interactions no longer reach a bot that is connected through Discord's Gateway.
Register commands through Discord's API. Ordinary messages and reactions are never sent here.`,
		Example: map[string][]string{
			"events":   {applicationCommand},
			"commands": {"ask"},
		},
	}
}

func filters() []sdk.Filter {
	return []sdk.Filter{
		{
			Name: "events", Attribute: "event", Values: knownEvents(), OptIn: []string{autocomplete},
			Help: "Kinds of interactions and webhook events. Autocomplete comes with every keystroke.",
		},
		{Name: "guilds", Attribute: "guild", Help: "Servers, by id. What happens in a direct message has none and is held back."},
		{
			Name: "channels", Attribute: "channel",
			Help: "Channels, by id; of a thread also the channel it belongs to. Webhook events that have none are held back.",
		},
		{
			Name: "commands", Attribute: "command", PassAbsent: true,
			Help: "Commands, as \"role\", \"role add\" or \"role add member\". Events that are not about a command pass; events = [\"application_command\"] keeps them out.",
		},
		{Name: "users", Attribute: "user", Help: "People, by id, who did it. Names can change and are not looked at."},
		{Name: "roles", Attribute: "role", Help: "Roles, by id, of which the person has one. There are none outside a server."},
		{
			Name: "custom_ids", Attribute: "custom_id", PassAbsent: true, MatchCase: true,
			Help: "Custom ids of components and modals: the whole, or what comes before the first \":\". Events that are about neither pass.",
		},
	}
}

// knownEvents are Discord's; interactions have no names there but numbers.
func knownEvents() []string {
	return []string{
		applicationCommand, messageComponent, autocomplete, modalSubmit,
		"APPLICATION_AUTHORIZED", "APPLICATION_DEAUTHORIZED",
		"ENTITLEMENT_CREATE", "ENTITLEMENT_UPDATE", "ENTITLEMENT_DELETE", "QUEST_USER_ENROLLMENT",
		"LOBBY_MESSAGE_CREATE", "LOBBY_MESSAGE_UPDATE", "LOBBY_MESSAGE_DELETE",
		"GAME_DIRECT_MESSAGE_CREATE", "GAME_DIRECT_MESSAGE_UPDATE", "GAME_DIRECT_MESSAGE_DELETE",
	}
}
