package provider

import "strings"

// isBot says that an account is an application's.
func isBot(login, accountType string) bool {
	return strings.EqualFold(accountType, "Bot") || strings.HasSuffix(strings.ToLower(login), "[bot]")
}

// isTalk says that people do such things where they talk, so that a bot that
// does them acts like one. Whatever else bots do is work, or what came of it.
func isTalk(event, action string) bool {
	switch event {
	case "issues", "issue_comment", "issue_dependencies", "sub_issues", "discussion", "discussion_comment",
		"pull_request_review", "pull_request_review_comment", "pull_request_review_thread", "commit_comment":
		return true
	case "pull_request":
		// Of its own it opens, pushes to, merges and closes them, and asks for
		// reviews. Another matter is what it writes on them.
		switch action {
		case "edited", "labeled", "unlabeled", "assigned", "unassigned", "milestoned", "demilestoned", "locked", "unlocked":
			return true
		}
	}
	return false
}
