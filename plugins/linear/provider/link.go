package provider

import (
	"net/url"
	"strconv"
	"strings"
)

// link is what an address at Linear tells: its page is in
// https://linear.app/<workspace>/..., an issue's at
// https://linear.app/<workspace>/issue/<identifier>/...
type link struct {
	workspace  string
	identifier string
}

// readLink reads nothing out of addresses elsewhere. Old ones have no
// workspace in them; "issue" is none.
func readLink(address string) link {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host != "linear.app" {
		return link{}
	}
	var l link
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) > 1 && parts[0] != "issue" {
		l.workspace, parts = parts[0], parts[1:]
	}
	if len(parts) > 1 && parts[0] == "issue" && numberOf(parts[1]) > 0 {
		l.identifier = parts[1]
	}
	return l
}

// numberOf returns 42 of ENG-42, and 0 of what is no identifier.
func numberOf(identifier string) int64 {
	i := strings.LastIndexByte(identifier, '-')
	if i < 1 {
		return 0
	}
	n, err := strconv.ParseUint(identifier[i+1:], 10, 63)
	if err != nil {
		return 0
	}
	return int64(n)
}
