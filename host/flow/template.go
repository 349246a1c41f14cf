package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/sdk"
)

// Template makes a key of an event: a text with placeholders such as {repo}.
// The zero Template makes none.
type Template struct {
	parts []part
}

// part is literal text, or a placeholder when it has a field.
type part struct {
	text  string
	field func(source string, e *sdk.Event) string
}

// maxTemplate and maxKey bound what somebody writes and what a payload makes of
// it. A longer key is cut, and told apart by a digest.
const (
	maxTemplate = 1000
	maxKey      = 200
)

// fields are the placeholders, by the names that the context has for agents.
func fields() map[string]func(source string, e *sdk.Event) string {
	type event = sdk.Event
	return map[string]func(string, *event) string{
		"source":     func(source string, _ *event) string { return source },
		"event":      func(_ string, e *event) string { return e.Name },
		"action":     func(_ string, e *event) string { return e.Action },
		"repo":       func(_ string, e *event) string { return e.Repo },
		"number":     func(_ string, e *event) string { return number(e.Number) },
		"title":      func(_ string, e *event) string { return e.Title },
		"url":        func(_ string, e *event) string { return e.URL },
		"author":     func(_ string, e *event) string { return e.Author },
		"assignee":   func(_ string, e *event) string { return e.Assignee },
		"branch":     func(_ string, e *event) string { return e.Branch },
		"conclusion": func(_ string, e *event) string { return e.Conclusion },
		"sender":     func(_ string, e *event) string { return e.Sender },
		"deliveryId": func(_ string, e *event) string { return e.DeliveryID },
	}
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// ParseTemplate reads a template. Its errors say what to write instead.
func ParseTemplate(text string) (Template, error) {
	var t Template
	if len(text) > maxTemplate {
		return t, fmt.Errorf("is longer than %d bytes", maxTemplate)
	}
	known := fields()
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return Template{}, errors.New(`has a "}" without a "{" before it`)
		}
		if literal != "" {
			t.parts = append(t.parts, part{text: literal})
		}
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed || strings.Contains(name, "{") {
			return Template{}, errors.New(`has a "{" without a "}" behind it`)
		}
		rest = behind
		if path, ok := strings.CutPrefix(name, "extra."); ok && path != "" {
			t.parts = append(t.parts, part{field: extra(strings.Split(path, "."))})
			continue
		}
		field, ok := known[name]
		if !ok {
			names := slices.Sorted(maps.Keys(known))
			hint := spelling.DidYouMean(name, names)
			if hint == "" {
				hint = "there are " + strings.Join(names, ", ") + " and extra.<name>"
			}
			return Template{}, fmt.Errorf("there is no {%s}; %s", name, hint)
		}
		t.parts = append(t.parts, part{field: field})
	}
	return t, nil
}

// extra looks up a path in what a provider adds for its vendor.
func extra(path []string) func(string, *sdk.Event) string {
	return func(_ string, e *sdk.Event) string {
		var at any = e.Extra
		for _, name := range path {
			object, ok := at.(map[string]any)
			if !ok {
				return ""
			}
			at = object[name]
		}
		switch v := at.(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		case bool:
			return strconv.FormatBool(v)
		default:
			return ""
		}
	}
}

// Fixed says that the key does not depend on the event, so that what has none,
// a tick of a schedule, can have it too.
func (t Template) Fixed() (key string, ok bool) {
	if len(t.parts) != 1 || t.parts[0].field != nil {
		return "", false
	}
	return bounded(t.parts[0].text), true
}

// Key returns the key of an event, or "" when it has nothing of what the
// placeholders stand for: such events have nothing in common.
func (t Template) Key(source string, e *sdk.Event) string {
	var b strings.Builder
	filled, placeholders := false, false
	for _, p := range t.parts {
		if p.field == nil {
			b.WriteString(p.text)
			continue
		}
		placeholders = true
		if value := p.field(source, e); value != "" {
			filled = true
			b.WriteString(value)
		}
	}
	if placeholders && !filled {
		return ""
	}
	return bounded(b.String())
}

// bounded cuts a key that is too long.
func bounded(key string) string {
	key = strings.ToValidUTF8(key, "\uFFFD")
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return strings.ToValidUTF8(key[:maxKey], "") + "..." + hex.EncodeToString(sum[:8])
}
