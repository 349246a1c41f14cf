package provider

import "maps"

// layout says where the payload of an event keeps its values. A key is a field
// of the event, by its name in the WebhookContext ("org" and "senderType" are
// not among them); any other key is a value that agents find under that name in
// extra. The paths to
// a value are separated by spaces, best first: the first that holds a value
// counts. See selection.add for their form.
type layout map[string]string

// common is true for every event, also for those that no layout is known for.
// Each of them may be missing: events of an organisation or of an app have no
// repository, some events have no sender.
func common() layout {
	return layout{
		"action": "action",
		"repo":   "repository.full_name",
		"org":    "organization.login repository.owner.login installation.account.login",
		"sender": "sender.login",

		"senderType": "sender.type",
	}
}

// layouts returns what is known, by event name. Texts that are a state rather
// than the result of a build or a check are extras: a filter on conclusions
// must not hold back an issue for being open.
func layouts() map[string]layout {
	issue := layout{
		"number":        "issue.number",
		"title":         "issue.title",
		"body":          "issue.body",
		"url":           "issue.html_url",
		"author":        "issue.user.login",
		"assignee":      "issue.assignees[].login issue.assignee.login assignee.login",
		"labels":        "issue.labels[].name",
		"timestamp":     "issue.updated_at",
		"state":         "issue.state",
		"stateReason":   "issue.state_reason",
		"isPullRequest": "issue.pull_request",
	}
	pull := layout{
		"number":     "number pull_request.number",
		"title":      "pull_request.title",
		"body":       "pull_request.body",
		"url":        "pull_request.html_url",
		"author":     "pull_request.user.login",
		"assignee":   "pull_request.assignees[].login pull_request.assignee.login assignee.login",
		"labels":     "pull_request.labels[].name",
		"branch":     "pull_request.head.ref",
		"timestamp":  "pull_request.updated_at",
		"baseBranch": "pull_request.base.ref",
		"headSha":    "pull_request.head.sha",
		// A fork may call its branch main. Null when the fork was deleted.
		"headRepo": "pull_request.head.repo.full_name",
		"state":    "pull_request.state",
		"draft":    "pull_request.draft",
		"merged":   "pull_request.merged",
	}
	discussion := layout{
		"number":    "discussion.number",
		"title":     "discussion.title",
		"body":      "discussion.body",
		"url":       "discussion.html_url",
		"author":    "discussion.user.login",
		"labels":    "discussion.labels[].name",
		"timestamp": "discussion.updated_at",
		"state":     "discussion.state",
		"category":  "discussion.category.name",
	}
	changed := layout{
		"changedLabel":    "label.name",
		"changedAssignee": "assignee.login",
	}
	ref := layout{ // a bare name, without refs/heads/
		"title":     "ref",
		"body":      "description",
		"branch":    "ref",
		"timestamp": "repository.pushed_at",
		"refType":   "ref_type",
	}

	return map[string]layout{
		"issues": join(issue, changed, layout{
			"newRepo":   "changes.new_repository.full_name",
			"newNumber": "changes.new_issue.number",
			"newUrl":    "changes.new_issue.html_url",
		}),
		"issue_comment": join(issue, layout{
			"url":       "comment.html_url",
			"comment":   "comment.body",
			"timestamp": "comment.updated_at",
			"commenter": "comment.user.login",
		}),
		"pull_request": join(pull, changed, layout{
			"requestedReviewer": "requested_reviewer.login requested_team.slug",
		}),
		"pull_request_review": join(pull, layout{
			"number":      "pull_request.number",
			"url":         "review.html_url",
			"comment":     "review.body",
			"timestamp":   "review.submitted_at",
			"reviewer":    "review.user.login",
			"reviewState": "review.state",
		}),
		"pull_request_review_comment": join(pull, layout{
			"number":    "pull_request.number",
			"url":       "comment.html_url",
			"comment":   "comment.body",
			"timestamp": "comment.updated_at",
			"commenter": "comment.user.login",
			"path":      "comment.path",
			"line":      "comment.line",
		}),
		"push": {
			"title":     "head_commit.message", // its first line
			"body":      "head_commit.message",
			"url":       "compare",
			"author":    "head_commit.author.username pusher.name",
			"branch":    "ref",
			"timestamp": "head_commit.timestamp",
			"ref":       "ref",
			"headSha":   "after", // all zeros when deleted
			"created":   "created",
			"deleted":   "deleted",
			"forced":    "forced",
		},
		"create": ref,
		"delete": ref,

		"workflow_run": {
			"number":     "workflow_run.pull_requests[0].number",
			"title":      "workflow_run.display_title workflow_run.name workflow.name",
			"url":        "workflow_run.html_url",
			"author":     "workflow_run.actor.login workflow_run.triggering_actor.login",
			"branch":     "workflow_run.head_branch",
			"conclusion": "workflow_run.conclusion",
			"timestamp":  "workflow_run.updated_at",
			"status":     "workflow_run.status",
			"workflow":   "workflow.name workflow_run.name",
			"headSha":    "workflow_run.head_sha",
		},
		// workflow_job.labels are those of runners, not of an issue.
		"workflow_job": {
			"title":      "workflow_job.name",
			"url":        "workflow_job.html_url",
			"branch":     "workflow_job.head_branch",
			"conclusion": "workflow_job.conclusion",
			"timestamp":  "workflow_job.completed_at workflow_job.started_at",
			"status":     "workflow_job.status",
			"workflow":   "workflow_job.workflow_name",
			"headSha":    "workflow_job.head_sha",
		},
		"check_run": {
			"number":     "check_run.pull_requests[0].number",
			"title":      "check_run.name",
			"body":       "check_run.output.summary",
			"url":        "check_run.html_url check_run.details_url",
			"branch":     "check_run.check_suite.head_branch",
			"conclusion": "check_run.conclusion",
			"timestamp":  "check_run.completed_at check_run.started_at",
			"status":     "check_run.status",
			"headSha":    "check_run.head_sha",
		},
		"check_suite": { // has an address for the API only
			"number":     "check_suite.pull_requests[0].number",
			"title":      "check_suite.head_commit.message check_suite.app.name",
			"branch":     "check_suite.head_branch",
			"conclusion": "check_suite.conclusion",
			"timestamp":  "check_suite.updated_at",
			"status":     "check_suite.status",
			"headSha":    "check_suite.head_sha",
		},
		"status": { // up to ten branches have the commit as their head
			"title":      "context",
			"body":       "description",
			"url":        "target_url commit.html_url",
			"author":     "commit.author.login",
			"branch":     "branches[].name",
			"conclusion": "state",
			"timestamp":  "updated_at",
			"headSha":    "sha",
		},
		// A deployment is of a branch, a tag or a commit, and a tag's bare name
		// looks like a branch's; the workflow that made it knows better.
		"deployment": {
			"title":     "deployment.environment",
			"body":      "deployment.description",
			"url":       "deployment.url", // the API's: a deployment has no page
			"author":    "deployment.creator.login",
			"branch":    "workflow_run.head_branch deployment.ref",
			"timestamp": "deployment.updated_at",
			"ref":       "deployment.ref",
			"headSha":   "deployment.sha",
		},
		"deployment_status": {
			"title":      "deployment_status.environment",
			"body":       "deployment_status.description",
			"url":        "deployment_status.environment_url deployment_status.log_url deployment_status.target_url",
			"author":     "deployment_status.creator.login",
			"branch":     "workflow_run.head_branch deployment.ref",
			"conclusion": "deployment_status.state",
			"timestamp":  "deployment_status.updated_at",
			"ref":        "deployment.ref",
			"headSha":    "deployment.sha",
		},
		"merge_group": {
			"title":     "merge_group.head_commit.message",
			"author":    "merge_group.head_commit.author.name",
			"branch":    "merge_group.base_ref",
			"timestamp": "merge_group.head_commit.timestamp",
			"headSha":   "merge_group.head_sha",
			"reason":    "reason",
		},

		"release": {
			"title":      "release.name release.tag_name",
			"body":       "release.body",
			"url":        "release.html_url",
			"author":     "release.author.login",
			"timestamp":  "release.published_at release.created_at",
			"tag":        "release.tag_name",
			"target":     "release.target_commitish", // where the tag was cut; no branch filter looks at it
			"prerelease": "release.prerelease",
		},
		"discussion": join(discussion, layout{
			"changedLabel": "label.name",
		}),
		"discussion_comment": join(discussion, layout{
			"url":       "comment.html_url",
			"comment":   "comment.body",
			"timestamp": "comment.updated_at",
			"commenter": "comment.user.login",
		}),

		"star": {
			"url":       "repository.html_url",
			"author":    "sender.login",
			"timestamp": "starred_at",
		},
		"fork": {
			"title":     "forkee.full_name",
			"url":       "forkee.html_url",
			"author":    "forkee.owner.login",
			"timestamp": "forkee.created_at",
		},
		"repository": {
			"title":     "repository.full_name",
			"body":      "repository.description",
			"url":       "repository.html_url",
			"timestamp": "repository.updated_at",
			"oldName":   "changes.repository.name.from",
		},
		"organization": {
			"title":  "organization.login",
			"author": "membership.user.login invitation.login",
		},
		"installation": {
			"title":     "installation.account.login",
			"url":       "installation.html_url",
			"author":    "requester.login",
			"timestamp": "installation.updated_at",
		},
		"projects_v2_item": {
			"title":     "projects_v2_item.content_type",
			"author":    "projects_v2_item.creator.login",
			"timestamp": "projects_v2_item.updated_at",
		},

		"dependabot_alert": {
			"number":    "alert.number",
			"title":     "alert.security_advisory.summary",
			"body":      "alert.security_advisory.description",
			"url":       "alert.html_url",
			"timestamp": "alert.updated_at",
			"state":     "alert.state",
		},
		"code_scanning_alert": {
			"number":    "alert.number",
			"title":     "alert.rule.description",
			"url":       "alert.html_url",
			"assignee":  "alert.assignees[].login",
			"branch":    "ref",
			"timestamp": "alert.updated_at",
			"state":     "alert.state",
			"ref":       "ref",
		},
		"secret_scanning_alert": {
			"number":          "alert.number",
			"title":           "alert.secret_type_display_name alert.secret_type",
			"url":             "alert.html_url",
			"assignee":        "alert.assigned_to.login assignee.login",
			"comment":         "alert.resolution_comment",
			"timestamp":       "alert.updated_at",
			"resolution":      "alert.resolution",
			"changedAssignee": "assignee.login",
		},
	}
}

// join lays later layouts over earlier ones.
func join(layouts ...layout) layout {
	joined := layout{}
	for _, l := range layouts {
		maps.Copy(joined, l)
	}
	return joined
}
