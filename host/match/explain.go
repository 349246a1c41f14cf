package match

import (
	"fmt"
	"slices"
	"strings"
)

// Explanation says of one trigger whether an event matches it, and why.
type Explanation struct {
	Agent   string
	Trigger int // index into the triggers that were compiled
	Matched bool
	Checks  []Check // one for each attribute that its filters look at, and those that OptIn is about
}

// Check is what a trigger asks of one attribute of an event.
type Check struct {
	Attribute string
	Filters   []string // the keys of the trigger that look at it; their values unite
	Wanted    []string // as the trigger has them
	Got       []string // as the event has them; none when it lacks the attribute
	// PassAbsent: an event that lacks the attribute passes.
	PassAbsent bool
	// OptIn: the trigger asks nothing of the attribute, and the event has only
	// values that a trigger has to name. Filters are those that it could do so
	// with. Such a check never holds; one that would is left out.
	OptIn bool
	Holds bool
}

// String is the check as a sentence for a person.
func (c Check) String() string {
	filters := strings.Join(c.Filters, ", ")
	switch {
	case c.OptIn:
		return fmt.Sprintf("%s: the event has only %s, which a trigger gets only by naming it", filters, quoted(c.Got))
	case len(c.Got) == 0 && c.Holds:
		return fmt.Sprintf("%s: the event has no %s, which passes", filters, c.Attribute)
	case len(c.Got) == 0:
		return fmt.Sprintf("%s: wants %s, the event has no %s", filters, quoted(c.Wanted), c.Attribute)
	case c.Holds:
		return fmt.Sprintf("%s: wants %s, the event has %s: yes", filters, quoted(c.Wanted), quoted(c.Got))
	default:
		return fmt.Sprintf("%s: wants %s, the event has %s", filters, quoted(c.Wanted), quoted(c.Got))
	}
}

func quoted(values []string) string {
	const most = 10
	var b strings.Builder
	for i, v := range values {
		if i == most {
			fmt.Fprintf(&b, " or %d others", len(values)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", v)
	}
	return b.String()
}

// Explain goes through every trigger of a source, in the order of the
// configuration, by the rule that Match uses. Match reports the first match of
// each agent; here all of them are.
func (m *Matcher) Explain(source string, attributes map[string][]string) []Explanation {
	if m == nil {
		return nil
	}
	s, ok := m.sources[source]
	if !ok {
		return nil
	}
	e := s.read(attributes, nil, nil)
	got := make([][]string, len(s.attributes)) // shared by all explanations
	for i, a := range s.attributes {
		got[i] = slices.DeleteFunc(slices.Clone(attributes[a.name]), func(v string) bool { return v == "" })
	}
	out := make([]Explanation, 0, len(s.triggers))
	for _, t := range s.triggers {
		x := Explanation{Agent: m.agents[m.triggers[t].agent], Trigger: int(t), Matched: true}
		own := m.triggers[t].conditions
		for _, c := range m.conditions[own.from:own.to] {
			check := m.check(s, c)
			check.Got = got[c.attribute]
			check.Holds = m.holds(c, &e)
			if check.OptIn && check.Holds {
				continue // nobody asked
			}
			x.Matched = x.Matched && check.Holds
			x.Checks = append(x.Checks, check)
		}
		out = append(out, x)
	}
	return out
}

// check says what a condition wants, in the words of the configuration.
func (m *Matcher) check(s *source, c condition) Check {
	a := s.attributes[c.attribute]
	check := Check{Attribute: a.name, PassAbsent: a.passAbsent}
	for i := c.wanted.from; i < c.wanted.to; i++ {
		sp := m.wordings[i]
		if sp.text == notSpelled {
			continue
		}
		check.Wanted = append(check.Wanted, m.texts[sp.text])
		if name := s.descriptor.Filters[sp.filter].Name; !slices.Contains(check.Filters, name) {
			check.Filters = append(check.Filters, name)
		}
	}
	if check.Wanted == nil { // what the compiler added
		check.OptIn = true
		for _, f := range s.descriptor.Filters {
			if f.Attribute == a.name {
				check.Filters = append(check.Filters, f.Name)
			}
		}
	}
	return check
}
