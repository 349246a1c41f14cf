package provider

// isAutomated says that a program did what people do to issues. What Sentry
// itself finds or does is news: errors, alerts, new issues, one that came back.
func isAutomated(resource, action string, r reading) bool {
	if r.text("actorType") != "application" {
		return false
	}
	switch resource {
	case "comment":
		return true
	case "issue":
		return action != "created" && r.text("actorId") != "sentry"
	default:
		return false
	}
}
