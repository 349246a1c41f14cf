package provider

import (
	"slices"
	"strings"
	"testing"
	"time"

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
		{"issue.created", "resources", []string{"error", "issue"}, yes},
		{"issue.created", "resources", []string{"event_alert"}, no},
		{"brand_new_resource.unknown", "resources", []string{"brand_new_resource"}, yes},

		{"issue.created", "actions", []string{"resolved", "created"}, yes},
		{"issue.created", "actions", []string{"resolved"}, no},
		{"issue.archived", "actions", []string{"ignored"}, yes},
		{"issue.archived", "actions", []string{"archived"}, yes},
		{"issue.ignored", "actions", []string{"archived"}, yes},
		{"issue.ignored", "actions", []string{"ignored"}, yes},
		{"metric_alert.critical", "actions", []string{"critical"}, yes},
		{"issue.created.no-action", "actions", []string{"created"}, no},

		{"issue.created", "projects", []string{"Widgets"}, yes},
		{"issue.created", "projects", []string{"widget"}, no},
		{"issue.created", "projects", []string{"4509877862268928"}, no},
		{"event_alert.triggered", "projects", []string{"widgets"}, yes}, // by its address
		{"error.created", "projects", []string{"gadgets"}, yes},
		{"metric_alert.warning.two-projects", "projects", []string{"gadgets"}, yes},
		{"comment.created", "projects", []string{"widgets"}, yes},
		{"preprod_artifact.size_analysis_completed", "projects", []string{"widgets-app"}, yes},
		{"seer.pr_created", "projects", []string{"widgets"}, no},
		{"event_alert.triggered.odd-types", "projects", []string{"widgets"}, no},
		{"installation.created", "projects", []string{"widgets"}, no},

		{"issue.created", "organizations", []string{"acme"}, yes},
		{"issue.created", "organizations", []string{"octo"}, no},
		{"issue.created.self-hosted", "organizations", []string{"acme"}, yes},
		{"issue.created.other-host", "organizations", []string{"acme"}, no},
		{"error.created", "organizations", []string{"us"}, no}, // a region
		{"error.created", "organizations", []string{"acme"}, yes},
		{"installation.created", "organizations", []string{"acme"}, yes},
		{"comment.created", "organizations", []string{"acme"}, no},

		{"issue.created", "levels", []string{"fatal", "error"}, yes},
		{"error.created", "levels", []string{"error"}, no}, // fatal
		{"event_alert.triggered.message", "levels", []string{"info"}, yes},
		{"metric_alert.critical", "levels", []string{"error"}, no},

		{"event_alert.triggered", "environments", []string{"production"}, yes}, // by its tag
		{"event_alert.triggered.only-message", "environments", []string{"staging"}, yes},
		{"event_alert.triggered.only-message", "environments", []string{"production"}, no},
		{"metric_alert.critical", "environments", []string{"production"}, yes},
		{"metric_alert.resolved", "environments", []string{"production"}, no},

		{"event_alert.triggered", "rules", []string{"Squeaks in production"}, yes},
		{"event_alert.triggered", "rules", []string{"Squeaks"}, no},
		{"metric_alert.critical", "rules", []string{"Too many squeaks"}, yes},
		{"activity_alert.triggered", "rules", []string{"Watching Seer"}, yes},
		{"event_alert.triggered.odd-types", "rules", []string{"widgets"}, no},

		{"issue.created", "categories", []string{"error"}, yes},
		{"issue.created.outage", "categories", []string{"error"}, no},
		{"issue.resolved", "categories", []string{"error"}, no},

		{"issue.unresolved.regressed", "substatuses", []string{"regressed"}, yes},
		{"issue.created", "substatuses", []string{"regressed"}, no},
		{"issue.resolved", "substatuses", []string{"new"}, no},

		{"issue.assigned.user", "assignee", []string{"cyd octo"}, yes},
		{"issue.assigned.user", "assignee", []string{"CYD@acme.example"}, yes},
		{"issue.assigned.user", "assignee", []string{"Ann Octo"}, no}, // who did it
		{"issue.assigned.team", "assignee", []string{"hinge-crew"}, yes},
		{"issue.assigned.team", "assignee", []string{"Acme"}, no}, // its other name
		{"issue.assigned.only-top-level", "assignee", []string{"Cyd Octo"}, yes},
		{"issue.created", "assignee", []string{"Cyd Octo"}, no},

		{"activity_alert.triggered", "activities", []string{"seer_root_cause_completed"}, yes},
		{"activity_alert.triggered", "activities", []string{"set_regression"}, no},
		{"issue.created", "activities", []string{"set_regression"}, no},

		{"preprod_artifact.build_distribution_completed.failed", "conclusions", []string{"failed"}, yes},
		{"preprod_artifact.build_distribution_completed", "conclusions", []string{"FAILED"}, no},
		{"issue.resolved", "conclusions", []string{"COMPLETED"}, no},
	}
	type outcomes struct{ yes, no, absent bool }
	seen := map[string]*outcomes{}
	for _, f := range filters() {
		seen[f.Name] = &outcomes{absent: f.Attribute == "resource"} // which always is there
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
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	if d.Type != "sentry" || d.Version != "1.2.3" || d.Challenges || d.ReplyDeadline != time.Second || !strings.Contains(d.Setup, "{url}") {
		t.Errorf("%+v", d)
	}
	if c := d.Credential; c.Type != "sentry_client_secret" || len(c.Fields) != 1 || c.Fields[0].Name != "secret" || !c.Fields[0].Secret || c.Fields[0].Generated {
		t.Errorf("credential %+v", d.Credential)
	}
	var names []string
	for _, f := range d.Filters {
		names = append(names, f.Name)
		if f.PassAbsent {
			t.Errorf("filter %s lets events pass that have no such value", f.Name)
		}
	}
	slices.Sort(names)
	want := []string{
		"actions", "activities", "assignee", "categories", "conclusions", "environments", "levels", "organizations",
		"projects", "resources", "rules", "substatuses",
	}
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
