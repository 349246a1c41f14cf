package provider

import (
	"encoding/json"
	"strconv"

	"github.com/action-llama/gateway/sdk"
)

// extras builds an Event.Extra. What is missing is left out.
type extras map[string]any

func (x extras) text(name string, value text) extras {
	if value != "" {
		x[name] = sdk.Truncate(string(value))
	}
	return x
}

func (x extras) number(name string, n int) extras {
	x[name] = json.Number(strconv.Itoa(n))
	return x
}

func (x extras) flag(name string, value truth) extras {
	if value {
		x[name] = true
	}
	return x
}

func (x extras) scalar(name string, s scalar) extras {
	if s.value != nil {
		x[name] = s.value
	}
	return x
}

func (x extras) list(name string, values []string) extras {
	if len(values) > 0 {
		x[name] = listed(values)
	}
	return x
}

func (x extras) object(name string, value map[string]any) extras {
	if len(value) > 0 {
		x[name] = value
	}
	return x
}

func listed(values []string) []any {
	list := make([]any, len(values))
	for i, value := range values {
		list[i] = sdk.Truncate(value)
	}
	return list
}

// person is a user as agents see one. Names are for addressing people and
// never tell who they are: they change.
func person(u *user, m *member) map[string]any {
	x := extras{}.
		text("id", u.ID).
		text("username", u.Username).
		text("globalName", u.GlobalName).
		flag("bot", u.Bot)
	if m != nil {
		x.text("nick", m.Nick).list("roles", m.Roles).text("permissions", m.Permissions)
	}
	return x
}

// attributes leaves out empty values, which no filter may look at.
func attributes(all map[string][]string) map[string][]string {
	for name, values := range all {
		kept := values[:0]
		for _, value := range values {
			if value != "" {
				kept = append(kept, value)
			}
		}
		if len(kept) == 0 {
			delete(all, name)
		} else {
			all[name] = kept
		}
	}
	return all
}

func first(values ...text) text {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
