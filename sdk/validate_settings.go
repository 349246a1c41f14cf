package sdk

import (
	"regexp"
	"slices"
)

const maxSettings = 100 // more is no configuration that a person writes

// sourceKeys are what a source says of itself, beside its settings, today or
// perhaps tomorrow.
var sourceKeys = []string{"type", "credential", "credentials", "allowUnsigned", "enabled", "disabled", "description"}

func (v *validation) settings(d Descriptor) {
	if len(d.Settings) > maxSettings {
		v.add("%d settings are more than %d", len(d.Settings), maxSettings)
		return
	}
	seen := map[string]bool{}
	for _, s := range d.Settings {
		switch {
		case !isSettingName(s.Name):
			v.add("setting %q must be letters and digits, start with a lower-case letter and have at most %d characters", s.Name, maxKeyLength)
		case slices.Contains(sourceKeys, s.Name):
			v.add("setting %q is a key that every source has or may get; name it otherwise", s.Name)
		case seen[s.Name]:
			v.add("setting %q is there twice", s.Name)
		}
		seen[s.Name] = true
		if s.Kind < TextSetting || s.Kind > TableSetting {
			v.add("setting %q: kind %d is none that this version knows", s.Name, s.Kind)
			continue
		}
		v.setting(d, s)
	}
}

func (v *validation) setting(d Descriptor, s Setting) {
	text := s.Kind == TextSetting || s.Kind == ListSetting || s.Kind == TableSetting
	if _, err := regexp.Compile(s.Pattern); err != nil {
		v.add("setting %q: pattern: %w", s.Name, err)
		return
	}
	if !text && (s.Pattern != "" || len(s.Values) > 0) {
		v.add("setting %q: only text has a pattern or known values", s.Name)
	}
	if slices.Contains(s.Values, "") {
		v.add("setting %q: an empty string is among its values", s.Name)
	}
	if s.SignatureHeader && s.Kind != TextSetting && s.Kind != ListSetting {
		v.add("setting %q: a signature header is named by text or by a list", s.Name)
	}
	if s.Filters != nil {
		v.declared(s)
	}
	if s.Default == nil {
		return
	}
	if s.Required {
		v.add("setting %q is required and has a default; it is one of the two", s.Name)
	}
	value, problems := s.read(written(s.Default))
	for _, p := range problems {
		v.add("setting %q: its default %s", s.Name, p.Message)
	}
	if table, ok := value.(map[string]string); ok && s.Filters != nil {
		for _, p := range d.clashes(Settings{s.Name: table}) {
			v.add("setting %q: its default: %q %s", s.Name, p.Item, p.Message)
		}
	}
}

// declared checks what all filters of a setting are made like.
func (v *validation) declared(s Setting) {
	f := *s.Filters
	switch {
	case s.Kind != TableSetting:
		v.add("setting %q: only a table declares filters", s.Name)
	case f.Name != "" || f.Attribute != "":
		v.add("setting %q: the filters that it declares have the names and attributes of its keys; leave both empty", s.Name)
	}
	f.Name, f.Attribute = "any", "any"
	var inner validation
	inner.filters([]Filter{f})
	for _, err := range inner {
		v.add("setting %q: its filters: %w", s.Name, err)
	}
}

// written is a default as a configuration has it.
func written(value any) any {
	if d, ok := value.(interface{ String() string }); ok { // a duration
		return d.String()
	}
	return value
}

func isSettingName(s string) bool {
	return len(s) <= maxKeyLength && s != "" && isLower(s[0]) && isWord(s, func(c byte) bool {
		return isLower(c) || isLower(c|0x20) || isDigit(c)
	})
}
