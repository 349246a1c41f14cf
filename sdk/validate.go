package sdk

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	maxTypeLength = 32  // as Descriptor.Type says; it is in a URL and a file name
	maxKeyLength  = 64  // keys and file names that people type
	maxOptIn      = 100 // values of a filter that are compared one by one
)

// Validate returns everything that is wrong with a descriptor, one line each,
// or nil. The host refuses a provider whose descriptor is not valid.
func (d Descriptor) Validate() error {
	var v validation
	if !isType(d.Type) {
		v.add("type %q must be lower-case letters, digits and \"-\", start with a letter and have at most %d characters", d.Type, maxTypeLength)
	}
	v.credential(d)
	v.headers(d)
	v.filters(d.Filters)
	v.settings(d)
	v.example(d)
	v.samples(d.Samples)
	return errors.Join(v...)
}

type validation []error

func (v *validation) add(format string, args ...any) { *v = append(*v, fmt.Errorf(format, args...)) }

func (v *validation) credential(d Descriptor) {
	c := d.Credential
	if len(c.Fields) == 0 {
		if len(d.SignatureHeaders) > 0 {
			v.add("credential has no fields, so nothing can verify the signature headers; add one")
		}
		return
	}
	if !isCredentialType(c.Type) {
		v.add("credential type %q must be lower-case letters, digits and \"_\", start with a letter and have at most %d characters", c.Type, maxKeyLength)
	}
	if len(d.SignatureHeaders) == 0 && !slices.ContainsFunc(d.Settings, func(s Setting) bool { return s.SignatureHeader }) {
		v.add("signature headers are missing: without them a request with a wrong signature looks like one without any")
	}
	seen := map[string]bool{}
	for _, f := range c.Fields {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if !isKey(name) {
				v.add("credential field %q is a file name: letters, digits, \"_\" and \"-\", starting with a letter, at most %d characters", name, maxKeyLength)
			}
			if seen[name] {
				v.add("credential field %q is there twice, by name or alias", name)
			}
			seen[name] = true
		}
		if _, err := regexp.Compile(f.Pattern); err != nil {
			v.add("credential field %q: pattern: %w", f.Name, err)
		}
	}
}

func (v *validation) headers(d Descriptor) {
	for _, name := range d.SignatureHeaders {
		if !isHeader(name) {
			v.add("signature header %q is not the name of a header", name)
		}
	}
	if d.DeliveryIDHeader != "" && !isHeader(d.DeliveryIDHeader) {
		v.add("delivery id header %q is not the name of a header", d.DeliveryIDHeader)
	}
}

// triggerKeys are what a trigger says of itself, beside its filters.
var triggerKeys = []string{"source", "concurrencyKey", "onBusy", "debounce", "maxWait", "maxSelfTriggers", "ignoreSenders"}

func (v *validation) filters(filters []Filter) {
	names := map[string]bool{}
	first := map[string]Filter{} // by attribute
	for _, f := range filters {
		switch {
		case !isKey(f.Name):
			v.add("filter %q must be letters, digits, \"_\" and \"-\", start with a letter and have at most %d characters", f.Name, maxKeyLength)
		case slices.Contains(triggerKeys, f.Name):
			v.add("filter %q is a key that every trigger has already; name it otherwise", f.Name)
		case names[f.Name]:
			v.add("filter %q is there twice", f.Name)
		}
		names[f.Name] = true
		if f.Kind != String && f.Kind != StringList {
			v.add("filter %q: kind %d is neither String nor StringList", f.Name, f.Kind)
		}
		if slices.Contains(f.Values, "") {
			v.add("filter %q: an empty string is among its known values", f.Name)
		}
		v.optIn(f)
		if f.Attribute == "" {
			v.add("filter %q: attribute is empty; name the key of Event.Attributes that it looks at", f.Name)
			continue
		}
		same, ok := first[f.Attribute]
		if !ok {
			first[f.Attribute] = f
			continue
		}
		if same.PassAbsent != f.PassAbsent {
			v.add("filters %q and %q look at attribute %q and must agree on PassAbsent", same.Name, f.Name, f.Attribute)
		}
		if same.MatchCase != f.MatchCase {
			v.add("filters %q and %q look at attribute %q and must agree on MatchCase", same.Name, f.Name, f.Attribute)
		}
		if len(same.OptIn) != len(f.OptIn) || !slices.Equal(slices.Sorted(slices.Values(same.OptIn)), slices.Sorted(slices.Values(f.OptIn))) {
			v.add("filters %q and %q look at attribute %q and must agree on OptIn", same.Name, f.Name, f.Attribute)
		}
	}
}

