package sdk

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"
)

// SettingKind is what the value of a setting is.
type SettingKind int

const (
	// TextSetting takes one string; [Settings.Text] returns it.
	TextSetting SettingKind = iota
	// BoolSetting takes true or false; [Settings.Bool] returns it.
	BoolSetting
	// IntegerSetting takes a whole number; [Settings.Integer] returns it.
	IntegerSetting
	// DurationSetting takes seconds (90) or a text with units ("1m30s"), at least
	// zero and at most a year; [Settings.Duration] returns it.
	DurationSetting
	// ListSetting takes a list of strings, or one string as a list of one;
	// [Settings.List] returns it.
	ListSetting
	// TableSetting takes a table whose values are strings; [Settings.Table]
	// returns it.
	TableSetting
)

// Setting is one key that a source, [webhooks.<name>] in the configuration, has
// beside those of the host. It is for what differs between senders that one
// provider serves: the name of a header, where in the body something is. It is
// never a secret: those are the fields of the [Credential].
type Setting struct {
	// Name is the key in the configuration: letters and digits, starting with a
	// lower-case letter, at most 64 characters, and not a key of the host (see
	// [Descriptor.Validate]).
	Name string
	Kind SettingKind // what its value may be
	Help string      // one line for people

	// Required: it has to be written, and not empty.
	Required bool
	// Default is the value where none is written, of the type that goes with the
	// kind (see [Settings]); int will do for an integer. Nil is none.
	Default any
	// Values are all that it may have, where it takes text; in lists and tables
	// each. Empty means that anything goes.
	Values []string
	// Pattern is an RE2 that texts must match as a whole, in lists and tables
	// each; empty allows anything.
	Pattern string

	// SignatureHeader says that the value is the name of a header (or each of a
	// list is) that counts among [Descriptor.SignatureHeaders] for the source.
	// Only for text and lists.
	SignatureHeader bool
	// Filters turns every key of a table into a filter of triggers on the source:
	// one like this, with the key as its Name and as the Attribute that it looks
	// at. Name and Attribute are empty here. Only for tables.
	Filters *Filter
}

// Settings are those of one source, by name, with the defaults of what is not
// written. The values are string, bool, int64, [time.Duration], []string and
// map[string]string. What is neither written nor has a default is not there,
// and reads as the zero value.
type Settings map[string]any

// Has says whether there is a value, written or by default.
func (s Settings) Has(name string) bool { return s[name] != nil }

// Text returns the value of a [TextSetting].
func (s Settings) Text(name string) string { return settingOf[string](s, name) }

// Bool returns the value of a [BoolSetting].
func (s Settings) Bool(name string) bool { return settingOf[bool](s, name) }

// Integer returns the value of an [IntegerSetting].
func (s Settings) Integer(name string) int64 { return settingOf[int64](s, name) }

// Duration returns the value of a [DurationSetting].
func (s Settings) Duration(name string) time.Duration { return settingOf[time.Duration](s, name) }

// List returns the value of a [ListSetting]. It must not be changed.
func (s Settings) List(name string) []string { return settingOf[[]string](s, name) }

// Table returns the value of a [TableSetting]. It must not be changed.
func (s Settings) Table(name string) map[string]string {
	return settingOf[map[string]string](s, name)
}

func settingOf[T any](s Settings, name string) T {
	v, _ := s[name].(T)
	return v
}

// Equal says whether both have the same values.
func (s Settings) Equal(other Settings) bool {
	return maps.EqualFunc(s, other, func(a, b any) bool { return reflect.DeepEqual(a, b) })
}

// Source is one [webhooks.<name>] of a provider that has settings.
type Source struct {
	Name     string   // as in Secret.Source
	Settings Settings // as configured, completed by the descriptor's defaults
	// Unsigned: it has no credential, and takes requests that nobody signed.
	Unsigned bool
}

// SettingsChecker is implemented by providers some of whose settings do not go
// together. What is wrong with one by itself is the business of its [Setting].
type SettingsChecker interface {
	// CheckSettings says what is wrong with the settings of a source, which are
	// complete and each valid by itself; nothing when they are fine. A source
	// with a problem takes no deliveries. It is asked at the start, on reload and
	// by al doctor, and for no delivery. The error is for a check that failed.
	CheckSettings(ctx context.Context, source Source) ([]SettingProblem, error)
}

// SettingProblem is something to mend in the settings of a source.
type SettingProblem struct {
	// Setting is the name of the one that it is about; empty for all together.
	Setting string
	// Item is the part of its value that it is about: of a table the key, of a
	// list the index from 0. Empty for the whole value.
	Item string
	// Message says what is wrong and what to do about it, for people: lower
	// case, no full stop. The host adds the place and the name of the setting.
	Message string
}

// With returns the descriptor of one source: with the filters that its settings
// declare, and the signature headers that they name.
func (d Descriptor) With(settings Settings) Descriptor {
	if len(d.Settings) == 0 {
		return d
	}
	d.SignatureHeaders = slices.Clip(d.SignatureHeaders)
	d.Filters = slices.Clip(d.Filters)
	for _, s := range d.Settings {
		for _, header := range s.headers(settings) {
			if !slices.Contains(d.SignatureHeaders, header) {
				d.SignatureHeaders = append(d.SignatureHeaders, header)
			}
		}
		if s.Filters == nil {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(settings.Table(s.Name))) {
			filter := *s.Filters
			filter.Name, filter.Attribute = key, key
			d.Filters = append(d.Filters, filter)
		}
	}
	return d
}

// headers are those that a setting names for signatures.
func (s Setting) headers(settings Settings) []string {
	switch {
	case !s.SignatureHeader:
		return nil
	case s.Kind == ListSetting:
		return settings.List(s.Name)
	case settings.Text(s.Name) != "":
		return []string{settings.Text(s.Name)}
	default:
		return nil
	}
}

// DefaultSettings are those of a source that writes none.
func (d Descriptor) DefaultSettings() Settings {
	var out Settings
	for _, s := range d.Settings {
		if s.Default == nil {
			continue
		}
		if out == nil {
			out = Settings{}
		}
		out[s.Name] = s.Default
		if n, ok := s.Default.(int); ok {
			out[s.Name] = int64(n)
		}
	}
	return out
}
