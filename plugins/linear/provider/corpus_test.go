package provider

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// corpusDir holds real payloads, which are not ours to distribute.
const corpusDir = "../../../../shared/corpus/linear"

func corpus(t testing.TB) map[string]sdk.Event {
	t.Helper()
	all := map[string]sdk.Event{}
	for name, body := range providertest.Payloads(t, corpusDir) {
		events, err := New("test").Parse(t.Context(), delivery(body))
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: %v, %v", name, events, err)
		}
		all[name] = events[0]
	}
	return all
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	// The oldest, and those whose ids were blanked by their publisher.
	noOrganization := []string{"Issue.update.assign.2021", "IssueLabel.create", "Reaction.create", "Cycle.update", "Issue.update.null-actor", "IssueSLA.breached"}
	for name, e := range corpus(t) {
		typ, rest, _ := strings.Cut(name, ".")
		action, _, _ := strings.Cut(rest, ".")
		if e.Extra["type"] != typ || e.Action != action || e.Timestamp.IsZero() || e.DeliveryID == "" {
			t.Errorf("%s: type %v, action %q, time %s, delivery %q", name, e.Extra["type"], e.Action, e.Timestamp, e.DeliveryID)
		}
		if e.Title == "" && !slices.Contains([]string{"Comment.create.vendor-doc", "Comment.create.on-document", "Reaction.create"}, name) {
			t.Errorf("%s: no title", name)
		}
		if _, has := e.Extra["organizationId"]; has == slices.Contains(noOrganization, name) {
			t.Errorf("%s: organization %v", name, e.Extra["organizationId"])
		}
	}
}

