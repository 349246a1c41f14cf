package config

import (
	"strconv"
	"strings"

	"github.com/action-llama/gateway/host/spelling"
)

// reader turns values into Go and collects what is wrong with them.
type reader struct {
	problems Problems
	foreign  []foreign // keys that only the original Action Llama uses
}

type foreign struct {
	pos Pos
	key string
}

func (r *reader) fault(pos Pos, format string, args ...any) {
	r.problems.add(Errorf(pos, format, args...))
}

// table returns an entry's table, or nil after saying that it is none.
func (r *reader) table(e *entry, path, fix string) *value {
	switch {
	case e == nil:
		return nil
	case e.value.kind == tableKind:
		return e.value
	}
	what := e.value.kind.String()
	if e.value.arrays {
		what = "[[" + path + "]]"
	}
	r.problems.add(Errorf(e.value.pos, "%s must be a table, got %s", path, what).WithFix("%s", fix))
	return nil
}

// text returns an entry's string.
func (r *reader) text(e *entry, path string) (string, bool) {
	if e.value.kind != textKind {
		r.fault(e.value.pos, "%s must be a string, got %s", path, e.value.kind)
		return "", false
	}
	return e.value.text, true
}

// texts returns an entry's list of strings. With single, one string is a list
// of one.
func (r *reader) texts(e *entry, path string, single bool) ([]string, bool) {
	want := "a list of strings"
	if single {
		want = "a string or a list of strings"
	}
	v := e.value
	switch {
	case v.kind == textKind && single:
		return []string{v.text}, true
	case v.kind != listKind:
		p := Errorf(v.pos, "%s must be %s, got %s", path, want, v.kind)
		switch v.kind {
		case textKind:
			p = p.WithFix("put brackets around it: [%s]", strconv.Quote(shorten(v.text)))
		case integerKind:
			p = p.WithFix("put quotes around it: \"%d\"", v.integer)
		default:
		}
		r.problems.add(p)
		return nil, false
	}
	out, ok := make([]string, 0, len(v.items)), true
	for i, item := range v.items {
		if item.kind != textKind {
			r.fault(item.pos, "%s[%d] must be a string, got %s", path, i, item.kind)
			ok = false
			continue
		}
		out = append(out, item.text)
	}
	return out, ok
}

// unknown reports a key that means nothing here. The known ones are what could
// have been meant; elsewhere maps keys of other places to what to do with them.
func (r *reader) unknown(e *entry, path string, known []string, elsewhere map[string]string) {
	p := Errorf(e.pos, "unknown key %q", path)
	parent := strings.TrimSuffix(path, e.key)
	if place, ok := elsewhere[e.key]; ok {
		p = p.WithFix("%s", place)
	} else if s := spelling.Nearest(e.key, known); s != "" {
		p = p.WithFix("did you mean %q?", parent+s)
	} else {
		p = p.WithFix("keys here: %s", list(known))
	}
	r.problems.add(p)
}
