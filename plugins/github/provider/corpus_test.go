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
const corpusDir = "../../../../shared/corpus/github"

func corpus(t testing.TB) map[string]sdk.Request {
	t.Helper()
	all := map[string]sdk.Request{}
	for name, body := range providertest.Payloads(t, corpusDir) {
		event, _, _ := strings.Cut(name, ".")
		all[name] = delivery(event, body)
	}
	return all
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	p := New("test")
	// Without action, without repository: all others have both.
	noAction := []string{"push", "push.deleted-tag", "create.tag", "fork", "status.null-author"}
	noRepo := []string{"installation.created", "organization.member_added", "projects_v2_item.edited"}
	for name, req := range corpus(t) {
		events, err := p.Parse(t.Context(), req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.HasPrefix(name, "ping") {
			if len(events) != 0 {
				t.Errorf("%s: %d events", name, len(events))
			}
			continue
		}
		if len(events) != 1 {
			t.Errorf("%s: %d events", name, len(events))
			continue
		}
		e := events[0]
		if (e.Action == "") != slices.Contains(noAction, name) {
			t.Errorf("%s: action %q", name, e.Action)
		}
		if (e.Repo == "") != slices.Contains(noRepo, name) {
			t.Errorf("%s: repo %q", name, e.Repo)
		}
		if e.Sender == "" || len(e.Attributes["org"]) != 1 || e.Attributes["event"][0] != e.Name {
			t.Errorf("%s: sender %q, attributes %q", name, e.Sender, e.Attributes)
		}
	}
}

func TestCorpusValues(t *testing.T) {
	t.Parallel()
	requests := corpus(t)
	tests := []struct {
		name string
		get  func(e sdk.Event) any
		want string
	}{
		{"issues.opened.null-body", func(e sdk.Event) any { return e.Body }, ""},
		{"issues.opened.null-body", func(e sdk.Event) any { return e.Number }, "1"},
		{"issues.labeled", func(e sdk.Event) any { return e.Attributes["label"] }, "[bug]"},
		{"issues.labeled", func(e sdk.Event) any { return e.Attributes["assignee"] }, "[Codertocat]"},
		{"issues.transferred", func(e sdk.Event) any { return e.Extra["newRepo"] }, "Codertocat/Hello-World"},
		{"issues.transferred", func(e sdk.Event) any { return e.Repo }, "octo-org/octo-repo"},
		{"issue_comment.created.on-pull-request", func(e sdk.Event) any { return e.Extra["isPullRequest"] }, "true"},
		{"issue_comment.created.on-pull-request", func(e sdk.Event) any { return e.Comment }, "/build"},
		{"issue_comment.created", func(e sdk.Event) any { return e.Extra["isPullRequest"] }, "<nil>"},
		{"pull_request.assigned", func(e sdk.Event) any { return e.Assignee }, "Codertocat"},
		{"pull_request.assigned", func(e sdk.Event) any { return e.Branch + " " + fmt.Sprint(e.Extra["baseBranch"]) }, "changes master"},
		{"pull_request.opened.null-body", func(e sdk.Event) any { return e.Body }, ""},
		{"pull_request_review.submitted", func(e sdk.Event) any { return e.Comment }, ""},
		{"pull_request_review.submitted", func(e sdk.Event) any { return e.Extra["reviewState"] }, "commented"},
		{"pull_request_review_comment.created", func(e sdk.Event) any { return e.Extra["path"] }, "README.md"},
		{"push", func(e sdk.Event) any { return e.Branch + " " + e.Author }, "master binkkatal"},
		{"push", func(e sdk.Event) any { return e.Timestamp.Format("15:04") }, "14:04"}, // +05:30
		{"push.deleted-tag", func(e sdk.Event) any { return e.Attributes["branch"] }, "[]"},
		{"push.deleted-tag", func(e sdk.Event) any { return e.Extra["deleted"] }, "true"},
		{"push.deleted-tag", func(e sdk.Event) any { return e.Author }, "Codertocat"},
		{"create.tag", func(e sdk.Event) any { return e.Title + e.Branch }, "simple-tag"},
		{"workflow_run.completed", func(e sdk.Event) any { return e.Title }, "ci(action): update actions/setup-node digest to 8c91899"},
		{"workflow_run.completed", func(e sdk.Event) any { return e.Conclusion }, "success"},
		{"workflow_job.in_progress.slash-branch", func(e sdk.Event) any { return e.Branch }, "renovate/got-13.x"},
		{"workflow_job.in_progress.slash-branch", func(e sdk.Event) any { return e.Labels }, "[]"},
		{"workflow_job.in_progress.slash-branch", func(e sdk.Event) any { return e.Attributes["conclusion"] }, "[]"},
		{"check_run.completed", func(e sdk.Event) any { return e.Conclusion }, "failure"},
		{"check_suite.completed", func(e sdk.Event) any { return e.Branch + " " + e.Title }, "changes Update README.md"},
		{"release.published", func(e sdk.Event) any { return e.Title }, "0.0.1"},
		{"discussion.labeled", func(e sdk.Event) any { return e.Attributes["label"] }, "[bug]"},
		{"deployment_status.created", func(e sdk.Event) any { return e.URL }, ""},
		{"status.null-author", func(e sdk.Event) any { return e.Author }, ""},
		{"status.null-author", func(e sdk.Event) any { return e.Attributes["branch"] }, "[master]"},
		{"star.deleted", func(e sdk.Event) any { return e.Timestamp.IsZero() }, "true"},
		{"fork", func(e sdk.Event) any { return e.Title }, "Octocoders/Hello-World"},
		{"installation.created", func(e sdk.Event) any { return e.Attributes["org"] }, "[Codertocat]"},
		{"installation.created", func(e sdk.Event) any { return e.Timestamp.Unix() }, "1557933591"},
		{"dependabot_alert.created", func(e sdk.Event) any { return e.Number }, "20"},
		{"merge_group.checks_requested", func(e sdk.Event) any { return e.Branch }, "main"},
		{"projects_v2_item.edited", func(e sdk.Event) any { return e.Title }, "DraftIssue"},
	}
	for _, tt := range tests {
		req, ok := requests[tt.name]
		if !ok {
			t.Errorf("no payload %s", tt.name)
			continue
		}
		events, err := New("test").Parse(t.Context(), req)
		if err != nil || len(events) != 1 {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := fmt.Sprint(tt.get(events[0])); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