func (v *validation) optIn(f Filter) {
	if len(f.OptIn) > maxOptIn {
		v.add("filter %q: %d opt-in values are more than %d", f.Name, len(f.OptIn), maxOptIn)
		return
	}
	for i, value := range f.OptIn {
		switch {
		case value == "":
			v.add("filter %q: an empty string is among its opt-in values", f.Name)
		case slices.ContainsFunc(f.OptIn[:i], func(other string) bool { return f.same(other, value) }):
			v.add("filter %q: the opt-in value %q is there twice", f.Name, value)
		case len(f.Values) > 0 && !f.knows(value):
			v.add("filter %q: the opt-in value %q is not among its known values", f.Name, value)
		}
	}
}

// same compares two values as the filter does.
func (f Filter) same(a, b string) bool { return a == b || !f.MatchCase && strings.EqualFold(a, b) }

func (f Filter) knows(value string) bool {
	return slices.ContainsFunc(f.Values, func(known string) bool { return f.same(known, value) })
}

func (v *validation) example(d Descriptor) {
	names := make([]string, 0, len(d.Example))
	for name := range d.Example {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := d.Example[name]
		i := slices.IndexFunc(d.Filters, func(f Filter) bool { return f.Name == name })
		switch {
		case i < 0:
			v.add("example uses %q, which is not a filter", name)
			continue
		case len(values) == 0 || slices.Contains(values, ""):
			v.add("example gives %q no value, or an empty one", name)
		case d.Filters[i].Kind == String && len(values) > 1:
			v.add("example gives %q %d values; it takes one string", name, len(values))
		}
		v.exampleValues(d.Filters[i], values)
	}
}

func (v *validation) samples(samples []Sample) {
	seen := map[string]bool{}
	for _, s := range samples {
		if !isSampleName(s.Name) {
			v.add("sample %q is an event that people type: letters, digits, \".\", \"_\" and \"-\", starting with a letter, at most %d characters", s.Name, maxKeyLength)
		}
		if seen[s.Name] {
			v.add("sample %q is there twice", s.Name)
		}
		seen[s.Name] = true
	}
}

func (v *validation) exampleValues(f Filter, values []string) {
	if len(f.Values) == 0 {
		return
	}
	for _, value := range values {
		if !f.knows(value) {
			v.add("example gives %q the value %q, which is not among its known values", f.Name, value)
		}
	}
}

func isType(s string) bool {
	return len(s) <= maxTypeLength && isWord(s, func(c byte) bool { return isLower(c) || isDigit(c) || c == '-' })
}

func isCredentialType(s string) bool {
	return len(s) <= maxKeyLength && isWord(s, func(c byte) bool { return isLower(c) || isDigit(c) || c == '_' })
}

// isKey accepts what TOML takes for a bare key and no file system for a path.
func isKey(s string) bool {
	return len(s) <= maxKeyLength && isWord(s, func(c byte) bool {
		return isLower(c) || isLower(c|0x20) || isDigit(c) || c == '_' || c == '-'
	})
}

func isSampleName(s string) bool {
	return len(s) <= maxKeyLength && isWord(s, func(c byte) bool {
		return isLower(c) || isLower(c|0x20) || isDigit(c) || c == '_' || c == '-' || c == '.'
	})
}

func isWord(s string, allowed func(byte) bool) bool {
	if s == "" || !isLower(s[0]|0x20) {
		return false
	}
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

// isHeader accepts the tokens of RFC 9110.
func isHeader(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !isLower(c|0x20) && !isDigit(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
