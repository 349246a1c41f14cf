// Package sensitive finds the values that only an agent may see, and hides
// them from everybody else. Which values those are is the provider's to say
// (sdk.Event.Sensitive); where they would show, in the output of a run or in a
// listing, is the caller's to know.
package sensitive

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
)

// Mask stands where a value is hidden.
const Mask = "***"

const (
	// MinLength is the length in bytes below which a value is not looked for in
	// texts: "no", "42" or "dev" occur everywhere, and hiding them would hide
	// the text rather than the value.
	MinLength = 4
	// minLine is the same for single lines of a value of several lines, so
	// that a word of its framing does not turn a whole text into stars.
	minLine = 8
)

// Values returns the texts in an object that dotted paths name. A path to an
// object or a list stands for all that is in it.
func Values(object map[string]any, paths []string) []string {
	var out []string
	for _, path := range paths {
		visit(object, path, func(in map[string]any, key string) { out = appendTexts(out, in[key]) })
	}
	return out
}

// Hidden returns an object with a mask in the place of what dotted paths name.
// The object itself stays as it is.
func Hidden(object map[string]any, paths []string) map[string]any {
	if len(paths) == 0 {
		return object
	}
	out := cloned(object)
	for _, path := range paths {
		visit(out, path, func(in map[string]any, key string) { in[key] = Mask })
	}
	return out
}

// visit finds what a dotted path names. Keys may contain dots themselves:
// every way to split the path counts, as hiding too much beats showing one.
func visit(v any, path string, found func(in map[string]any, key string)) {
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	if _, ok := object[path]; ok {
		found(object, path)
	}
	for i, r := range path {
		if r == '.' {
			visit(object[path[:i]], path[i+1:], found)
		}
	}
}

// cloned copies the objects within objects, which are all that a path leads
// through.
func cloned(object map[string]any) map[string]any {
	out := maps.Clone(object)
	for key, v := range out {
		if inner, ok := v.(map[string]any); ok {
			out[key] = cloned(inner)
		}
	}
	return out
}

func appendTexts(out []string, v any) []string {
	switch v := v.(type) {
	case string:
		out = append(out, v)
	case json.Number:
		out = append(out, v.String())
	case []any:
		for _, e := range v {
			out = appendTexts(out, e)
		}
	case map[string]any:
		for _, e := range v {
			out = appendTexts(out, e)
		}
	}
	return out
}

// Spellings returns what to look for in a text so that values do not show:
// each as it is, its lines where it has several (log prefixes part them), and
// its forms inside a JSON string and a URL. Values below MinLength are left out.
func Spellings(values []string) []string {
	seen := make(map[string]bool)
	var out []string
	add := func(s string, least int) {
		for _, form := range []string{s, inJSON(s, true), inJSON(s, false), url.QueryEscape(s), url.PathEscape(s)} {
			if len(form) >= least && !seen[form] {
				seen[form] = true
				out = append(out, form)
			}
		}
	}
	for _, value := range values {
		// Files of credentials often end in a newline that no output repeats.
		value = strings.TrimSpace(value)
		if len(value) < MinLength {
			continue
		}
		add(value, MinLength)
		if !strings.ContainsAny(value, "\r\n") {
			continue
		}
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) >= minLine {
				add(line, minLine)
			}
		}
	}
	return out
}

func inJSON(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(s); err != nil {
		return s
	}
	return strings.Trim(strings.TrimSuffix(b.String(), "\n"), `"`)
}
