package provider

import (
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// account is somebody at X; either part may be unknown.
type account struct{ id, handle string }

func (a account) String() string { return firstOf(a.handle, a.id) }

// Who did it, seen from the subscribed user.
const (
	bySelf   = "self"
	byOthers = "others"
)

// draft is an event in the making.
type draft struct {
	sdk.Event
	user   string   // id of the subscribed user
	sender account  // who did it
	origin string   // only where it can not be told by comparing those two
	last   bool     // there is nothing more from that user, so it does not matter
	kinds  []string // of a post
	tags   []string // of the subscription, or of the rules of the stream
}

// set gives an extra to agents, unless there is nothing to give.
func (d *draft) set(name, value string) {
	if value == "" {
		return
	}
	d.put(name, sdk.Truncate(value))
}

func (d *draft) put(name string, value any) {
	if d.Extra == nil {
		d.Extra = map[string]any{}
	}
	d.Extra[name] = value
}

// finish adds what is alike in all events.
func (d *draft) finish() sdk.Event {
	d.Sender = d.sender.String()
	if d.origin == "" && !d.last && d.user != "" && d.sender.id != "" {
		d.origin = byOthers
		if d.user == d.sender.id {
			d.origin = bySelf
		}
	}
	d.set("forUserId", d.user)
	d.set("senderId", d.sender.id)
	if d.origin == bySelf {
		d.put("self", true)
	}
	if len(d.kinds) > 0 {
		d.set("kind", d.kinds[0])
	}

	d.Attributes = make(map[string][]string, 6)
	for _, a := range []struct {
		name   string
		values []string
	}{
		{"event", []string{d.Name}},
		{"user", []string{d.user}},
		{"sender", []string{d.sender.id, d.sender.handle}},
		{"origin", []string{d.origin}},
		{"kind", d.kinds},
		{"tag", d.tags},
	} {
		if values := slices.DeleteFunc(a.values, func(v string) bool { return v == "" }); len(values) > 0 {
			d.Attributes[a.name] = values
		}
	}
	d.Taken, d.Ignored = empty(), empty()
	return d.Event
}

// key makes a delivery id of its parts; without one of them there is none.
func key(parts ...string) string {
	if slices.Contains(parts, "") {
		return ""
	}
	return strings.Join(parts, ":")
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
