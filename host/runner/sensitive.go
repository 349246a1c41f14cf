package runner

import (
	"bytes"
	"encoding/json"
)

// sensitiveValues returns the texts in a context that a provider marked
// sensitive: paths are dotted and start in the context's "extra". A path that
// names an object or a list stands for all that is in it.
func sensitiveValues(context []byte, paths []string) []string {
	if len(paths) == 0 {
		return nil
	}
	var c struct {
		Extra map[string]any `json:"extra"`
	}
	d := json.NewDecoder(bytes.NewReader(context))
	d.UseNumber()
	if err := d.Decode(&c); err != nil {
		return nil // not a context; prompt says so
	}
	var out []string
	for _, path := range paths {
		lookup(c.Extra, path, func(v any) { out = appendTexts(out, v) })
	}
	return out
}

// lookup finds what a dotted path names. Keys may contain dots themselves:
// every way to split the path counts, as masking too much beats showing one.
func lookup(v any, path string, found func(any)) {
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	if v, ok := object[path]; ok {
		found(v)
	}
	for i, r := range path {
		if r == '.' {
			lookup(object[path[:i]], path[i+1:], found)
		}
	}
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
