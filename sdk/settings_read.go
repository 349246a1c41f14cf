package sdk

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxSettingTime is beyond any tolerance or delay that makes sense.
	maxSettingTime = 365 * 24 * time.Hour
	// maxSettingItems and maxSettingText bound what goes along with every
	// delivery.
	maxSettingItems = 200
	maxSettingText  = 2000
)

// ReadSettings makes settings of what a configuration has written for a source,
// by name: values of type string, bool, int64 (or int), float64, []any (or
// []string) and map[string]any (or map[string]string). It adds the defaults, and
// says all that is wrong; a setting with a problem is left out.
func (d Descriptor) ReadSettings(written map[string]any) (Settings, []SettingProblem) {
	out := d.DefaultSettings()
	var problems []SettingProblem
	for _, s := range d.Settings {
		value, ok := written[s.Name]
		if !ok {
			if s.Required {
				problems = append(problems, SettingProblem{Setting: s.Name, Message: "is missing" + s.example()})
			}
			continue
		}
		read, found := s.read(value)
		problems = append(problems, found...)
		if len(found) > 0 {
			delete(out, s.Name)
			continue
		}
		if out == nil {
			out = Settings{}
		}
		out[s.Name] = read
	}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if !slices.ContainsFunc(d.Settings, func(s Setting) bool { return s.Name == name }) {
			problems = append(problems, SettingProblem{Setting: name, Message: "is not a setting of " + d.Type})
		}
	}
	for _, p := range d.clashes(out) {
		problems = append(problems, p)
		delete(out, p.Setting)
	}
	return out, problems
}

// clashes are keys of tables that can not be filters.
func (d Descriptor) clashes(settings Settings) []SettingProblem {
	var problems []SettingProblem
	seen := map[string]bool{}
	for _, f := range d.Filters {
		seen[f.Name] = true
	}
	for _, s := range d.Settings {
		if s.Filters == nil {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(settings.Table(s.Name))) {
			say := func(format string, args ...any) {
				problems = append(problems, SettingProblem{Setting: s.Name, Item: key, Message: fmt.Sprintf(format, args...)})
			}
			switch {
			case !isKey(key):
				say("can not be a filter: use letters, digits, \"_\" and \"-\", starting with a letter, at most %d characters", maxKeyLength)
			case slices.Contains(triggerKeys, key):
				say("is a key that every trigger has already; name it otherwise")
			case seen[key]:
				say("is a filter of %s already; name it otherwise", d.Type)
			}
			seen[key] = true
		}
	}
	return problems
}

// read makes the setting's value of one in a configuration.
func (s Setting) read(value any) (any, []SettingProblem) {
	problem := func(format string, args ...any) []SettingProblem {
		return []SettingProblem{{Setting: s.Name, Message: fmt.Sprintf(format, args...)}}
	}
	if n, ok := value.(int); ok {
		value = int64(n)
	}
	switch s.Kind {
	case TextSetting:
		text, ok := value.(string)
		if !ok {
			return nil, problem("must be a string, got %s%s", kindOfValue(value), s.example())
		}
		if text == "" && s.Required {
			return nil, problem("is empty%s", s.example())
		}
		if fault := s.fault(text); fault != "" {
			return nil, problem("%s", fault)
		}
		return text, nil
	case BoolSetting:
		on, ok := value.(bool)
		if !ok {
			return nil, problem("must be true or false, got %s", kindOfValue(value))
		}
		return on, nil
	case IntegerSetting:
		n, ok := value.(int64)
		if !ok {
			return nil, problem("must be an integer, got %s", kindOfValue(value))
		}
		return n, nil
	case DurationSetting:
		d, ok := durationOf(value)
		if !ok {
			return nil, problem(`must be seconds (90) or a duration ("1m30s") of at most a year`)
		}
		return d, nil
	case ListSetting:
		return s.readList(value)
	case TableSetting:
		return s.readTable(value)
	default:
		return nil, problem("is of a kind that only newer versions know")
	}
}

