package provider

import (
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	credentialType = "github_webhook_secret"
	secretField    = "secret"
)

// Describe says what people configure: one secret and ten filters.
func (p *Provider) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type:    "github",
		Name:    "GitHub",
		Version: p.version,
		DocsURL: "https://docs.github.com/en/webhooks/webhook-events-and-payloads",
		Credential: sdk.Credential{
			Type: credentialType,
			Fields: []sdk.Field{{
				Name:      secretField,
				Label:     "Webhook secret",
				Secret:    true,
				Generated: true,
				Help:      "Make one up, long and random, and enter the same text as \"Secret\" in the settings of the hook at GitHub.",
			}},
		},
		// The legacy header counts as a signature, so that a request with
		// nothing else is refused instead of being treated as unsigned.
		SignatureHeaders: []string{signatureHeader, legacyHeader},
		DeliveryIDHeader: deliveryHeader,
		Filters:          filters(),
		ReplyDeadline:    10 * time.Second, // 30 on an Enterprise Server
		Setup: `In the repository or the organization: Settings, Webhooks, Add webhook.
Payload URL: {url}
Content type: application/json (forms are understood as well).
Secret: the text of the credential github_webhook_secret. Without one GitHub signs nothing.
Events: those that the triggers of your agents name.
GitHub sends a ping at once. It should be answered with 200, and starts nothing.`,
		Example: map[string][]string{
			"events":  {"issues"},
			"actions": {"labeled"},
			"labels":  {"agent"},
		},
	}
}

func filters() []sdk.Filter {
	return []sdk.Filter{
		{Name: "repos", Attribute: "repo", Help: "Repositories, as owner/name."},
		{Name: "org", Kind: sdk.String, Attribute: "org", Help: "Organization, or user, that owns the repository."},
		{Name: "orgs", Attribute: "org", Help: "Organizations, or users, any of which owns the repository; org adds to them."},
		{Name: "events", Attribute: "event", Help: "Kinds of events.", Values: knownEvents()},
		{
			Name: "actions", Attribute: "action", Values: knownActions(),
			Help: "What happened. Events without an action (push, create, delete, fork, status) never match.",
		},
		{
			Name: "labels", Attribute: "label",
			Help: "Labels of the issue, pull request or discussion; with labeled and unlabeled the label that changed.",
		},
		{Name: "assignee", Attribute: "assignee", Help: "Login of any of the assignees; with unassigned also of the one removed."},
		{Name: "author", Attribute: "author", Help: "Login of who made the issue, pull request, commit and so on."},
		{
			Name: "branches", Attribute: "branch", PassAbsent: true, MatchCase: true,
			Help: "Branches, without refs/heads/; of a pull request the one it comes from. Events without a branch pass.",
		},
		{
			Name: "conclusions", Attribute: "conclusion", PassAbsent: true, Values: knownConclusions(),
			Help: "Results of workflows, checks, statuses and deployments. Unfinished runs pass; actions = [\"completed\"] holds them back.",
		},
	}
}

// knownEvents are those that GitHub documents. ping is missing because it
// never becomes an event.
func knownEvents() []string {
	return []string{
		"branch_protection_configuration", "branch_protection_rule", "check_run", "check_suite",
		"code_scanning_alert", "commit_comment", "create", "custom_property", "custom_property_values", "delete",
		"dependabot_alert", "deploy_key", "deployment", "deployment_protection_rule", "deployment_review",
		"deployment_status", "discussion", "discussion_comment", "fork", "github_app_authorization", "gollum",
		"installation", "installation_repositories", "installation_target", "issue_comment", "issue_dependencies",
		"issues", "label", "marketplace_purchase", "member", "membership", "merge_group", "meta", "milestone",
		"org_block", "organization", "package", "page_build", "personal_access_token_request", "projects_v2",
		"projects_v2_item", "projects_v2_status_update", "public", "pull_request", "pull_request_review",
		"pull_request_review_comment", "pull_request_review_thread", "push", "registry_package", "release",
		"repository", "repository_advisory", "repository_dispatch", "repository_import", "repository_ruleset",
		"repository_vulnerability_alert", "secret_scanning_alert", "secret_scanning_alert_location",
		"secret_scanning_scan", "security_advisory", "security_and_analysis", "sponsorship", "star", "status",
		"sub_issues", "team", "team_add", "watch", "workflow_dispatch", "workflow_job", "workflow_run",
	}
}

// knownActions are those of the events that have a layout, and the usual ones
// of the others. repository_dispatch brings whatever its sender chose.
func knownActions() []string {
	return []string{
		"added", "answered", "appeared_in_branch", "archived", "assigned", "auto_dismissed", "auto_merge_disabled",
		"auto_merge_enabled", "auto_reopened", "category_changed", "checks_requested", "closed", "closed_by_user",
		"completed", "converted", "converted_to_draft", "created", "deleted", "demilestoned", "dequeued", "destroyed",
		"dismissed", "edited", "enqueued", "fixed", "in_progress", "labeled", "locked", "member_added",
		"member_invited", "member_removed", "milestoned", "new_permissions_accepted", "opened", "pinned",
		"prereleased", "privatized", "publicized", "publicly_leaked", "published", "queued", "ready_for_review",
		"reintroduced", "released", "removed", "renamed", "reopened", "reopened_by_user", "reordered", "requested",
		"requested_action", "rerequested", "resolved", "restored", "review_request_removed", "review_requested",
		"started", "submitted", "suspend", "synchronize", "transferred", "typed", "unanswered", "unarchived",
		"unassigned", "unlabeled", "unlocked", "unpinned", "unpublished", "unresolved", "unsuspend", "untyped",
		"updated", "validated", "waiting",
	}
}

// knownConclusions are those of checks and workflows, then the states of
// commit statuses and deployments.
func knownConclusions() []string {
	return []string{
		"success", "failure", "cancelled", "skipped", "neutral", "timed_out", "action_required", "stale",
		"startup_failure", "waiting", "pending",
		"error", "queued", "in_progress", "inactive",
	}
}
