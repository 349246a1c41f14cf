package provider

import (
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

func eventOf(k kind, delivery string, pl *payload) sdk.Event {
	v := k.read(pl)
	page := link{}
	if !v.foreignURL {
		page = readLink(v.url)
	}
	workspace := first(readLink(v.sender.URL).workspace, page.workspace)
	identifier := first(v.identifier, page.identifier)
	number := v.number
	if number == 0 {
		number = numberOf(identifier)
	}
	author := identify(v.author, append(v.assignees, pl.Actor)...)
	added := names(v.added)

	e := sdk.Event{
		DeliveryID: first(delivery, madeUpID(pl, v.id)),
		Name:       k.name,
		Action:     pl.Action,
		Number:     number,
		Title:      v.title,
		Body:       v.body,
		URL:        v.url,
		Author:     author.handleOrID(),
		Assignee:   firstPerson(v.assignees...).handleOrID(),
		Labels:     names(v.labels),
		Comment:    v.comment,
		Sender:     v.sender.handle(),
		Timestamp:  sdk.ParseTime(pl.CreatedAt),
	}

	x := v.extra
	x.set("type", k.typ)
	x.set("id", v.id)
	x.set("identifier", identifier)
	x.set("organizationId", pl.OrganizationID)
	x.set("workspace", workspace)
	x.set("team", first(v.team.Key, v.team.Name, v.team.ID))
	x.set("project", v.project.Name)
	x.set("state", v.state.Name)
	x.set("stateType", v.state.Type)
	x.set("health", v.health)
	x.set("senderType", v.sender.Type)
	x.set("appUserId", pl.AppUserID)
	x.set("oauthClientId", pl.OAuthClientID)
	x.list("changed", pl.UpdatedFrom.fields)
	x.list("addedLabels", added)
	echo := echoOf(pl, v)
	if echo == "yes" {
		x["echo"] = true
	}
	e.Extra = x
	// Echoes have to be asked for anyway.
	e.Automated = isTalk(k.typ) && v.sender.isProgram() && !pl.relayed() && echo != "yes"

	e.Attributes = make(map[string][]string, 12)
	for name, values := range map[string][]string{
		"event":        {k.name, k.typ},
		"action":       actionNames(pl.Action),
		"organization": {pl.OrganizationID, workspace},
		"label":        e.Labels,
		"added_label":  added,
		"assignee":     everyName(v.assignees...),
		"author":       everyName(author),
		"sender":       everyName(v.sender),
		"team":         {v.team.Key, v.team.Name, v.team.ID},
		"project":      {v.project.Name, v.project.ID},
		"state":        {v.state.Name, v.state.Type, v.health},
		"changed":      fieldNames(pl.UpdatedFrom.fields),
		"echo":         {echo},
	} {
		if values = distinct(values); len(values) > 0 {
			e.Attributes[name] = values
		}
	}
	return e
}

// madeUpID tells repeats of a delivery without the header that names it.
// webhookId alone is the subscription's, and in all of its deliveries.
func madeUpID(pl *payload, id string) string {
	if id == "" || pl.CreatedAt == "" {
		return ""
	}
	return strings.Join([]string{pl.WebhookID, pl.Type, pl.Action, id, pl.CreatedAt}, " ")
}

// actionNames adds the word that most people expect where Linear says
// "remove".
func actionNames(action string) []string {
	if action == "remove" {
		return []string{action, "delete"}
	}
	return []string{action}
}

// fieldNames adds "label" for labelIds and "state" for stateId, as people
// would say.
func fieldNames(fields []string) []string {
	var all []string
	for _, field := range fields {
		all = append(all, field)
		if short, ok := strings.CutSuffix(field, "Ids"); ok {
			all = append(all, short+"s")
		} else if short, ok := strings.CutSuffix(field, "Id"); ok {
			all = append(all, short)
		}
	}
	return all
}

func names(labels []label) []string {
	var all []string
	for _, l := range labels {
		if l.Name != "" {
			all = append(all, l.Name)
		}
	}
	return all
}

// echoOf says whether the application that an event is for caused it itself.
// Only events for applications can tell.
func echoOf(pl *payload, v view) string {
	switch {
	case pl.AppUserID == "":
		return ""
	case v.sender.ID == pl.AppUserID:
		return "yes"
	default:
		return "no"
	}
}

// identify completes somebody who is known by id alone from the others in the
// payload: an issue has its creator's id, and the actor's e-mail address.
func identify(p person, others ...person) person {
	if p.ID == "" || p.handle() != "" {
		return p
	}
	for _, other := range others {
		if other.ID == p.ID {
			return other
		}
	}
	return p
}

func (p person) handle() string     { return first(p.Email, p.Name, p.Service) }
func (p person) handleOrID() string { return first(p.handle(), p.ID) }

// everyName is all that a person can be named by in a filter.
func everyName(people ...person) []string {
	var all []string
	for _, p := range people {
		all = append(all, p.Email, p.Name, p.Service, p.ID)
	}
	return all
}

// distinct leaves out what is empty or there already, whatever its letters.
func distinct(values []string) []string {
	var all []string
	for _, value := range values {
		if value != "" && !slices.ContainsFunc(all, func(v string) bool { return strings.EqualFold(v, value) }) {
			all = append(all, value)
		}
	}
	return all
}
