package providerdocs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// CheckExamples looks at the ```toml blocks of a page: each key of a
// [[webhooks]] entry on a source of the descriptor's type must be "source" or
// one of its filters, and each value one that the filter knows, if it knows any.
// Entries on sources of other types are left to the tests of those. It skips as
// [Check] does.
//
// Only the simple TOML that examples should be written in is understood: a key
// a line, and its whole value on that line.
func CheckExamples(t T, d sdk.Descriptor, file string) {
	t.Helper()
	if doc, ok := read(t, file); ok {
		checkExamples(t, d, file, doc)
	}
}

func checkExamples(t T, d sdk.Descriptor, file, doc string) {
	t.Helper()
	types, triggers, sources := examples(doc)
	for _, trigger := range triggers {
		typ, ok := types[trigger.source]
		if !ok {
			t.Errorf("%s:%d: no example on this page says the type of the source %q", file, trigger.line, trigger.source)
			continue
		}
		if typ != d.Type {
			continue
		}
		filters := slices.Concat(d.Filters, declared(d, sources[trigger.source]))
		for _, s := range trigger.settings {
			i := slices.IndexFunc(filters, func(f sdk.Filter) bool { return f.Name == s.key })
			if i < 0 {
				t.Errorf("%s:%d: %s has no filter %q", file, s.line, d.Type, s.key)
				continue
			}
			checkValues(t, filters[i], file, s)
		}
	}
	for name, settings := range sources {
		if types[name] != d.Type || len(d.Settings) == 0 {
			continue
		}
		for _, s := range settings {
			known := strings.Contains(s.key, "_") || slices.Contains([]string{"type", "credential", "allowUnsigned"}, s.key)
			if !known && !slices.ContainsFunc(d.Settings, func(own sdk.Setting) bool { return own.Name == s.key }) {
				t.Errorf("%s:%d: %s has no setting %q", file, s.line, d.Type, s.key)
			}
		}
	}
}

// declared are the filters that the settings of a source make.
func declared(d sdk.Descriptor, settings []setting) []sdk.Filter {
	var filters []sdk.Filter
	for _, own := range d.Settings {
		for _, s := range settings {
			if own.Filters == nil || s.key != own.Name {
				continue
			}
			for _, key := range s.keys {
				f := *own.Filters
				f.Name = key
				filters = append(filters, f)
			}
		}
	}
	return filters
}

func checkValues(t T, f sdk.Filter, file string, s setting) {
	t.Helper()
	if len(s.values) == 0 || f.Kind == sdk.String && len(s.values) > 1 {
		t.Errorf("%s:%d: %q takes %s, and all of it on this line", file, s.line, f.Name, takes(f.Kind))
	}
	for _, v := range s.values {
		known := len(f.Values) == 0 || slices.ContainsFunc(f.Values, func(k string) bool {
			return k == v || !f.MatchCase && strings.EqualFold(k, v)
		})
		if !known {
			t.Errorf("%s:%d: %q does not know the value %q", file, s.line, f.Name, v)
		}
	}
}

// trigger is one [[webhooks]] entry of an example.
type trigger struct {
	line     int
	source   string
	settings []setting // without source
}

type setting struct {
	line   int
	key    string
	values []string
	keys   []string // of a table
}

var (
	sourceHeader = regexp.MustCompile(`^\[\s*webhooks\s*\.\s*["']?([^"'\]\s]+)["']?\s*\]`)
	assignment   = regexp.MustCompile(`^["']?([A-Za-z0-9_-]+)["']?\s*=\s*(.*)$`)
	nextFile     = regexp.MustCompile(`^#\s*\S+\.toml$`) // one block may show several files
	tableKey     = regexp.MustCompile(`(?:\{|,)\s*["']?([A-Za-z0-9_-]+)["']?\s*=`)
	stringValue  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'|#.*`)
)

// examples reads the toml blocks of a page: the type of each source, the
// triggers, and the other keys of each source.
func examples(doc string) (types map[string]string, triggers []trigger, sources map[string][]setting) {
	types, sources = map[string]string{}, map[string][]setting{}
	var inBlock, inTrigger bool
	var source string
	for i, line := range strings.Split(doc, "\n") {
		line = strings.TrimSpace(line)
		m := assignment.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inBlock = strings.HasPrefix(line, "```toml")
			inTrigger, source = false, ""
		case !inBlock:
		case nextFile.MatchString(line):
			inTrigger, source = false, ""
		case strings.HasPrefix(line, "[[webhooks]]"):
			inTrigger, source = true, ""
			triggers = append(triggers, trigger{line: i + 1})
		case strings.HasPrefix(line, "["):
			inTrigger, source = false, ""
			if h := sourceHeader.FindStringSubmatch(line); h != nil {
				source = h[1]
			}
		case m == nil:
		case source != "" && m[1] == "type":
			types[source] = strings.Join(values(m[2]), "")
		case source != "":
			s := setting{line: i + 1, key: m[1]}
			for _, key := range tableKey.FindAllStringSubmatch(m[2], -1) {
				s.keys = append(s.keys, key[1])
			}
			sources[source] = append(sources[source], s)
		case inTrigger && m[1] == "source":
			triggers[len(triggers)-1].source = strings.Join(values(m[2]), "")
		case inTrigger:
			last := &triggers[len(triggers)-1]
			last.settings = append(last.settings, setting{line: i + 1, key: m[1], values: values(m[2])})
		}
	}
	return types, triggers, sources
}

// values returns the strings in what is right of "=".
func values(right string) []string {
	var all []string
	for _, s := range stringValue.FindAllString(right, -1) {
		switch s[0] {
		case '#': // a comment, and all that follows is part of it
			return all
		case '\'':
			all = append(all, s[1:len(s)-1])
		default:
			v, err := strconv.Unquote(s)
			if err != nil {
				v = s[1 : len(s)-1]
			}
			all = append(all, v)
		}
	}
	return all
}
