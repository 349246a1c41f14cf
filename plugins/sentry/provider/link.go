package provider

import (
	"net/url"
	"strings"
)

// link is what the address of a page or of an object in the API tells. Events
// have no other place for the slugs of their organization and project.
type link struct {
	organization, project string
	issue                 int64
}

func readLink(address string) link {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return link{}
	}
	var l link
	// A server of one's own may be under a path, so the names are looked for
	// wherever they are.
	_, api, isAPI := strings.Cut(u.Path, "/api/0/")
	path := u.Path
	if isAPI {
		path = api
	}
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i := 0; i+1 < len(segments); i++ {
		switch next := segments[i+1]; segments[i] {
		case "organizations":
			l.organization = orElse(l.organization, next)
		case "projects":
			if isAPI && l.organization == "" && i+2 < len(segments) { // projects/{organization}/{project}
				l.organization, l.project = next, segments[i+2]
				i += 2
			}
		case "issues":
			l.issue = id(next)
		}
	}
	// Other hosts are a region's, or of a server of one's own.
	if organization, ok := strings.CutSuffix(u.Hostname(), ".sentry.io"); ok && !isAPI && l.organization == "" && !strings.Contains(organization, ".") {
		l.organization = organization
	}
	return l
}
