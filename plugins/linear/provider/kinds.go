package provider

import (
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// kind is one type of event: what Linear calls it, what we do, and how to read
// it.
type kind struct {
	typ  string // Linear's name, "Issue"
	name string // the event's, "issues"
	read func(*payload) view
}

// kinds are the types that Linear documents.
func kinds() []kind {
	all := []kind{
		{typ: "Issue", name: "issues", read: func(pl *payload) view { return issueView(pl, &pl.Data) }},
		{typ: "Comment", name: "issue_comment", read: commentView},
		{typ: "IssueSLA", read: func(pl *payload) view { return issueView(pl, &pl.IssueData) }},
		{typ: "AgentSessionEvent", read: sessionView},
		{typ: "AppUserNotification", read: notificationView},
		{typ: "Project", read: projectView},
		{typ: "ProjectUpdate", read: updateView},
		{typ: "InitiativeUpdate", read: updateView},
		{typ: "IssueLabel", read: labelView},
		{typ: "ProjectLabel", read: labelView},
		{typ: "Reaction", read: reactionView},
		{typ: "Attachment", read: attachmentView},
		{typ: "PermissionChange", read: permissionView},
		{typ: "OAuthAuthorization", read: authorizationView},
	}
	for _, typ := range []string{
		"Cycle", "Document", "Initiative", "Customer", "CustomerNeed", "User", "Release", "ReleaseNote", "AuditEntry", "OAuthApp",
	} {
		all = append(all, kind{typ: typ, read: otherView})
	}
	for i, k := range all {
		if k.name == "" {
			all[i].name = strings.ToLower(k.typ)
		}
	}
	return all
}

func unknownKind(typ string) kind {
	return kind{typ: typ, name: strings.ToLower(typ), read: otherView}
}

// view is what every kind of event is brought to.
type view struct {
	id         string // of the thing, for calls to Linear
	title      string
	body       string
	comment    string
	url        string
	foreignURL bool // the url is not a page of Linear's
	identifier string
	number     int64
	author     person
	sender     person
	assignees  []person
	labels     []label
	added      []label // of the labels, those that are new to an issue
	team       named
	project    named
	state      named
	health     string
	extra      extra
}

// extra is what agents find beside the fields of the event.
type extra map[string]any

func (x extra) set(name, text string) {
	if text != "" {
		x[name] = sdk.Truncate(text)
	}
}

func (x extra) list(name string, texts []string) {
	var list []any
	for _, text := range texts {
		if text != "" {
			list = append(list, sdk.Truncate(text))
		}
	}
	if list != nil {
		x[name] = list
	}
}

// viewOf reads what most things have in the same place.
func viewOf(pl *payload, d *thing) view {
	v := view{
		id:         d.ID,
		title:      first(d.Title, d.Name),
		url:        first(pl.URL, d.URL),
		identifier: d.Identifier,
		number:     int64(d.Number),
		author:     firstPerson(d.Creator, person{ID: d.CreatorID}, d.User, person{ID: d.UserID}, person{ID: d.ExternalUserCreatorID}),
		sender:     pl.Actor,
		labels:     d.Labels,
		team:       named{ID: first(d.Team.ID, d.TeamID), Key: d.Team.Key, Name: d.Team.Name},
		project:    d.Project,
		state:      firstNamed(d.State, d.Status),
		health:     d.Health,
		extra:      extra{},
	}
	v.extra.set("archivedAt", d.ArchivedAt)
	if d.Trashed { // removed, but not for good
		v.extra["trashed"] = true
	}
	return v
}

func otherView(pl *payload) view {
	d := &pl.Data
	v := viewOf(pl, d)
	v.title = first(v.title, d.Issue.Title)
	v.body = first(d.Content, d.Description, d.Body)
	v.assignees = []person{d.Owner}
	v.extra.set("initiative", d.Initiative.Name)
	return v
}

func issueView(pl *payload, d *thing) view {
	v := viewOf(pl, d)
	v.body = d.Description
	v.assignees = []person{
		firstPerson(d.Assignee, person{ID: d.AssigneeID}),
		firstPerson(d.Delegate, person{ID: d.DelegateID}),
	}
	v.added = addedLabels(pl, d.Labels)
	v.extra.set("delegate", v.assignees[1].handleOrID())
	v.extra.set("priority", d.PriorityLabel)
	v.extra.set("cycle", d.Cycle.Name)
	v.extra.set("dueDate", d.DueDate)
	v.extra.set("slaBreachesAt", d.SLABreachesAt)
	v.extra.set("parentId", d.ParentID)
	v.extra.list("previousIdentifiers", d.PreviousIdentifiers)
	return v
}

// addedLabels are all labels of a new issue, and of a changed one those that it
// did not have before. Linear has no action for it.
func addedLabels(pl *payload, labels []label) []label {
	switch {
	case pl.Action == "create":
		return labels
	case pl.Action != "update" || !pl.UpdatedFrom.labels:
		return nil
	}
	var added []label
	for _, l := range labels {
		if !slices.Contains(pl.UpdatedFrom.formerLabelIDs, l.ID) {
			added = append(added, l)
		}
	}
	return added
}

// commentView is for comments on anything. Those that are not on an issue have
// no more than their text and their address.
func commentView(pl *payload) view {
	d := &pl.Data
	v := viewOf(pl, d)
	v.title = first(d.Issue.Title, d.Project.Name, d.Initiative.Name, d.Document.Title)
	v.comment = d.Body
	v.url = first(pl.URL, d.Issue.URL)
	v.identifier = d.Issue.Identifier
	v.author = firstPerson(d.User, d.ExternalUser, person{ID: d.UserID})
	v.team = firstNamed(d.Issue.Team, v.team)
	v.extra.set("issueId", first(d.Issue.ID, d.IssueID))
	v.extra.set("parentId", d.ParentID)
	v.extra.set("quotedText", d.QuotedText)
	return v
}

func reactionView(pl *payload) view {
	d := &pl.Data
	v := viewOf(pl, d)
	v.title = d.Issue.Title
	v.comment = d.Emoji
	v.url = first(pl.URL, d.Issue.URL)
	v.identifier = d.Issue.Identifier
	v.author = firstPerson(d.User, d.ExternalUser, person{ID: d.UserID})
	v.team = firstNamed(d.Issue.Team, v.team)
	v.extra.set("emoji", d.Emoji)
	v.extra.set("issueId", first(d.Issue.ID, d.IssueID))
	v.extra.set("commentId", first(d.Comment.ID, d.CommentID))
	v.extra.set("parentComment", d.Comment.Body)
	return v
}

func projectView(pl *payload) view {
	d := &pl.Data
	v := viewOf(pl, d)
	v.body = first(d.Description, d.Content)
	if d.Description != "" { // a line or two; this is the long text
		v.extra.set("content", d.Content)
	}
	v.assignees = []person{d.Lead}
	v.project = named{ID: d.ID, Name: d.Name}
	return v
}

func updateView(pl *payload) view {
	d := &pl.Data
	v := viewOf(pl, d)
	v.title = first(d.Project.Name, d.Initiative.Name)
	v.body = d.Body
	v.author = firstPerson(d.User, person{ID: d.UserID})
	v.extra.set("initiative", d.Initiative.Name)
	return v
}

func labelView(pl *payload) view {
	d := &pl.Data
	v := viewOf(pl, d)
	v.body = d.Description
	v.labels = []label{{ID: d.ID, Name: d.Name}}
	return v
}

// attachmentView: the address is that of a page elsewhere, chosen by whoever
// attached it.
func attachmentView(pl *payload) view {
	v := viewOf(pl, &pl.Data)
	v.body = pl.Data.Subtitle
	v.foreignURL = true
	v.extra.set("issueId", pl.Data.IssueID)
	return v
}

func notificationView(pl *payload) view {
	n := &pl.Notification
	v := view{
		id:         n.ID,
		title:      first(n.Issue.Title, n.Document.Title, n.Project.Name),
		body:       n.Issue.Description,
		comment:    n.Comment.Body,
		url:        first(pl.URL, n.Issue.URL, n.Document.URL, n.Project.URL),
		identifier: n.Issue.Identifier,
		sender:     firstPerson(n.Actor, n.ExternalUserActor, person{ID: n.ActorID}),
		team:       n.Issue.Team,
		project:    firstNamed(n.Project, n.Document.Project),
		extra:      extra{},
	}
	if pl.Action == "issueAssignedToYou" {
		v.assignees = []person{{ID: pl.AppUserID}}
	}
	v.extra.set("issueId", n.Issue.ID)
	v.extra.set("documentId", n.Document.ID)
	v.extra.set("commentId", n.Comment.ID)
	v.extra.set("parentId", n.ParentComment.ID)
	v.extra.set("parentComment", n.ParentComment.Body)
	v.extra.set("emoji", n.ReactionEmoji)
	return v
}

// sessionView: a person talks to an agent, first by making a session and then
// by prompts, which are activities.
func sessionView(pl *payload) view {
	s, a := &pl.AgentSession, &pl.AgentActivity
	v := view{
		id:         s.ID,
		title:      s.Issue.Title,
		body:       first(pl.PromptContext, s.Issue.Description),
		comment:    first(a.Content.Body, s.Comment.Body),
		url:        first(s.URL, s.Issue.URL),
		identifier: s.Issue.Identifier,
		sender:     identify(firstPerson(a.User, person{ID: a.UserID}, s.Creator, person{ID: s.CreatorID}), s.Creator),
		team:       s.Issue.Team,
		state:      named{Name: s.Status},
		extra:      extra{},
	}
	v.extra.set("issueId", s.Issue.ID)
	v.extra.set("commentId", s.Comment.ID)
	v.extra.set("sessionType", s.Type)
	v.extra.set("activityId", a.ID)
	v.extra.set("activityType", a.Content.Type)
	v.extra.set("signal", a.Signal)
	var rules []string
	for _, g := range pl.Guidance {
		rules = append(rules, g.Body)
	}
	v.extra.list("guidance", rules)
	return v
}

func permissionView(pl *payload) view {
	v := otherView(pl)
	v.extra.list("addedTeamIds", pl.AddedTeamIDs)
	v.extra.list("removedTeamIds", pl.RemovedTeamIDs)
	return v
}

func authorizationView(pl *payload) view {
	v := otherView(pl)
	v.author = pl.User
	return v
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func firstPerson(people ...person) person {
	for _, p := range people {
		if p.handleOrID() != "" {
			return p
		}
	}
	return person{}
}

func firstNamed(things ...named) named {
	for _, n := range things {
		if n.ID != "" || n.Name != "" {
			return n
		}
	}
	return named{}
}
