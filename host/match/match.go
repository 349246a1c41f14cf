package match

import (
	"cmp"
	"slices"
)

// Hit is an agent that an event starts.
type Hit struct {
	Agent   string
	Source  string // of the trigger
	Trigger int    // index into the triggers that were compiled
}

// Match returns the agents that want an event which the given sources proved,
// by the first of their triggers that matches, in the order of the
// configuration. An agent is there once, however many triggers or sources lead
// to it.
//
// attributes are sdk.Event.Attributes. A key without values is the same as no
// key, and so is one with nothing but empty strings.
func (m *Matcher) Match(sources []string, attributes map[string][]string) []Hit {
	return m.MatchFunc(sources, attributes, nil)
}

// MatchFunc is Match for those triggers that keep lets through, which is asked
// about each that matches: another trigger of the same agent may take the place
// of one that it does not let through. A nil keep lets all of them.
func (m *Matcher) MatchFunc(sources []string, attributes map[string][]string, keep func(trigger int) bool) []Hit {
	if m == nil {
		return nil
	}
	// Room for the usual event on the stack; a larger one allocates.
	var values [32]uint32
	var spans [16]span
	var found [32]match
	matches := found[:0]
	for _, name := range sources {
		if s, ok := m.sources[name]; ok {
			e := s.read(attributes, values[:0], spans[:0])
			matches = m.walk(s.root, &e, matches)
		}
	}
	if keep != nil {
		matches = slices.DeleteFunc(matches, func(found match) bool { return !keep(int(uint32(found))) })
	}
	return m.hits(matches)
}

// match is a trigger that matched, its agent in the upper half, so that sorting
// puts the first trigger of each agent in front of its others.
type match uint64

func (m *Matcher) hits(matches []match) []Hit {
	if len(matches) == 0 {
		return nil
	}
	slices.Sort(matches)
	matches = slices.CompactFunc(matches, func(a, b match) bool { return a>>32 == b>>32 })
	slices.SortFunc(matches, func(a, b match) int { return cmp.Compare(uint32(a), uint32(b)) })
	hits := make([]Hit, len(matches))
	for i, found := range matches {
		t := m.triggers[uint32(found)]
		hits[i] = Hit{Agent: m.agents[t.agent], Source: m.texts[t.source], Trigger: int(uint32(found))}
	}
	return hits
}

// walk looks at every trigger that the index does not rule out.
func (m *Matcher) walk(at uint32, e *event, matches []match) []match {
	n := m.index.nodes[at]
	for _, t := range m.index.rest[n.rest.from:n.rest.to] {
		if m.matches(t, e) {
			matches = append(matches, match(m.triggers[t].agent)<<32|match(t))
		}
	}
	for _, attribute := range m.index.branches[n.branches.from:n.branches.to] {
		for _, id := range e.of(attribute) {
			if child, ok := m.index.edges[edge{at, id}]; ok {
				matches = m.walk(child, e, matches)
			}
		}
	}
	return matches
}

func (m *Matcher) matches(t uint32, e *event) bool {
	s := m.triggers[t].conditions
	for _, c := range m.conditions[s.from:s.to] {
		if !m.holds(c, e) {
			return false
		}
	}
	return true
}

// holds is the rule for one attribute, and the only place that has it.
func (m *Matcher) holds(c condition, e *event) bool {
	return overlap(m.wanted[c.wanted.from:c.wanted.to], e.of(c.attribute))
}

// event is an event in the numbers of one source.
type event struct {
	values     []uint32
	attributes []span // of values: sorted ids, by index of the source's attributes
}

func (e *event) of(attribute uint32) []uint32 {
	s := e.attributes[attribute]
	return e.values[s.from:s.to]
}

// read translates an event, appending to values and spans. Values that no
// trigger names have no number and are left out.
func (s *source) read(attributes map[string][]string, values []uint32, spans []span) event {
	var buf [64]byte
	for i := range s.attributes {
		a := &s.attributes[i]
		first := len(values)
		absent, ordinary := true, false
		for _, value := range attributes[a.name] {
			if value == "" {
				continue
			}
			absent = false
			id, ok := a.id(value, buf[:0])
			if ok {
				values = append(values, id)
			}
			ordinary = ordinary || a.optIn.len() > 0 && !(ok && a.asks(id))
		}
		switch {
		case absent:
			values = append(values, a.absent)
		case ordinary:
			values = append(values, a.ordinary)
		}
		if own := values[first:]; len(own) > 1 {
			slices.Sort(own)
			values = values[:first+len(slices.Compact(own))]
		}
		spans = append(spans, span{uint32(first), uint32(len(values))})
	}
	return event{values: values, attributes: spans}
}

// id looks a value up, using buf to fold it.
func (a *attribute) id(value string, buf []byte) (uint32, bool) {
	if a.matchCase {
		id, ok := a.ids[value]
		return id, ok
	}
	id, ok := a.ids[string(appendFold(buf, value))]
	return id, ok
}

// overlap says whether two sorted sets share an id.
func overlap(a, b []uint32) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	// Going through both is the fastest way unless one is much longer.
	if len(b) > 8*len(a) {
		for _, id := range a {
			if _, ok := slices.BinarySearch(b, id); ok {
				return true
			}
		}
		return false
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			return true
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return false
}