func (s Setting) readList(value any) (any, []SettingProblem) {
	var items []any
	switch v := value.(type) {
	case string:
		items = []any{v}
	case []any:
		items = v
	case []string:
		for _, text := range v {
			items = append(items, text)
		}
	default:
		return nil, []SettingProblem{{Setting: s.Name, Message: "must be a list of strings, got " + kindOfValue(value)}}
	}
	if len(items) > maxSettingItems {
		return nil, []SettingProblem{{Setting: s.Name, Message: fmt.Sprintf("has more than %d items", maxSettingItems)}}
	}
	if len(items) == 0 && s.Required {
		return nil, []SettingProblem{{Setting: s.Name, Message: "is an empty list"}}
	}
	out := make([]string, len(items))
	var problems []SettingProblem
	for i, item := range items {
		text, fault := s.item(item)
		if fault != "" {
			problems = append(problems, SettingProblem{Setting: s.Name, Item: strconv.Itoa(i), Message: fault})
		}
		out[i] = text
	}
	return out, problems
}

func (s Setting) readTable(value any) (any, []SettingProblem) {
	var entries map[string]any
	switch v := value.(type) {
	case map[string]any:
		entries = v
	case map[string]string:
		entries = make(map[string]any, len(v))
		for key, text := range v {
			entries[key] = text
		}
	default:
		return nil, []SettingProblem{{Setting: s.Name, Message: fmt.Sprintf(
			"must be a table of strings, got %s; write %s = { name = \"...\" }", kindOfValue(value), s.Name)}}
	}
	if len(entries) > maxSettingItems {
		return nil, []SettingProblem{{Setting: s.Name, Message: fmt.Sprintf("has more than %d keys", maxSettingItems)}}
	}
	if len(entries) == 0 && s.Required {
		return nil, []SettingProblem{{Setting: s.Name, Message: "is an empty table"}}
	}
	out := make(map[string]string, len(entries))
	var problems []SettingProblem
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		text, fault := s.item(entries[key])
		if fault != "" {
			problems = append(problems, SettingProblem{Setting: s.Name, Item: key, Message: fault})
		}
		out[key] = text
	}
	return out, problems
}

func (s Setting) item(value any) (text, fault string) {
	text, ok := value.(string)
	if !ok {
		return "", "must be a string, got " + kindOfValue(value)
	}
	if text == "" {
		return "", "is empty"
	}
	return text, s.fault(text)
}

// fault says why a text can not be, or nothing.
func (s Setting) fault(text string) string {
	if len(text) > maxSettingText {
		return fmt.Sprintf("is longer than %d bytes", maxSettingText)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "must not contain control characters"
	}
	if len(s.Values) > 0 && !slices.Contains(s.Values, text) {
		return fmt.Sprintf("must be %s, got %q", oneOf(s.Values), truncate(text, 60))
	}
	if s.SignatureHeader && !isHeader(text) {
		return fmt.Sprintf("%q is not the name of a header", truncate(text, 60))
	}
	if s.Pattern == "" {
		return ""
	}
	whole, err := regexp.Compile(`^(?:` + s.Pattern + `)$`)
	switch {
	case err != nil: // a descriptor like that does not validate
		return "has a pattern that can not be read"
	case !whole.MatchString(text):
		return fmt.Sprintf("can not be %q%s", truncate(text, 60), s.example())
	}
	return ""
}

// example says what to write, as far as the descriptor tells.
func (s Setting) example() string {
	switch {
	case len(s.Values) > 0:
		return ": " + oneOf(s.Values)
	case s.Help != "":
		return ": " + strings.TrimSuffix(s.Help, ".")
	default:
		return ""
	}
}

func oneOf(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

func durationOf(value any) (time.Duration, bool) {
	var d time.Duration
	switch v := value.(type) {
	case int64:
		if v < 0 || v > int64(maxSettingTime/time.Second) {
			return 0, false
		}
		d = time.Duration(v) * time.Second
	case string:
		parsed, err := time.ParseDuration(v)
		if err != nil {
			return 0, false
		}
		d = parsed
	default:
		return 0, false
	}
	return d, d >= 0 && d <= maxSettingTime
}

func kindOfValue(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case int64:
		return "integer"
	case float64:
		return "float"
	case []any, []string:
		return "list"
	case map[string]any, map[string]string:
		return "table"
	default:
		return "something else"
	}
}
