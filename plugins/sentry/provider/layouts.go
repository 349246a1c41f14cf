package provider

import "maps"

// layout says where the payload of a resource keeps its values. The paths to a
// value are separated by spaces, best first: the first that holds a value
// counts.
type layout struct {
	// holds is what a payload must have at least one of to be of the resource.
	holds string
	// fields are what eventOf works with: the fields of the event by their
	// names in the WebhookContext, and what others are worked out from.
	fields map[string]string
	// extra is what agents find under these names in extra.
	extra map[string]string
}

// with returns a layout that has more, and other places where both have some.
func (l layout) with(more layout) layout {
	l.fields, l.extra = maps.Clone(l.fields), maps.Clone(l.extra)
	maps.Copy(l.fields, more.fields)
	maps.Copy(l.extra, more.extra)
	if more.holds != "" {
		l.holds = more.holds
	}
	return l
}

// common is true for every resource, also for those that no layout is known for.
func common() layout {
	return layout{
		fields: map[string]string{
			"action":    "action",
			"sender":    "actor.name",
			"actorType": "actor.type",
			"actorId":   "actor.id",
		},
		extra: map[string]string{
			"actorType": "actor.type", // user or application
		},
	}
}

// layouts returns what is known, by resource.
func layouts() map[string]layout {
	issue := issueLayout()
	return map[string]layout{
		"issue": issue,
		"activity_alert": issue.with(layout{
			holds: "data.activity data.alert",
			fields: map[string]string{
				"title":   "data.alert.title data.issue.title",
				"body":    "data.activity.details",
				"details": "data.activity.details", // an object, usually
				"url":     "data.alert.web_url data.alert.url data.issue.web_url",
				"links":   "data.issue.web_url data.issue.url data.issue.permalink data.alert.web_url data.alert.url",
				// The times of the issue are not those of the activity.
				"timestamp": "",
			},
			extra: map[string]string{
				"activity":   "data.activity.type",
				"rule":       "data.alert.title",
				"issueTitle": "data.issue.title",
				"issueUrl":   "data.issue.web_url data.issue.permalink",
				"culprit":    "data.issue.culprit",
			},
		}),
		"event_alert":      eventLayout("data.event"),
		"error":            eventLayout("data.error"),
		"metric_alert":     metricAlertLayout(),
		"comment":          commentLayout(),
		"installation":     installationLayout(),
		"seer":             seerLayout(),
		"preprod_artifact": preprodLayout(),
	}
}

func issueLayout() layout {
	return layout{
		holds: "data.issue",
		fields: map[string]string{
			"project": "data.issue.project.slug",
			"number":  "data.issue.id",
			"title":   "data.issue.title",
			"body":    "data.issue.culprit",
			"url":     "data.issue.web_url data.issue.permalink",
			"links":   "data.issue.web_url data.issue.url data.issue.permalink",
			// A team has another name in the second, which counts only where
			// the issue has no assignee.
			"assignee":  "data.issue.assignedTo data.assignee",
			"timestamp": "data.issue.lastSeen",
		},
		extra: map[string]string{
			"shortId":    "data.issue.shortId",
			"status":     "data.issue.status",
			"substatus":  "data.issue.substatus",
			"level":      "data.issue.level",
			"priority":   "data.issue.priority",
			"category":   "data.issue.issueCategory",
			"type":       "data.issue.issueType data.issue.type",
			"platform":   "data.issue.platform",
			"message":    "data.issue.metadata.value",
			"filename":   "data.issue.metadata.filename",
			"function":   "data.issue.metadata.function",
			"count":      "data.issue.count", // a string of digits, as Sentry has it
			"userCount":  "data.issue.userCount",
			"firstSeen":  "data.issue.firstSeen",
			"resolution": "data.resolution_type",
			"apiUrl":     "data.issue.url",
		},
	}
}

