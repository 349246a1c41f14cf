package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// What each filter lets through, on the fixtures.
func TestFilters(t *testing.T) {
	t.Parallel()
	const (
		yes = true
		no  = false
	)
	tests := []struct {
		fixture, filter string
		values          []string
		want            bool
	}{
		{"issues.opened", "events", []string{"push", "issues"}, yes},
		{"issues.opened", "events", []string{"issue_comment"}, no},

		{"issues.labeled", "actions", []string{"opened", "labeled"}, yes},
		{"issues.labeled", "actions", []string{"opened"}, no},
		{"push", "actions", []string{"created"}, no},
		{"create.branch", "actions", []string{"created"}, no},
		{"delete.branch", "actions", []string{"deleted"}, no},
		{"fork", "actions", []string{"created"}, no},
		{"status", "actions", []string{"created"}, no},

		{"issues.opened", "repos", []string{"acme/gadgets", "acme/widgets"}, yes},
		{"issues.opened", "repos", []string{"Acme/Widgets"}, yes},
		{"issues.opened", "repos", []string{"acme/widgets2"}, no},
		{"issues.transferred", "repos", []string{"acme/gadgets"}, no},
		{"issues.transferred", "repos", []string{"acme/widgets"}, yes},
		{"organization.member_added", "repos", []string{"acme/widgets"}, no},
		{"projects_v2_item.edited", "repos", []string{"acme/widgets"}, no},

		{"issues.opened", "org", []string{"ACME"}, yes},
		{"issues.opened", "org", []string{"octo"}, no},
		{"issues.opened.user-repository", "org", []string{"octo-ann"}, yes},
		{"installation.created", "org", []string{"acme"}, yes},
		{"issues.opened.odd-types", "org", []string{"acme"}, no},
		{"issues.opened", "orgs", []string{"octo", "acme"}, yes},
		{"issues.opened", "orgs", []string{"octo"}, no},
		{"issues.opened.odd-types", "orgs", []string{"acme"}, no},

		{"issues.opened", "labels", []string{"agent", "bug"}, yes},
		{"issues.opened", "labels", []string{"help wanted"}, yes},
		{"issues.opened", "labels", []string{"agent"}, no},
		{"issues.closed", "labels", []string{"agent"}, no},
		{"push", "labels", []string{"agent"}, no},
		{"issues.labeled", "labels", []string{"agent"}, yes},
		{"issues.labeled", "labels", []string{"bug"}, no}, // was there before
		{"issues.labeled.no-label", "labels", []string{"bug"}, no},
		{"issues.unlabeled", "labels", []string{"agent"}, yes},
		{"issues.unlabeled", "labels", []string{"bug"}, no},
		{"pull_request.labeled", "labels", []string{"agent"}, yes},
		{"pull_request.labeled", "labels", []string{"bug"}, no},
		{"discussion.labeled.no-labels", "labels", []string{"agent"}, yes},
		{"workflow_job.completed", "labels", []string{"bug", "ubuntu-latest"}, no}, // of runners

		{"issues.opened", "assignee", []string{"octo-dee"}, yes}, // the second of two
		{"issues.opened", "assignee", []string{"Octo-Cyd"}, yes},
		{"issues.opened", "assignee", []string{"octo-ann"}, no},
		{"issues.closed", "assignee", []string{"octo-ann"}, no},
		{"issues.assigned.only-top-level", "assignee", []string{"octo-dee"}, yes},
		{"issues.assigned.only-single", "assignee", []string{"octo-cyd"}, yes},
		{"issues.unassigned", "assignee", []string{"octo-dee"}, yes},
		{"pull_request.assigned.null-assignee", "assignee", []string{"octo-cyd"}, yes},
		{"push", "assignee", []string{"octo-bob"}, no},

		{"pull_request.opened", "author", []string{"Octo-Bob"}, yes},
		{"pull_request.opened", "author", []string{"octo-ann"}, no},
		{"issue_comment.created", "author", []string{"octo-ann"}, yes}, // of the issue
		{"issue_comment.created", "author", []string{"octo-eve"}, no},  // of the comment
		{"issues.opened.null-body-and-user", "author", []string{"octo-ann"}, no},

		{"push", "branches", []string{"oil", "main"}, yes},
		{"push", "branches", []string{"Main"}, no},
		{"push", "branches", []string{"mai"}, no},
		{"push.slash-branch-created", "branches", []string{"feature/oil/v2"}, yes},
		{"push.slash-branch-created", "branches", []string{"v2"}, no},
		{"push.tag", "branches", []string{"main"}, yes}, // no branch
		{"pull_request.opened", "branches", []string{"oil"}, yes},
		{"pull_request.opened", "branches", []string{"main"}, no}, // where it goes to
		{"status", "branches", []string{"feature/hinge"}, yes},    // the second of two
		{"status", "branches", []string{"main"}, no},
		{"issues.opened", "branches", []string{"main"}, yes},
		{"issue_comment.created.on-pull-request", "branches", []string{"main"}, yes},
		{"star.created", "branches", []string{"main"}, yes},
		{"workflow_run.completed.fork", "branches", []string{"main"}, yes},
		{"create.tag", "branches", []string{"main"}, yes},
		{"create.branch", "branches", []string{"main"}, no},
		{"merge_group.checks_requested", "branches", []string{"release/1.2"}, yes},

		{"workflow_run.completed", "conclusions", []string{"failure", "timed_out"}, yes},
		{"workflow_run.completed", "conclusions", []string{"success"}, no},
		{"workflow_run.requested.unfinished", "conclusions", []string{"failure"}, yes},
		{"workflow_run.requested.with-conclusion", "conclusions", []string{"failure"}, no},
		{"check_run.completed", "conclusions", []string{"failure"}, yes},
		{"check_suite.completed", "conclusions", []string{"failure"}, no},
		{"workflow_job.in_progress", "conclusions", []string{"failure"}, yes},
		{"status", "conclusions", []string{"failure"}, yes},
		{"status.null-author", "conclusions", []string{"failure"}, no}, // pending
		{"deployment_status.created", "conclusions", []string{"failure"}, yes},
		{"issues.opened", "conclusions", []string{"failure"}, yes},
		{"pull_request_review.submitted", "conclusions", []string{"failure"}, yes},
		{"push", "conclusions", []string{"failure"}, yes},
	}
	type outcomes struct{ yes, no, absent bool }
	seen := map[string]*outcomes{}
	for _, f := range filters() {
		seen[f.Name] = &outcomes{absent: f.Attribute == "event"} // which always is there
	}
	for _, tt := range tests {
		e := loadFixture(t, tt.fixture).events(t)[0]
		f := filterNamed(t, tt.filter)
		if got := passes(f, tt.values, e); got != tt.want {
			t.Errorf("%s, %s = %q: %v, want %v", tt.fixture, tt.filter, tt.values, got, tt.want)
		}
		o := seen[tt.filter]
		switch {
		case len(e.Attributes[f.Attribute]) == 0:
			o.absent = true
		case tt.want:
			o.yes = true
		default:
			o.no = true
		}
	}
	for name, o := range seen {
		if !o.yes || !o.no || !o.absent {
			t.Errorf("filter %s is not tested with a value that matches, one that does not, and none: %+v", name, *o)
		}
	}
}

