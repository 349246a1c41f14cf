package providertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// filterLine says of a case what a trigger does with its delivery.
type filterLine struct {
	pass    bool
	filters []setting // of the trigger; none is a trigger without filters
}

// setting is one filter with its values.
type setting struct {
	name   string
	values []string
}

func (l filterLine) String() string {
	if len(l.filters) == 0 {
		return "no filter"
	}
	parts := make([]string, len(l.filters))
	for i, s := range l.filters {
		parts[i] = fmt.Sprintf("%s = %q", s.name, s.values)
	}
	return strings.Join(parts, " ")
}

func readFilterLines(data []byte) ([]filterLine, error) {
	var lines []filterLine
	err := eachLine(data, func(text string) error {
		line, ok := readFilterLine(text)
		if !ok {
			return errors.New("not `pass labels = [\"agent\"]`, `hold org = \"acme\" labels = \"agent\"` or the like")
		}
		lines = append(lines, line)
		return nil
	})
	return lines, err
}

func readFilterLine(text string) (line filterLine, ok bool) {
	verb, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	line.pass = verb == "pass"
	for rest = strings.TrimSpace(rest); rest != ""; {
		name, right, found := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		dec := json.NewDecoder(strings.NewReader(right))
		var value any
		if !found || name == "" || strings.ContainsAny(name, " \t") || dec.Decode(&value) != nil {
			return line, false
		}
		s := setting{name: name}
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		for _, element := range list {
			word, isText := element.(string)
			if !isText {
				return line, false
			}
			s.values = append(s.values, word)
		}
		line.filters = append(line.filters, s)
		rest = strings.TrimSpace(right[dec.InputOffset():])
	}
	return line, line.pass || verb == "hold"
}

// starts is the rule that sdk.Filter documents: what a trigger with these
// filters does with an event. Filters on the same attribute unite.
func starts(d sdk.Descriptor, trigger []setting, e wantEvent) bool {
	wanted := map[string][]string{}
	for _, s := range trigger {
		for _, f := range d.Filters {
			if f.Name == s.name {
				wanted[f.Attribute] = append(wanted[f.Attribute], s.values...)
			}
		}
	}
	for _, f := range d.Filters {
		has := e.Attributes[f.Attribute]
		if values, asked := wanted[f.Attribute]; asked {
			if !passes(f, values, has) {
				return false
			}
		} else if len(has) > 0 && !slices.ContainsFunc(has, func(value string) bool { return !names(f, f.OptIn, value) }) {
			return false
		}
	}
	return true
}

// passes says what a filter does with the values that an event has.
func passes(f sdk.Filter, wanted, has []string) bool {
	if len(has) == 0 {
		return f.PassAbsent
	}
	return slices.ContainsFunc(has, func(value string) bool { return names(f, wanted, value) })
}

// names says that a value is in a list, compared as the filter does.
func names(f sdk.Filter, list []string, value string) bool {
	return slices.ContainsFunc(list, func(other string) bool {
		return other == value || !f.MatchCase && strings.EqualFold(other, value)
	})
}