// eventLayout is for resources that carry a whole event. Its project is a bare
// number there; the slugs are in its addresses.
func eventLayout(at string) layout {
	return layout{
		holds: at,
		fields: map[string]string{
			"number": at + ".issue_id",
			"title":  at + ".title",
			// message is empty for exceptions.
			"body":       at + ".logentry.formatted " + at + ".message " + at + ".metadata.value",
			"url":        at + ".web_url",
			"links":      at + ".url " + at + ".web_url " + at + ".issue_url",
			"timestamp":  at + ".datetime " + at + ".timestamp",
			"tags":       at + ".tags",
			"exceptions": at + ".exception.values",
		},
		extra: map[string]string{
			"eventId":     at + ".event_id",
			"level":       at + ".level",
			"platform":    at + ".platform",
			"environment": at + ".environment",
			"release":     at + ".release",
			"culprit":     at + ".culprit",
			"transaction": at + ".transaction",
			"requestUrl":  at + ".request.url",
			"apiUrl":      at + ".url",
			"rule":        "data.triggered_rule data.issue_alert.title", // the label of the alert rule
		},
	}
}

func metricAlertLayout() layout {
	return layout{
		holds: "data.metric_alert",
		fields: map[string]string{
			"project": "data.metric_alert.projects data.metric_alert.alert_rule.projects",
			"number":  "data.metric_alert.identifier",
			// The alert's own title is a made-up code name in samples.
			"title": "data.description_title data.metric_alert.alert_rule.name data.metric_alert.title",
			"body":  "data.description_text",
			"url":   "data.web_url",
			"links": "data.web_url",
			// Closed is null until the alert is over.
			"timestamp": "data.metric_alert.date_closed data.metric_alert.date_detected",
		},
		extra: map[string]string{
			"rule":        "data.metric_alert.alert_rule.name",
			"aggregate":   "data.metric_alert.alert_rule.aggregate",
			"dataset":     "data.metric_alert.alert_rule.dataset",
			"query":       "data.metric_alert.alert_rule.query",
			"environment": "data.metric_alert.alert_rule.environment",
			"timeWindow":  "data.metric_alert.alert_rule.time_window", // in minutes
		},
	}
}

func commentLayout() layout {
	return layout{
		holds: "data.comment data.comment_id",
		fields: map[string]string{
			"project":   "data.project_slug",
			"number":    "data.issue_id",
			"author":    "actor.name",
			"comment":   "data.comment", // plain text, not an object
			"timestamp": "data.timestamp",
		},
		extra: map[string]string{
			"commentId": "data.comment_id",
		},
	}
}

// installationLayout leaves out data.installation.code: whoever has it can
// exchange it for a token.
func installationLayout() layout {
	return layout{
		holds: "data.installation",
		fields: map[string]string{
			"organization": "data.installation.organization.slug",
			"title":        "data.installation.app.slug",
		},
		extra: map[string]string{
			"status": "data.installation.status",
		},
	}
}

func seerLayout() layout {
	return layout{
		holds: "data.run_id data.group_id",
		fields: map[string]string{
			"repo":         "data.root_cause.relevant_repo",
			"number":       "data.group_id",
			"title":        "data.root_cause.one_line_description data.solution.one_line_summary",
			"pullRequests": "data.pull_requests",
			"codeChanges":  "data.code_changes",
		},
		extra: map[string]string{
			"runId":             "data.run_id",
			"fiveWhys":          "data.root_cause.five_whys",
			"reproductionSteps": "data.root_cause.reproduction_steps",
		},
	}
}

func preprodLayout() layout {
	return layout{
		holds: "data.buildId",
		fields: map[string]string{
			"project":      "data.projectSlug",
			"organization": "data.organizationSlug",
			"repo":         "data.gitInfo.headRepoName",
			"number":       "data.gitInfo.prNumber",
			"title":        "data.appInfo.name",
			"body":         "data.errorMessage",
			"url":          "data.installUrl",
			"branch":       "data.gitInfo.headRef",
			"conclusion":   "data.state", // "completed" is also the action of what failed
			"timestamp":    "data.appInfo.dateAdded",
		},
		extra: map[string]string{
			"buildId":            "data.buildId",
			"platform":           "data.platform",
			"appId":              "data.appInfo.appId",
			"version":            "data.appInfo.version",
			"buildNumber":        "data.appInfo.buildNumber",
			"artifactType":       "data.appInfo.artifactType",
			"buildConfiguration": "data.buildConfiguration",
			"errorCode":          "data.errorCode",
			"baseBranch":         "data.gitInfo.baseRef",
			"headSha":            "data.gitInfo.headSha",
			"baseSha":            "data.gitInfo.baseSha",
			"installSize":        "data.installSize", // in bytes
			"downloadSize":       "data.downloadSize",
		},
	}
}
