package provider

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// form is a layout made ready for reading.
type form struct {
	selection selection
	fields    map[string][]int // slots by name in the layout, best first
	extra     map[string][]int
	required  []int  // slots of which one must hold something
	promise   string // what those are, for errors
}

func newForm(l layout) *form {
	l = common().with(l)
	f := &form{fields: map[string][]int{}, extra: map[string][]int{}}
	slots := func(paths string) (slots []int) {
		for path := range strings.FieldsSeq(paths) {
			slots = append(slots, f.selection.add(path))
		}
		return slots
	}
	for name, paths := range l.fields {
		f.fields[name] = slots(paths)
	}
	for name, paths := range l.extra {
		f.extra[name] = slots(paths)
	}
	f.required = slots(l.holds)
	f.promise = strings.ReplaceAll(l.holds, " ", " or ")
	return f
}

func (f *form) read(payload []byte) (reading, error) {
	values, err := f.selection.read(payload)
	return reading{form: f, values: values}, err
}

// reading is one payload, seen through its form. What is null, empty or of
// another type than expected is treated as missing: it must not cost the whole
// event.
type reading struct {
	form   *form
	values []any
}

// holds says whether the payload has what its resource is made of.
func (r reading) holds() bool {
	return len(r.form.required) == 0 || slices.ContainsFunc(r.form.required, func(slot int) bool { return r.values[slot] != nil })
}

// all returns the values at the places of a field, best first.
func (r reading) all(name string) []any {
	var found []any
	for _, slot := range r.form.fields[name] {
		if v := r.values[slot]; v != nil {
			found = append(found, v)
		}
	}
	return found
}

func (r reading) text(name string) string {
	for _, v := range r.all(name) {
		if text := str(v); text != "" {
			return text
		}
	}
	return ""
}

func (r reading) texts(name string) []string {
	for _, v := range r.all(name) {
		if list := strs(v); len(list) > 0 {
			return list
		}
	}
	return nil
}

// number reads an id. Sentry has the same one as a number in one resource and
// as a string of digits in another.
func (r reading) number(name string) int64 {
	for _, v := range r.all(name) {
		if n := id(scalar(v)); n > 0 {
			return n
		}
	}
	return 0
}

func (r reading) time(name string) time.Time {
	for _, v := range r.all(name) {
		text := scalar(v)
		t := sdk.ParseTime(text)
		if t.IsZero() {
			t = unixTime(text)
		}
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// links returns what the addresses of a payload tell, taken together. The first
// of them decides.
func (r reading) links() link {
	var all link
	for _, v := range r.all("links") {
		l := readLink(str(v))
		all.organization = orElse(all.organization, l.organization)
		all.project = orElse(all.project, l.project)
		if all.issue == 0 {
			all.issue = l.issue
		}
	}
	return all
}

func eventOf(resource string, r reading) sdk.Event {
	links := r.links()
	assignee := assigneeOf(r)
	projects := r.texts("project")
	if len(projects) == 0 {
		projects = one(links.project)
	}
	e := sdk.Event{
		Name:       resource,
		Action:     r.text("action"),
		Repo:       r.text("repo"),
		Number:     r.number("number"),
		Title:      r.text("title"),
		Body:       r.text("body"),
		URL:        r.text("url"),
		Author:     r.text("author"),
		Assignee:   assignee.name,
		Branch:     r.text("branch"),
		Conclusion: r.text("conclusion"),
		Comment:    r.text("comment"),
		Sender:     r.text("sender"),
		Timestamp:  r.time("timestamp"),
	}
	if e.Number == 0 {
		e.Number = links.issue
	}
	if e.Body == "" {
		e.Body = detailsOf(r)
	}

	e.Automated = isAutomated(resource, e.Action, r)

	x := extraOf(r)
	x.text("organization", orElse(r.text("organization"), links.organization))
	if len(projects) == 1 {
		x.text("project", projects[0])
		e.Repo = orElse(e.Repo, projects[0])
	} else {
		x.list("projects", projects)
	}
	x.text("assigneeType", assignee.kind)
	x.text("assigneeEmail", assignee.email)
	tags := tagsOf(r)
	x.text("environment", orElse(str(x["environment"]), tags["environment"]))
	x.tags(tags)
	x.list("stack", stackOf(r))
	x.seer(&e, r)
	if len(x) > 0 {
		e.Extra = x
	}
	e.Attributes = attributesOf(e, projects, assignee)
	return e
}

// attributesOf returns what filters look at.
func attributesOf(e sdk.Event, projects []string, assignee person) map[string][]string {
	attributes := map[string][]string{
		"resource":   {e.Name},
		"action":     actionsToMatch(e.Action),
		"project":    projects,
		"assignee":   slices.Compact(append(one(assignee.name), one(assignee.email)...)),
		"conclusion": one(e.Conclusion),
	}
	for _, name := range []string{"organization", "level", "environment", "rule", "category", "substatus", "activity"} {
		attributes[name] = one(str(e.Extra[name]))
	}
	maps.DeleteFunc(attributes, func(_ string, values []string) bool { return len(values) == 0 })
	return attributes
}

// actionsToMatch takes archiving, which is documented as archived and arrives
// as ignored, too, for the one thing that it is.
func actionsToMatch(action string) []string {
	if action == "archived" || action == "ignored" {
		return []string{"archived", "ignored"}
	}
	return one(action)
}

// person is whom an issue is assigned to: a user or a team.
type person struct{ name, kind, email string }

func assigneeOf(r reading) person {
	for _, v := range r.all("assignee") {
		if m, ok := v.(map[string]any); ok {
			if p := (person{name: str(m["name"]), kind: str(m["type"]), email: str(m["email"])}); p.name != "" || p.email != "" {
				p.name = orElse(p.name, p.email)
				return p
			}
		}
	}
	return person{}
}

// detailsOf is the body of an activity: the summary of its details, or else
// those as they are, since they differ from one type of activity to the next.
func detailsOf(r reading) string {
	for _, v := range r.all("details") {
		m, ok := v.(map[string]any)
		if !ok || len(m) == 0 {
			continue
		}
		if summary := str(m["summary"]); summary != "" {
			return summary
		}
		var text strings.Builder
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(m); err == nil {
			return strings.TrimSuffix(text.String(), "\n")
		}
	}
	return ""
}

// scalar returns a string, or a number as it is written: ids, times and lines
// may be either.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return ""
	}
}

func str(v any) string {
	text, _ := v.(string)
	return text
}

// strs reads a list of strings, or one string.
func strs(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return one(str(v))
	}
	var texts []string
	for _, element := range list {
		texts = append(texts, one(str(element))...)
	}
	return texts
}

// id reads nothing but digits, exactly: ids of projects are near to where a
// float64 no longer tells them apart.
func id(text string) int64 {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0
	}
	return int64(n)
}

// unixTime reads seconds with or without decimals, which a float64 would round.
func unixTime(text string) time.Time {
	whole, decimals, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseUint(whole, 10, 37) // until the year 6325
	if err != nil || strings.Trim(decimals, "0123456789") != "" {
		return time.Time{}
	}
	nanos := id((decimals + "000000000")[:9])
	return sdk.UnixTime(int64(seconds), nanos)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
