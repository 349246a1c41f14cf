package provider

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// subject is what an interaction is about.
type subject struct {
	action        string   // the command with its subcommand, or the custom id
	commands      []string // what filters on commands see: "role", "role add"
	text          string   // what the person entered
	author        text     // of the message a menu was opened on
	targetMessage text     // its id
	extra         extras
}

// maxPath is twice what Discord nests: command, group, subcommand.
const maxPath = 6

func read(d *data) subject {
	s := subject{extra: extras{}}
	switch {
	case d.Name != "":
		s.command(d)
	case d.CustomID != "":
		s.component(d)
	}
	s.resolve(d.Resolved.get())
	return s
}

func (s *subject) command(d *data) {
	path := string(d.Name)
	s.commands = []string{path}
	options := d.Options
	for len(s.commands) < maxPath {
		sub := subcommand(options)
		if sub == nil {
			break
		}
		path += " " + string(sub.Name)
		s.commands = append(s.commands, path)
		options = sub.Options
	}
	s.action = path
	s.extra.text("command", text(path)).text("commandType", commandType(d.Type))
	s.options(options)
	s.target(d)
}

// subcommand returns the option that is a subcommand or a group of them. There
// is at most one, and no other option beside it.
func subcommand(options []option) *option {
	for i := range options {
		if o := &options[i]; (o.Type.is(1) || o.Type.is(2)) && o.Name != "" {
			return o
		}
	}
	return nil
}

func commandType(w whole) text {
	switch {
	case !w.ok: // older payloads have slash commands only
		return "slash"
	case w.n == commandSlash:
		return "slash"
	case w.n == commandUser:
		return "user"
	case w.n == commandMessage:
		return "message"
	case w.n == commandEntryPoint:
		return "entry_point"
	default:
		return text(strconv.Itoa(w.n))
	}
}

func (s *subject) options(options []option) {
	values := map[string]any{}
	var lines []string
	for _, o := range options {
		if o.Name == "" || !o.Value.ok || has(values, o.Name) {
			continue
		}
		values[string(o.Name)] = o.Value.value
		lines = append(lines, string(o.Name)+": "+written(o.Value.value))
		if o.Focused {
			s.extra.text("focused", o.Name)
		}
	}
	s.extra.object("options", values)
	s.text = strings.Join(lines, "\n")
}

// target is what a menu was opened on.
func (s *subject) target(d *data) {
	if d.TargetID == "" {
		return
	}
	r, id := d.Resolved.get(), string(d.TargetID)
	target := extras{}
	if m, ok := r.Messages[id]; ok {
		target = quoted(&m)
		s.text, s.author, s.targetMessage = string(m.Content), m.Author.get().ID, d.TargetID
	} else if u, ok := r.Users[id]; ok {
		m := r.Members[id]
		target = person(&u, &m)
	}
	target["id"] = id
	s.extra.object("target", target)
}

func (s *subject) component(d *data) {
	s.action = string(d.CustomID)
	s.extra.text("customId", d.CustomID).
		text("componentType", componentType(d.Kind)).
		list("values", d.Values)
	s.text = strings.Join(d.Values, "\n")
	if len(d.Components) == 0 {
		return
	}
	var lines []string
	values := map[string]any{}
	for i := range d.Components {
		lines = entered(&d.Components[i], values, lines)
	}
	s.extra.object("fields", values)
	s.text = strings.Join(lines, "\n")
}

func componentType(w whole) text {
	if !w.ok {
		return ""
	}
	switch w.n {
	case 2:
		return "button"
	case 3:
		return "string_select"
	case 5:
		return "user_select"
	case 6:
		return "role_select"
	case 7:
		return "mentionable_select"
	case 8:
		return "channel_select"
	default:
		return text(strconv.Itoa(w.n))
	}
}

// entered collects the fields of a modal, wherever they are nested, as values
// by custom id and as lines of text.
func entered(f *field, values map[string]any, lines []string) []string {
	if f.CustomID != "" && !has(values, f.CustomID) && len(values) < maxElements {
		switch {
		case f.Values != nil:
			values[string(f.CustomID)] = listed(*f.Values)
			lines = append(lines, string(f.CustomID)+": "+strings.Join(*f.Values, ", "))
		case f.Value.ok:
			values[string(f.CustomID)] = f.Value.value
			lines = append(lines, string(f.CustomID)+": "+written(f.Value.value))
		}
	}
	if f.Component.ok() {
		lines = entered(f.Component.get(), values, lines)
	}
	for i := range f.Components {
		lines = entered(&f.Components[i], values, lines)
	}
	return lines
}

// resolve adds what the ids in options, values and fields stand for.
func (s *subject) resolve(r *resolved) {
	all := extras{}
	for id, u := range r.Users {
		m := r.Members[id]
		add(all, "users", id, person(&u, &m))
	}
	for id, v := range r.Roles {
		add(all, "roles", id, extras{}.text("name", v.Name))
	}
	for id, v := range r.Channels {
		x := extras{}.text("name", v.Name).text("parentId", v.ParentID)
		if v.Type.ok {
			x.number("type", v.Type.n)
		}
		add(all, "channels", id, x)
	}
	for id, v := range r.Attachments {
		add(all, "attachments", id, extras{}.
			text("filename", v.Filename).text("contentType", v.ContentType).scalar("size", v.Size).text("url", v.URL))
	}
	s.extra.object("resolved", all)
}

func add(all extras, kind, id string, value map[string]any) {
	group, ok := all[kind].(map[string]any)
	if !ok {
		group = map[string]any{}
		all[kind] = group
	}
	group[id] = value
}

func has(values map[string]any, name text) bool {
	_, ok := values[string(name)]
	return ok
}

// written is a scalar as a person reads it.
func written(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case json.Number:
		return value.String()
	default:
		return fmt.Sprint(value)
	}
}
