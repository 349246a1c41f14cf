package provider

import "strings"

// isTalk says that people talk in such things, so that a program that does
// acts like one. Deadlines, releases, links and settings are none of it.
func isTalk(typ string) bool {
	switch typ {
	case "Issue", "Comment", "Reaction", "Project", "ProjectUpdate", "Initiative", "InitiativeUpdate", "Document",
		"AppUserNotification", "AgentSessionEvent":
		return true
	default:
		return false
	}
}

// isProgram says that it is an integration, an application or Linear itself
// that did something, and not a person. Applications are users as well, with
// addresses at hosts under linear.app; Linear's own people have theirs at linear.app.
func (p person) isProgram() bool {
	switch {
	case p.Service != "": // of an integration
		return true
	case p.Email != "":
		return strings.HasSuffix(strings.ToLower(p.Email), ".linear.app")
	default: // an OAuth client has no address, nor have people in older payloads, who have no type either
		return p.Type != "" && !strings.EqualFold(p.Type, "user") && !strings.EqualFold(p.Type, "externalUser")
	}
}

// relayed says that an integration brought what a person wrote elsewhere: a
// comment, or an issue, whose later changes are another matter.
func (pl *payload) relayed() bool {
	return pl.Data.ExternalUser.handleOrID() != "" || pl.Action == "create" && pl.Data.ExternalUserCreatorID != ""
}
