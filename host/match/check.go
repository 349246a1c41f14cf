package match

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/sdk"
)

// checker finds what is wrong with triggers.
type checker struct {
	sources     map[string]sdk.Descriptor
	sourceNames []string
	known       map[filterOf]map[string]bool // known values, folded unless case counts
	suggested   map[valueOf]string           // a hundred thousand triggers may repeat one mistake
	problems    []Problem
}

type filterOf struct{ typ, filter string }

type valueOf struct {
	filterOf
	value string
}

func newChecker(sources map[string]sdk.Descriptor) *checker {
	return &checker{
		sources:     sources,
		sourceNames: slices.Sorted(maps.Keys(sources)),
		known:       map[filterOf]map[string]bool{},
		suggested:   map[valueOf]string{},
	}
}

// check reports on one trigger and says whether it can be matched.
func (c *checker) check(i int, t Trigger) bool {
	d, ok := c.sources[t.Source]
	if !ok {
		c.report(Problem{Severity: Error, Pos: t.Pos, Trigger: i, Message: c.unknownSource(t.Source)})
		return false
	}
	if d.Type == "" {
		return false
	}
	fine := true
	for _, f := range t.Filters {
		message := checkFilter(d, f)
		if message == "" {
			c.checkValues(i, t, d, f)
			continue
		}
		fine = false
		c.report(Problem{Severity: Error, Pos: position(t, f), Trigger: i, Filter: f.Name, Message: message})
	}
	return fine
}

func (c *checker) report(p Problem) { c.problems = append(c.problems, p) }

func position(t Trigger, f Filter) string {
	if f.Pos != "" {
		return f.Pos
	}
	return t.Pos
}

func (c *checker) unknownSource(name string) string {
	switch {
	case name == "" && len(c.sourceNames) == 0:
		return "no source; add one as [webhooks.<name>] to the project's config.toml, and name it here"
	case name == "":
		return "no source; name one of " + listed(c.sourceNames)
	case len(c.sourceNames) == 0:
		return fmt.Sprintf("there is no source %q; add [webhooks.%s] to the project's config.toml", name, name)
	}
	hint := didYouMean(name, c.sourceNames)
	if hint == "" {
		hint = fmt.Sprintf("; add [webhooks.%s] to the project's config.toml, or use one that is there", name)
	}
	return fmt.Sprintf("there is no source %q%s (sources: %s)", name, hint, listed(c.sourceNames))
}

// checkFilter returns what makes a filter meaningless, or nothing.
func checkFilter(d sdk.Descriptor, f Filter) string {
	n := findFilter(d.Filters, f.Name)
	if n < 0 {
		return unknownFilter(d, f.Name)
	}
	described := &d.Filters[n]
	switch {
	case described.Kind == sdk.String && f.List:
		return fmt.Sprintf("%s filter %q takes one string, not a list; %s", d.Type, f.Name, oneString(d, described, f))
	case len(f.Values) == 0:
		return fmt.Sprintf("%s filter %q is empty, so the trigger matches nothing; remove it or give a value", d.Type, f.Name)
	case described.Kind == sdk.String && len(f.Values) > 1:
		return fmt.Sprintf("%s filter %q takes one string, not %d; %s", d.Type, f.Name, len(f.Values), oneString(d, described, f))
	}
	for _, value := range f.Values {
		if value == "" {
			return fmt.Sprintf("%s filter %q has an empty value, which no event has; remove it or give a value", d.Type, f.Name)
		}
	}
	return ""
}

func unknownFilter(d sdk.Descriptor, name string) string {
	if len(d.Filters) == 0 {
		return fmt.Sprintf("%s has no filter %q, nor any other; remove it", d.Type, name)
	}
	names := make([]string, len(d.Filters))
	for i, f := range d.Filters {
		names[i] = f.Name
	}
	slices.Sort(names)
	hint := didYouMean(name, names)
	if hint == "" {
		hint = "; remove it or use one that it has"
	}
	return fmt.Sprintf("%s has no filter %q%s (filters of %s: %s)", d.Type, name, hint, d.Type, listed(names))
}

// oneString says how to write what somebody gave a list for.
func oneString(d sdk.Descriptor, described *sdk.Filter, f Filter) string {
	for _, other := range d.Filters {
		if other.Attribute == described.Attribute && other.Kind == sdk.StringList {
			return fmt.Sprintf("for several use %q", other.Name)
		}
	}
	if len(f.Values) == 0 {
		return "remove it or give a value"
	}
	if len(f.Values) == 1 {
		return fmt.Sprintf("write %s = %q", f.Name, f.Values[0])
	}
	return "for several write a trigger for each"
}

// checkValues warns about values that the provider does not know. They still
// match: vendors add events faster than providers are released.
func (c *checker) checkValues(i int, t Trigger, d sdk.Descriptor, f Filter) {
	described := &d.Filters[findFilter(d.Filters, f.Name)]
	if len(described.Values) == 0 {
		return
	}
	key := filterOf{d.Type, f.Name}
	known, ok := c.known[key]
	if !ok {
		known = make(map[string]bool, len(described.Values))
		for _, value := range described.Values {
			known[inCase(described, value)] = true
		}
		c.known[key] = known
	}
	for _, value := range f.Values {
		if known[inCase(described, value)] {
			continue
		}
		c.report(Problem{
			Severity: Warning, Pos: position(t, f), Trigger: i, Filter: f.Name,
			Message: c.unknownValue(key, described, value),
		})
	}
}

func (c *checker) unknownValue(key filterOf, described *sdk.Filter, value string) string {
	at := valueOf{key, value}
	message, ok := c.suggested[at]
	if !ok {
		hint := didYouMean(value, described.Values)
		if hint == "" {
			known := slices.Clone(described.Values)
			slices.Sort(known)
			hint = "; it knows " + listed(known)
		}
		message = fmt.Sprintf("%s filter %q does not know %q%s", key.typ, key.filter, value, hint)
		c.suggested[at] = message
	}
	return message
}

func inCase(f *sdk.Filter, value string) string {
	if f.MatchCase {
		return value
	}
	return folded(value)
}

// didYouMean ends a message about an unknown word with the nearest known one.
func didYouMean(word string, known []string) string {
	if hint := spelling.DidYouMean(word, known); hint != "" {
		return "; " + hint
	}
	return ""
}

// listed names the known words for a message, shortened where nobody would
// read them all.
func listed(known []string) string {
	const most = 20
	if len(known) > most {
		return strings.Join(known[:most], ", ") + fmt.Sprintf(" and %d more", len(known)-most)
	}
	return strings.Join(known, ", ")
}
