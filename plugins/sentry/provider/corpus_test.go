package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// corpusDir holds real payloads, which are not ours to distribute.
const corpusDir = "../../../../shared/corpus/sentry"

func corpus(t testing.TB) map[string]sdk.Request {
	t.Helper()
	all := map[string]sdk.Request{}
	for name, body := range providertest.Payloads(t, corpusDir) {
		resource, _, _ := strings.Cut(name, ".")
		all[name] = delivery(resource, body)
	}
	return all
}

// Every payload, with each of its values from the place that Sentry keeps it in.
func TestCorpus(t *testing.T) {
	t.Parallel()
	type want struct {
		project, organization string
		number                int64
		title, body, url      string
		sender, assignee      string
		time                  string // from the payload; "header" for the timestamp of the request
	}
	const exception = "Exception: program has entered an invalid state."
	const zulip = "zulip-integration-testing"
	const high = "Error generated with event_id: 495d375a-1df6-45c0-9890-34dae8e1b6a4(Priority: HIGH)"
	tests := map[string]want{
		"activity_alert.triggered": {
			"error-gen", "acme", 43, "I'm keeping an eye on Seer 👀",
			"Synthetic test error deliberately fired by error-generator.sentry.dev in a batch of 24 against the error-gen project",
			"https://sentry.io/organizations/acme/monitors/alerts/10/", "Sentry", "", "header",
		},
		"comment.created": {"sentry", "", 100, "", "", "", "colleen", "", "2022-03-02T21:51:44.11816Z"},
		"error.created": {
			"front-end", "test-org", 1170820242, "ReferenceError: blooopy is not defined", "blooopy is not defined",
			"https://sentry.io/organizations/test-org/issues/1170820242/events/bb78c1407cea4519aa397afc059c793d/", "Sentry", "", "2019-08-19T20:58:37.391Z",
		},
		"event_alert.triggered": {
			"front-end", "test-org", 1117540176, "ReferenceError: heck is not defined", "heck is not defined",
			"https://sentry.io/organizations/test-org/issues/1117540176/events/e4874d664c3540c1a32eab185f12c5ab/", "Sentry", "", "2019-08-19T21:06:17.677Z",
		},
		"event_alert.triggered.message": {
			zulip, "hypro999-personal-organization", 1635261062, "A simple message-based issue.", "A simple message-based issue.",
			"https://sentry.io/organizations/hypro999-personal-organization/issues/1635261062/events/8da63b42375e4d3b803c377fefb062f8/", "Sentry", "", "2020-04-28T14:05:04.210463Z",
		},
		"installation.created": {"", "test-org", 0, "webhooks-galore", "", "", "Meredith Heller", "", "header"},
		"issue.assigned.team":  {zulip, "", 1638821441, exception, "__main__ in <module>", "", "Dana Example", "lone-wolf", "2020-04-30T05:54:15.092476Z"},
		"issue.assigned.user":  {zulip, "", 1638844654, "A test message event from golang.", "", "", "Dana Example", "Dana Example", "2020-04-30T06:14:13.611851Z"},
		"issue.created": {
			"python", "example-org", 1234567890, high, "test-transaction-0-41e49cd3-7252-441f-8d27-63a9ad697b0a",
			"https://example-org.sentry.io/issues/1234567890/", "Example App", "", "2025-11-10T20:56:00.738Z",
		},
		"issue.ignored":  {zulip, "", 1638821441, exception, "__main__ in <module>", "", "Dana Example", "", "2020-04-30T05:54:15.092476Z"},
		"issue.resolved": {zulip, "", 1638821441, exception, "__main__ in <module>", "", "Dana Example", "", "2020-04-30T05:54:15.092476Z"},
		"metric_alert.resolved": {
			"bar", "baz", 1, "Resolved: Too many errors", `1000 events in the last 10 minutes\nFilter: level:error`,
			"https://sentry.io/organizations/baz/alerts/1/", "Sentry", "", "2020-09-13T12:26:40Z",
		},
		"preprod_artifact.build_distribution_completed": {
			"my-project", "my-org", 3, "MyApp", "",
			"https://sentry.io/api/0/projects/my-org/my-project/files/installablepreprodartifact/abc123/?response_format=apk", "Sentry", "", "2025-03-24T15:08:57.364465Z",
		},
		"preprod_artifact.size_analysis_completed": {"my-project", "my-org", 3, "MyApp", "", "", "Sentry", "", "2025-03-19T12:39:44.699049Z"},
		"seer.coding_completed":                    {"", "", 1170820242, "", "", "", "Sentry", "", "header"},
		"seer.pr_created":                          {"", "", 1170820242, "", "", "https://github.com/owner/repo/pull/123", "Sentry", "", "header"},
		"seer.root_cause_completed": {
			"", "", 1170820242,
			"A `TypeError` is thrown in `sendWelcomeEmail` because `getUser` can return `null`, but the result is used without a null check.", "", "", "Sentry", "", "header",
		},
		"seer.root_cause_started": {"", "", 1170820242, "", "", "", "Sentry", "", "header"},
	}
	requests := corpus(t)
	for name := range requests {
		if _, ok := tests[name]; !ok {
			t.Errorf("payload %s is not looked at", name)
		}
	}
	for name, w := range tests {
		req, ok := requests[name]
		if !ok {
			t.Errorf("no payload %s", name)
			continue
		}
		e := parsed(t, name, req)
		got := want{
			firstOf(e.Attributes["project"]), firstOf(e.Attributes["organization"]), e.Number, e.Title, e.Body, e.URL,
			e.Sender, e.Assignee, e.Timestamp.Format("2006-01-02T15:04:05.999999999Z07:00"),
		}
		if w.time == "header" {
			w.time = "2026-03-01T09:30:00Z"
		}
		if got != w {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, w)
		}
		resource, rest, _ := strings.Cut(name, ".")
		action, _, _ := strings.Cut(rest, ".")
		if e.Name != resource || e.Action != action {
			t.Errorf("%s: %s.%s", name, e.Name, e.Action)
		}
	}
}