func TestCorpusValues(t *testing.T) {
	t.Parallel()
	events := corpus(t)
	attribute := func(name string) func(sdk.Event) any {
		return func(e sdk.Event) any { return strings.Join(e.Attributes[name], ", ") }
	}
	extra := func(name string) func(sdk.Event) any {
		return func(e sdk.Event) any { return e.Extra[name] }
	}
	var (
		sender   = func(e sdk.Event) any { return e.Sender }
		author   = func(e sdk.Event) any { return e.Author }
		assignee = func(e sdk.Event) any { return e.Assignee }
		number   = func(e sdk.Event) any { return e.Number }
		title    = func(e sdk.Event) any { return e.Title }
		body     = func(e sdk.Event) any { return e.Body }
		comment  = func(e sdk.Event) any { return e.Comment }
		url      = func(e sdk.Event) any { return e.URL }
	)
	tests := []struct {
		name string
		get  func(e sdk.Event) any
		want string
	}{
		{"Issue.create.with-actor", sender, "test@example.com"},
		{"Issue.create.with-actor", author, "7d5468b1-6fba-41d5-ab41-1753147d7908"}, // not the actor
		{"Issue.create.with-actor", number, "12"},
		{"Issue.create.with-actor", assignee, ""},
		{"Issue.create.with-actor", attribute("label"), "Boilerplate"},
		{"Issue.create.with-actor", attribute("organization"), "3aba35aa-a5a1-45b7-a8cf-61735dbb9bf0, control"},
		{"Issue.create.with-actor", attribute("state"), "Backlog"},
		{"Issue.create.with-actor", url, "https://linear.app/control/issue/TST-12/test-issue"},
		{"Issue.create.with-actor", body, ""},
		{"Issue.create", number, "44"},
		{"Issue.create", sender, ""},
		{"Issue.create", assignee, "Robin Example"},
		{"Issue.create", author, "Robin Example"}, // the assignee has the creator's id
		{"Issue.create", attribute("label"), "Improvement, Feature, Bug, Custom Label"},
		{"Issue.create", extra("identifier"), "WEB-44"},
		{"Issue.create", extra("priority"), "Urgent"},
		{"Issue.create", extra("team"), "WEB"},
		{"Issue.update.title", attribute("changed"), "updatedAt, title"},
		{"Issue.update.title", attribute("added_label"), ""},
		{"Issue.update.title", attribute("author"), "Robin Example, 674c90c8-35ea-454d-8ca4-5548258fd795"},
		{"Issue.update.description", attribute("label"), ""},
		{"Issue.update.description", attribute("project"), "Testing, 30c1f0c4-086a-4f38-bd9c-48c63e2be880"},
		{"Issue.update.null-actor", sender, ""},
		{"Issue.update.null-actor", attribute("label"), "CS Escalation"},
		{"Issue.update.null-actor", attribute("assignee"), ""},
		{"Issue.update.null-actor", number, "0"},
		{"Issue.update.assign.2021", attribute("assignee"), "user@example.com, 80e102b0-xxxx-xxxx-xxxx-044bcfb4cd39"},
		{"Issue.update.assign.2021", attribute("organization"), "korosuke613"},
		{"Issue.update.assign.2021", attribute("label"), ""},
		{"Issue.remove", attribute("action"), "remove, delete"},
		{"Issue.remove", extra("trashed"), "true"},
		{"Issue.remove", url, ""},
		{"Issue.remove", number, "44"},
		{"IssueSLA.breached", attribute("label"), "CS Escalation"},
		{"IssueSLA.breached", title, "test"},
		{"IssueSLA.breached", url, "https://linear.app/squareup/issue/W-11031"},
		{"IssueSLA.breached", attribute("action"), "breached"},
		{"IssueSLA.breached", extra("slaBreachesAt"), "2025-03-14T17:09:35.482Z"},

		{"Comment.create", func(e sdk.Event) any { return e.Name }, "issue_comment"},
		{"Comment.create", number, "594"},
		{"Comment.create", title, "simple issue"},
		{"Comment.create", comment, "@agentclear1 let's see about his"},
		{"Comment.create", author, "casey@example.com"},
		{"Comment.create", sender, "casey@example.com"},
		{"Comment.create", url, "https://linear.app/ceedar/issue/CEE-594/simple-issue#comment-00d56bdc"},
		{"Comment.create", attribute("label"), ""},
		{"Comment.create", attribute("organization"), "ee2a1136-fe42-47ac-897f-f4ee8e824eb8, ceedar"},
		{"Comment.create.reply", author, "Morgan"},
		{"Comment.create.reply", number, "34"}, // from the address
		{"Comment.create.reply", extra("parentId"), "64124dc7-aac5-4090-8ff7-48b56f571468"},
		{"Comment.create.on-document", number, "0"},
		{"Comment.create.on-document", author, "dana@example.com"},
		{"Comment.create.on-document", extra("quotedText"), "This is an comment"},
		{"Comment.create.vendor-doc", attribute("author"), "aacdca22-6266-4c0a-ab3c-8fa70a26765c"},
		{"Comment.create.vendor-doc", attribute("organization"), "dc844923-f9a4-40a3-825c-dea7747e57d6"},
		{"Comment.create.vendor-doc", number, "1778"},
		{"Comment.update.reaction", attribute("changed"), "updatedAt, reactionData"},
		{"Comment.remove", url, ""},
		{"Comment.remove", title, "Thorough Impact Analysis and Cost Realization"},
		{"Comment.remove", attribute("author"), "Robin Example, 674c90c8-35ea-454d-8ca4-5548258fd795"},

		{"IssueLabel.create", func(e sdk.Event) any { return e.Labels }, "[new label]"},
		{"IssueLabel.create", author, "80e102b0-xxxx-xxxx-xxxx-044bcfb4cd39"},
		{"Project.update.status", title, "Zulip-Test-Project"},
		{"Project.update.status", body, "Summary for the Project"},
		{"Project.update.status", attribute("state"), "In Progress, started"},
		{"Project.update.status", author, "dana@example.com"},
		{"Project.update.health", extra("health"), "atRisk"},
		{"Project.update.health", attribute("label"), ""},
		{"ProjectUpdate.create", title, "Zulip-terminal"},
		{"ProjectUpdate.create", extra("health"), "atRisk"},
		{"ProjectUpdate.create", attribute("event"), "projectupdate"},
		{"ProjectUpdate.update", author, "Morgan"},
		{"ProjectUpdate.update", body, "This is an update. Updated"},
		{"Cycle.update", number, "1"},
		{"Cycle.update", title, "rename cycle"},
		{"Reaction.create", comment, "white_check_mark"},
		{"Reaction.create", extra("parentComment"), "new comment"},
		{"Reaction.create", author, "hoge@example.com"},

		{"AgentSessionEvent.created", sender, "sam@example.com"},
		{"AgentSessionEvent.created", number, "774"},
		{"AgentSessionEvent.created", comment, "@claude ping. no detailed response needed, maybe just a pong"},
		{"AgentSessionEvent.created", body, `<issue identifier="GENT-774">...`},
		{"AgentSessionEvent.created", url, "https://linear.app/example/issue/GENT-774/a-test-issue"},
		{"AgentSessionEvent.created", attribute("state"), "pending"},
		{"AgentSessionEvent.created", attribute("echo"), "no"},
		{"AgentSessionEvent.created", func(e sdk.Event) any { return e.Timestamp.Format("15:04:05.000") }, "22:00:25.752"},
		{"AppUserNotification.documentMention", title, "Test doc"},
		{"AppUserNotification.documentMention", attribute("project"), "Test project, bd51cbd8-589f-4122-8326-4347fb0c89ce"},
		{"AppUserNotification.issueAssignedToYou", assignee, "90e50d8f-e44e-45d9-9de3-4ec126ce78fd"},
		{"AppUserNotification.issueAssignedToYou", number, "10"},
		{"AppUserNotification.issueMention", sender, "alex@example.com"},
		{"AppUserNotification.issueMention", attribute("organization"), "4fde7f37-de48-4d5c-93fb-473c8f24d4cb, swarmai"},
		{"AppUserNotification.issueCommentMention.thread", comment, "@swarm-ai-dev reply"},
		{"AppUserNotification.issueCommentMention.thread", extra("parentComment"), "TEST6"},
		{"AppUserNotification.issueNewComment", extra("appUserId"), "90e50d8f-e44e-45d9-9de3-4ec126ce78fd"},
		{"AppUserNotification.issueNewComment", extra("team"), "SW"},
	}
	for _, tt := range tests {
		e, ok := events[tt.name]
		if !ok {
			t.Errorf("no payload %s", tt.name)
			continue
		}
		if got := fmt.Sprint(tt.get(e)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
