package provider

import (
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	credentialType = "linear_webhook_secret"
	secretField    = "secret"
)

// Describe says what people configure: one secret and thirteen filters.
func (p *Provider) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type:    "linear",
		Name:    "Linear",
		Version: p.version,
		DocsURL: "https://linear.app/developers/webhooks",
		Credential: sdk.Credential{
			Type: credentialType,
			Fields: []sdk.Field{{
				Name:   secretField,
				Label:  "Signing secret",
				Secret: true,
				Help:   "Linear makes it: copy the webhook's \"Signing secret\" from its page under Settings, API, Webhooks, or from the settings of the OAuth application.",
			}},
		},
		SignatureHeaders: []string{signatureHeader},
		DeliveryIDHeader: deliveryHeader,
		Filters:          filters(),
		ReplyDeadline:    5 * time.Second,
		Setup: `In Linear, as an admin: Settings, API, Webhooks, New webhook. For agents and other apps: the settings of the OAuth application, Webhooks.
URL: {url}
It has to be public and HTTPS; Linear refuses localhost.
Secret: copy the signing secret that Linear shows into the credential linear_webhook_secret.
Data change events: those that the triggers of your agents name. Private teams need a webhook of their own.
Linear sends nothing to try it. Make an issue to see a first delivery. The clock of this machine has to be right to the minute.`,
		Example: map[string][]string{
			"events":       {"issues"},
			"added_labels": {"agent"},
		},
	}
}

// filters are those that users of earlier systems know, and then additions.
func filters() []sdk.Filter {
	return []sdk.Filter{
		{Name: "organizations", Attribute: "organization", Help: "Workspaces, by the name in their addresses (linear.app/<name>) or by organizationId."},
		{Name: "events", Attribute: "event", Values: knownEvents(), Help: "Kinds of events, by our name or Linear's: issues or Issue, issue_comment or Comment, project, cycle."},
		{Name: "actions", Attribute: "action", Values: knownActions(), Help: "What happened: create, update, remove (or delete); apps and SLAs have others."},
		{Name: "labels", Attribute: "label", Help: "Labels that the issue has, on every update of it; see added_labels. Comments come without labels and never match."},
		{Name: "assignee", Attribute: "assignee", Help: "Assignee, by e-mail address, name or id; also the agent an issue is delegated to, a project's lead, a customer's owner."},
		{Name: "author", Attribute: "author", Help: "Who made the issue, comment and so on, by e-mail address, name or id."},

		{Name: "added_labels", Attribute: "added_label", Help: "Labels that the issue was made with, or has got by this update."},
		{Name: "changed", Attribute: "changed", Help: "What an update changed, by Linear's name of the field or without its Id: state or stateId, labels, assignee, title. Others never match."},
		{Name: "states", Attribute: "state", Help: "State of the issue, by name or type (In Progress, started); status or health of a project or update; status of an agent's session."},
		{Name: "teams", Attribute: "team", Help: "Team of the issue or its comment, by key (ENG), name or id. Projects and documents come without one."},
		{Name: "projects", Attribute: "project", Help: "Projects, by name or id. Comments on issues come without one."},
		{Name: "senders", Attribute: "sender", Help: "Who did it, by e-mail address, name or id; of an integration the service. Nobody for what Linear does itself."},
		{
			Name: "echo", Kind: sdk.String, Attribute: "echo", Values: []string{"yes", "no"}, OptIn: []string{"yes"}, PassAbsent: true,
			Help: "Whether the app itself caused the notification or session event, so that an agent would answer itself. Other events can not tell, and pass.",
		},
	}
}

// knownEvents are our names, and Linear's where they are others.
func knownEvents() []string {
	var ours, theirs []string
	for _, k := range kinds() {
		ours = append(ours, k.name)
		if !strings.EqualFold(k.name, k.typ) {
			theirs = append(theirs, k.typ)
		}
	}
	return append(ours, theirs...)
}

// knownActions are of data, of SLAs, of agents' sessions, of applications and
// then of notifications. The last are what is known: Linear lists no end.
func knownActions() []string {
	return []string{
		"create", "update", "remove", "delete",
		"set", "highRisk", "breached",
		"created", "prompted",
		"revoked", "teamAccessChanged",
		"issueAssignedToYou", "issueUnassignedFromYou", "issueMention", "issueCommentMention", "issueNewComment",
		"issueStatusChanged", "issueEmojiReaction", "issueCommentReaction", "documentMention", "agentAssignable",
	}
}