// What else the facts say of single payloads.
func TestCorpusValues(t *testing.T) {
	t.Parallel()
	requests := corpus(t)
	tests := []struct {
		name string
		get  func(e sdk.Event) any
		want string
	}{
		{"comment.created", func(e sdk.Event) any { return e.Comment + " " + e.Author }, "adding a comment colleen"},
		{"issue.ignored", func(e sdk.Event) any { return e.Attributes["action"] }, "[archived ignored]"},
		{"issue.ignored", func(e sdk.Event) any { return e.Extra["status"] }, "ignored"},
		{"issue.resolved", func(e sdk.Event) any { return e.Extra["resolution"] }, "now"},
		{"issue.created", func(e sdk.Event) any { return e.Extra["substatus"] }, "new"},
		{"issue.created", func(e sdk.Event) any { return e.Extra["shortId"] }, "PYTHON-Y"},
		{"issue.assigned.user", func(e sdk.Event) any { return e.Attributes["assignee"] }, "[Dana Example dana@example.com]"},
		{"event_alert.triggered", func(e sdk.Event) any { return e.Attributes["rule"] }, "[Very Important Alert Rule!]"},
		{"event_alert.triggered", func(e sdk.Event) any { return firstOf(shown(e, "stack")) }, "? (<anonymous>:3)"},
		{"event_alert.triggered", func(e sdk.Event) any { return at(e.Extra["tags"], "browser.name") }, "Chrome"},
		{"event_alert.triggered.message", func(e sdk.Event) any { return e.Extra["level"] }, "info"},
		{"metric_alert.resolved", func(e sdk.Event) any { return e.Extra["rule"] }, "Too many errors"},
		{"activity_alert.triggered", func(e sdk.Event) any { return e.Extra["activity"] }, "seer_root_cause_completed"},
		{"installation.created", func(e sdk.Event) any { return e.Extra["status"] }, "pending"},
		{"preprod_artifact.size_analysis_completed", func(e sdk.Event) any { return e.Branch + " " + e.Repo + " " + e.Conclusion }, "feature-branch my-org/my-app COMPLETED"},
		{"seer.root_cause_completed", func(e sdk.Event) any { return e.Repo }, "owner/repo"},
		{"seer.coding_completed", func(e sdk.Event) any { return e.Extra["changedFiles"] }, "[owner/repo: notifications.js]"},
	}
	for _, tt := range tests {
		req, ok := requests[tt.name]
		if !ok {
			t.Errorf("no payload %s", tt.name)
			continue
		}
		if got := fmt.Sprint(tt.get(parsed(t, tt.name, req))); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func parsed(t *testing.T, name string, req sdk.Request) sdk.Event {
	t.Helper()
	events, err := New("test").Parse(t.Context(), req)
	if err != nil || len(events) != 1 {
		t.Fatalf("%s: %v, %v", name, events, err)
	}
	return events[0]
}

// shown is a list in extra.
func shown(e sdk.Event, name string) []string { return strs(e.Extra[name]) }

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
