package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

const (
	maxList   = 100 // of what Sentry itself has fewer of: tags, projects, changed files
	maxFrames = 20  // of a stack; the innermost tell most
)

// extra is what an agent gets beside the fields of an event.
type extra map[string]any

// extraOf returns what the layout says. False is as good as missing.
func extraOf(r reading) extra {
	x := extra{}
	for name, slots := range r.form.extra {
		for _, slot := range slots {
			if v := plain(r.values[slot]); v != nil {
				x[name] = v
				break
			}
		}
	}
	return x
}

func plain(v any) any {
	switch v := v.(type) {
	case string:
		if v != "" {
			return sdk.Truncate(v)
		}
	case json.Number:
		// Others than whole numbers are not expected, and 1e999 is one that
		// not everybody can read.
		if _, err := v.Int64(); err == nil {
			return v
		}
	case bool:
		if v {
			return true
		}
	case []any:
		if list := strs(v); len(list) > 0 {
			return cut(list)
		}
	}
	return nil
}

func cut(list []string) []any {
	var out []any
	for _, text := range list[:min(len(list), maxList)] {
		out = append(out, sdk.Truncate(text))
	}
	return out
}

func (x extra) text(name, text string) {
	if text != "" {
		x[name] = sdk.Truncate(text)
	}
}

func (x extra) list(name string, list []string) {
	if len(list) > 0 {
		x[name] = cut(list)
	}
}

func (x extra) tags(tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	m := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(tags))[:min(len(tags), maxList)] {
		m[sdk.Truncate(name)] = sdk.Truncate(tags[name])
	}
	x["tags"] = m
}

// tagsOf reads the tags of an event, which are pairs and not an object. Who the
// visitor was, by address or e-mail, is left out: nothing is to be done with it.
func tagsOf(r reading) map[string]string {
	tags := map[string]string{}
	for _, v := range r.all("tags") {
		list, _ := v.([]any)
		for _, pair := range list {
			if p, ok := pair.([]any); ok && len(p) == 2 && str(p[0]) != "" && str(p[1]) != "" && str(p[0]) != "user" {
				tags[str(p[0])] = str(p[1])
			}
		}
	}
	return tags
}

// stackOf returns the calls that led to an event, innermost first. Of a chain
// of exceptions it is the last one's, which is the one that was not caught.
func stackOf(r reading) []string {
	for _, v := range r.all("exceptions") {
		exceptions, _ := v.([]any)
		for _, exception := range slices.Backward(exceptions) {
			frames, _ := at(exception, "stacktrace", "frames").([]any)
			var stack []string
			for _, frame := range slices.Backward(frames) {
				if line := frameLine(frame); line != "" && len(stack) < maxFrames {
					stack = append(stack, line)
				}
			}
			if len(stack) > 0 {
				return stack
			}
		}
	}
	return nil
}

// frameLine writes "function (file:line): code".
func frameLine(frame any) string {
	function := orElse(str(at(frame, "function")), "?")
	file := orElse(str(at(frame, "filename")), str(at(frame, "module")))
	if file == "" && function == "?" {
		return ""
	}
	line := function
	if file != "" {
		if n := scalar(at(frame, "lineno")); n != "" {
			file += ":" + n
		}
		line = fmt.Sprintf("%s (%s)", function, file)
	}
	if code := strings.TrimSpace(str(at(frame, "context_line"))); code != "" {
		line += ": " + code
	}
	return line
}

// seer adds what came of Seer's work: pull requests, of which the first is the
// event's address, and the files that it changed.
func (x extra) seer(e *sdk.Event, r reading) {
	for _, v := range r.all("pullRequests") {
		list, _ := v.([]any)
		var urls []string
		for _, pull := range list {
			urls = append(urls, one(str(at(pull, "pull_request", "pr_url")))...)
		}
		if len(urls) > 0 {
			e.URL = urls[0]
			x.list("pullRequests", urls)
		}
	}
	for _, v := range r.all("codeChanges") {
		changes, _ := v.(map[string]any)
		var files []string
		for _, repo := range slices.Sorted(maps.Keys(changes)) {
			list, _ := changes[repo].([]any)
			for _, change := range list {
				if path := str(at(change, "path")); path != "" {
					files = append(files, repo+": "+path)
				}
			}
		}
		x.list("changedFiles", files)
	}
}

// at goes down the names of objects.
func at(v any, names ...string) any {
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}
