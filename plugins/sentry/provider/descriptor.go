package provider

import (
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	credentialType = "sentry_client_secret"
	secretField    = "secret"
)

// Describe says what people configure: one secret and twelve filters. All but
// resources are additions to what users of earlier systems know.
func (p *Provider) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type:    "sentry",
		Name:    "Sentry",
		Version: p.version,
		DocsURL: "https://docs.sentry.io/integrations/integration-platform/webhooks/",
		Credential: sdk.Credential{
			Type: credentialType,
			Fields: []sdk.Field{{
				Name:   secretField,
				Label:  "Client secret",
				Secret: true,
				Help:   "The integration's Client Secret, under Credentials in its settings at Sentry. Copy it when you make the integration: it is not shown for long.",
			}},
		},
		// A service hook's signature is never right here. It counts as one, so
		// that such a request is refused instead of being treated as unsigned.
		SignatureHeaders: []string{signatureHeader, componentHeader, serviceHookHeader},
		DeliveryIDHeader: deliveryHeader,
		Filters:          filters(),
		ReplyDeadline:    time.Second, // a server of one's own may be set to another
		Setup: `At Sentry: Settings, Custom Integrations (Developer Settings on older servers), Create New Integration, Internal.
Webhook URL: {url}
Issue & Event: Read. Webhooks: the resources that the triggers of your agents name.
Alert Rule Action: on for event_alert and metric_alert; then let an alert rule notify the integration.
Secret: store the integration's Client Secret as the credential sentry_client_secret.
There is no ping. Assign or resolve an issue to see a delivery.`,
		Example: map[string][]string{
			"resources": {"issue"},
			"actions":   {"created"},
		},
	}
}

func filters() []sdk.Filter {
	return []sdk.Filter{
		{Name: "resources", Attribute: "resource", Values: knownResources(), Help: "Kinds of events."},
		{
			Name: "actions", Attribute: "action", Values: knownActions(),
			Help: "What happened. archived and ignored are the same; a metric_alert has its severity here.",
		},
		{Name: "projects", Attribute: "project", Help: "Slugs of projects."},
		{Name: "organizations", Attribute: "organization", Help: "Slugs of organizations. Comments, Seer's work and many issues come without one."},
		{Name: "levels", Attribute: "level", Values: []string{"fatal", "error", "warning", "info", "debug"}, Help: "Levels of the issue or event."},
		{Name: "environments", Attribute: "environment", Help: "Environments, such as production, of events and of metric alerts that are limited to one."},
		{Name: "rules", Attribute: "rule", Help: "Names of the alert rules that fired."},
		{Name: "categories", Attribute: "category", Help: "Categories of issues: issue.created also tells of outages and feedback."},
		{
			Name: "substatuses", Attribute: "substatus", Help: "What lies behind an issue's status; an unresolved one may be new, or regressed.",
			Values: []string{
				"new", "ongoing", "escalating", "regressed",
				"archived_until_escalating", "archived_until_condition_met", "archived_forever",
			},
		},
		{Name: "assignee", Attribute: "assignee", Help: "Name or e-mail address of the user, or name of the team, that an issue is assigned to."},
		{Name: "activities", Attribute: "activity", Help: "Types of activity of an activity_alert, such as seer_root_cause_completed."},
		{Name: "conclusions", Attribute: "conclusion", Values: []string{"COMPLETED", "FAILED"}, Help: "How the work on a preprod_artifact ended."},
	}
}

func knownResources() []string {
	return []string{
		"event_alert", "metric_alert", "issue", "error", "comment",
		"installation", "activity_alert", "seer", "preprod_artifact",
	}
}

func knownActions() []string {
	return []string{
		"created", "updated", "deleted", // comments, errors, installations, issues
		"resolved", "unresolved", "assigned", "archived", "ignored", // issues
		"triggered",                   // event_alert, activity_alert
		"critical", "warning", "open", // metric_alert, which has resolved, too
		"root_cause_started", "root_cause_completed", "solution_started", "solution_completed",
		"coding_started", "coding_completed", "pr_created", "iteration_started", "iteration_completed",
		"size_analysis_completed", "build_distribution_completed",
	}
}