// passes is what the SDK documents for one filter.
func passes(f sdk.Filter, values []string, e sdk.Event) bool {
	has := e.Attributes[f.Attribute]
	if len(has) == 0 {
		return f.PassAbsent
	}
	return slices.ContainsFunc(values, func(value string) bool {
		return slices.ContainsFunc(has, func(h string) bool {
			return h == value || !f.MatchCase && strings.EqualFold(h, value)
		})
	})
}

func filterNamed(t *testing.T, name string) sdk.Filter {
	t.Helper()
	for _, f := range filters() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no filter %q", name)
	return sdk.Filter{}
}

func TestDescriptor(t *testing.T) {
	t.Parallel()
	d := sdk.Describe(New("1.2.3"))
	if d.Type != "github" || d.Version != "1.2.3" || d.Challenges || !strings.Contains(d.Setup, "{url}") {
		t.Errorf("%+v", d)
	}
	var names []string
	agree := map[string]sdk.Filter{}
	for _, f := range d.Filters {
		names = append(names, f.Name)
		if other, ok := agree[f.Attribute]; ok && (other.PassAbsent != f.PassAbsent || other.MatchCase != f.MatchCase) {
			t.Errorf("filters %s and %s do not agree about attribute %s", f.Name, other.Name, f.Attribute)
		}
		agree[f.Attribute] = f
		sorted := slices.Clone(f.Values)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != len(f.Values) {
			t.Errorf("filter %s knows a value twice", f.Name)
		}
	}
	slices.Sort(names)
	want := []string{"actions", "assignee", "author", "branches", "conclusions", "events", "labels", "org", "orgs", "repos"}
	if !slices.Equal(names, want) {
		t.Errorf("filters %q, want %q", names, want)
	}
	for name, values := range d.Example {
		f := filterNamed(t, name)
		for _, value := range values {
			if len(f.Values) > 0 && !slices.Contains(f.Values, value) {
				t.Errorf("the example's %s = %q is not known", name, value)
			}
		}
	}
}

// The example is what a new project starts with: it has to work.
func TestExampleMatchesLabeledIssue(t *testing.T) {
	t.Parallel()
	e := loadFixture(t, "issues.labeled").events(t)[0]
	for name, values := range New("test").Describe().Example {
		if !passes(filterNamed(t, name), values, e) {
			t.Errorf("%s = %q holds back an issue that got the label", name, values)
		}
	}
}

// Every attribute of an event has a filter, or nobody could use it.
func TestAttributesHaveFilters(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, f := range filters() {
		known[f.Attribute] = true
	}
	for _, f := range fixtures(t) {
		for _, e := range f.events(t) {
			for name, values := range e.Attributes {
				if !known[name] || slices.Contains(values, "") {
					t.Errorf("%s: attribute %s = %q", f.name, name, values)
				}
			}
		}
	}
}
