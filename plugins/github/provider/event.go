package provider

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// form is a layout made ready for reading.
type form struct {
	selection selection
	slots     map[string][]int // by name in the layout, best first
	extras    []string
}

func newForm(places layout) *form {
	f := &form{slots: map[string][]int{}}
	for _, l := range []layout{common(), places} { // an event's own places win
		for name, paths := range l {
			f.slots[name] = nil
			for path := range strings.FieldsSeq(paths) {
				f.slots[name] = append(f.slots[name], f.selection.add(path))
			}
		}
	}
	for name := range f.slots {
		if !ofEvent(name) {
			f.extras = append(f.extras, name)
		}
	}
	return f
}

// ofEvent says whether a name in a layout is a field of the event. All other
// names are extras.
func ofEvent(name string) bool {
	switch name {
	case "action", "repo", "org", "number", "title", "body", "url", "author", "assignee", "labels",
		"branch", "conclusion", "comment", "sender", "senderType", "timestamp":
		return true
	default:
		return false
	}
}

func (f *form) read(payload []byte) (reading, error) {
	values, err := f.selection.read(payload)
	return reading{form: f, values: values}, err
}

// reading is one payload, seen through its form. What is null, empty or of
// another type than documented is treated as missing: it must not cost the
// whole event.
type reading struct {
	form   *form
	values []value
}

func (r reading) text(name string) string {
	for _, slot := range r.form.slots[name] {
		if v := r.values[slot]; v.kind == jsontext.KindString && v.text != "" {
			return v.text
		}
	}
	return ""
}

func (r reading) texts(name string) []string {
	for _, slot := range r.form.slots[name] {
		v := r.values[slot]
		if len(v.list) > 0 {
			return v.list
		}
		if v.kind == jsontext.KindString && v.text != "" {
			return []string{v.text}
		}
	}
	return nil
}

func (r reading) number(name string) int64 {
	for _, slot := range r.form.slots[name] {
		if n, ok := r.values[slot].integer(); ok {
			return n
		}
	}
	return 0
}

// time reads RFC 3339 and, as some events have it, whole Unix seconds.
func (r reading) time(name string) time.Time {
	for _, slot := range r.form.slots[name] {
		v := r.values[slot]
		t := sdk.ParseTime(v.text)
		if n, ok := v.integer(); ok {
			t = sdk.UnixTime(n, 0)
		}
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// extra returns what the layout has beside the fields of the event. False is
// as good as missing; an object stands for the fact that it is there.
func (r reading) extra() map[string]any {
	var extra map[string]any
	for _, name := range r.form.extras {
		for _, slot := range r.form.slots[name] {
			if v := r.values[slot].plain(); v != nil {
				if extra == nil {
					extra = map[string]any{}
				}
				extra[name] = v
				break
			}
		}
	}
	return extra
}

func (v value) integer() (int64, bool) {
	if v.kind != jsontext.KindNumber {
		return 0, false
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	return n, err == nil
}

func (v value) plain() any {
	switch v.kind {
	case jsontext.KindString:
		if v.text != "" {
			return sdk.Truncate(v.text)
		}
	case jsontext.KindNumber:
		if _, ok := v.integer(); ok {
			return json.Number(v.text)
		}
	case jsontext.KindTrue, jsontext.KindBeginObject:
		return true
	default:
	}
	return nil
}

func eventOf(name, delivery string, r reading) sdk.Event {
	branches := branchesOf(r)
	assignees := r.texts("assignee")
	e := sdk.Event{
		DeliveryID: delivery,
		Name:       name,
		Action:     r.text("action"),
		Repo:       r.text("repo"),
		Number:     r.number("number"),
		Title:      r.text("title"),
		Body:       r.text("body"),
		URL:        r.text("url"),
		Author:     r.text("author"),
		Assignee:   firstOf(assignees),
		Labels:     r.texts("labels"),
		Branch:     firstOf(branches),
		Conclusion: r.text("conclusion"),
		Comment:    r.text("comment"),
		Sender:     r.text("sender"),
		Timestamp:  r.time("timestamp"),
		Extra:      r.extra(),
	}
	e.Automated = isBot(e.Sender, r.text("senderType")) && isTalk(name, e.Action)
	if name == "push" { // its title is the commit's message
		e.Title, _, _ = strings.Cut(e.Title, "\n")
		e.Title = strings.TrimSuffix(e.Title, "\r")
	}

	e.Attributes = make(map[string][]string, 9)
	for _, a := range []struct {
		name   string
		values []string
	}{
		{"event", []string{name}},
		{"action", one(e.Action)},
		{"repo", one(e.Repo)},
		{"org", one(r.text("org"))},
		{"label", labelsToMatch(e, r)},
		{"assignee", assigneesToMatch(e, r, assignees)},
		{"author", one(e.Author)},
		{"branch", branches},
		{"conclusion", one(e.Conclusion)},
	} {
		if len(a.values) > 0 {
			e.Attributes[a.name] = a.values
		}
	}
	return e
}

// labelsToMatch is the changed label where the event is about one. Matching
// all of them would start an agent again with each further label, and could
// never match one that was removed.
func labelsToMatch(e sdk.Event, r reading) []string {
	if e.Action == "labeled" || e.Action == "unlabeled" {
		return r.texts("changedLabel")
	}
	return e.Labels
}

// assigneesToMatch includes the one who was removed, who is in no list.
func assigneesToMatch(e sdk.Event, r reading, assignees []string) []string {
	removed := r.text("changedAssignee")
	if e.Action != "unassigned" || removed == "" || slices.Contains(assignees, removed) {
		return assignees
	}
	return append(slices.Clone(assignees), removed)
}

// branchesOf returns the names of branches, without refs/heads/. Where GitHub
// has a ref it may as well be a tag or a commit, and those are no branches.
func branchesOf(r reading) []string {
	if _, typed := r.form.slots["refType"]; typed && r.text("refType") != "branch" {
		return nil
	}
	var branches []string
	for _, ref := range r.texts("branch") {
		name, full := strings.CutPrefix(ref, "refs/heads/")
		// GitHub allows no branch to be named refs/something or like a commit,
		// so bare names can be told from the rest.
		if name == "" || !full && (strings.HasPrefix(name, "refs/") || isCommit(name)) {
			continue
		}
		branches = append(branches, name)
	}
	return branches
}

func isCommit(name string) bool {
	return len(name) == 40 && strings.Trim(name, "0123456789abcdef") == ""
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
