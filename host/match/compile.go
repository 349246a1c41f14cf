package match

import (
	"cmp"
	"slices"

	"github.com/action-llama/gateway/sdk"
)

// Matcher knows all triggers. It never changes, so any number of goroutines
// may use one, and a new configuration is a new Matcher. The nil Matcher knows
// no trigger.
//
// Values are numbers in here: every value that some trigger names gets an id,
// as does "the event has no such attribute". A trigger is then a few small
// sorted sets, an event too, and matching never compares strings.
type Matcher struct {
	sources  map[string]*source
	agents   []string
	triggers []trigger // by the index that the caller knows

	conditions []condition // of all triggers, a trigger's next to each other
	wanted     []uint32    // value ids of all conditions, sorted within each
	wordings   []wording   // of wanted, for people
	texts      []string

	index index
}

// source is one [webhooks.<name>] that has triggers.
type source struct {
	name       string
	descriptor sdk.Descriptor
	attributes []attribute // that triggers look at
	implied    []condition // of triggers that do not look at their attributes; see imply
	triggers   []uint32    // in the order of the configuration
	root       uint32      // node of the index
}

// attribute is what the triggers of one source want of one event attribute.
type attribute struct {
	name       string
	matchCase  bool
	passAbsent bool
	ids        map[string]uint32 // by value, folded unless matchCase
	absent     uint32            // the id that stands for an event without it

	optIn    span   // ids of the values that a trigger has to name
	ordinary uint32 // the id that stands for any other value, if there are opt-in ones
}

// asks says that a value is one that a trigger has to name.
func (a *attribute) asks(id uint32) bool { return a.optIn.from <= id && id < a.optIn.to }

type trigger struct {
	agent      uint32 // index into Matcher.agents
	source     uint32 // its name in Matcher.texts
	conditions span
}

// condition holds for an event that has any of the wanted values.
type condition struct {
	attribute uint32
	wanted    span
}

// wording is how a configuration says a wanted value.
type wording struct {
	filter uint32 // index into the descriptor's filters
	text   uint32 // index into Matcher.texts
}

// notSpelled is the text of "no such attribute" and of "an ordinary value",
// which nobody writes.
const notSpelled = ^uint32(0)

// span is a part of a slice that many things share: half the size of a slice
// header, and one allocation instead of a hundred thousand.
type span struct{ from, to uint32 }

func (s span) len() int { return int(s.to - s.from) }

// Compile checks triggers against the descriptors of their sources and
// prepares them for matching. Problems come in the order of the triggers. Those
// with an Error are not in the Matcher.
//
// sources holds the descriptor of its type for every source by name. A zero
// descriptor stands for a provider that has not come up: the triggers of its
// sources wait, and whoever knows why says so.
func Compile(triggers []Trigger, sources map[string]sdk.Descriptor) (*Matcher, []Problem) {
	return compile(triggers, sources, leafSize)
}

func compile(triggers []Trigger, sources map[string]sdk.Descriptor, leafSize int) (*Matcher, []Problem) {
	c := compiler{
		m:       &Matcher{sources: map[string]*source{}, triggers: make([]trigger, len(triggers))},
		checker: newChecker(sources),
		agents:  map[string]uint32{},
		texts:   map[string]uint32{},
	}
	for i, t := range triggers {
		if c.checker.check(i, t) {
			c.add(i, t, sources[t.Source])
		}
	}
	c.m.index = buildIndex(c.m, c.attributeOf, leafSize)
	c.clip()
	return c.m, c.checker.problems
}

type compiler struct {
	m           *Matcher
	checker     *checker
	agents      map[string]uint32
	texts       map[string]uint32
	attributeOf []uint32 // by value id
}

func (c *compiler) add(i int, t Trigger, d sdk.Descriptor) {
	s := c.source(t.Source, d)
	s.triggers = append(s.triggers, uint32(i))
	first := len(c.m.conditions)

	// A handful of filters: looking for those on the same attribute in turn is
	// cheaper than a map for each trigger.
	done := make([]bool, len(t.Filters))
	var wants []want
	for j, f := range t.Filters {
		if done[j] {
			continue
		}
		looksAt := d.Filters[findFilter(d.Filters, f.Name)].Attribute
		a := c.attribute(s, d, looksAt)
		wants = wants[:0]
		for k := j; k < len(t.Filters); k++ {
			n := findFilter(d.Filters, t.Filters[k].Name)
			if done[k] || d.Filters[n].Attribute != looksAt {
				continue
			}
			done[k] = true
			for _, value := range t.Filters[k].Values {
				wants = append(wants, want{
					id:      c.value(&s.attributes[a], a, value),
					wording: wording{filter: uint32(n), text: intern(c.texts, &c.m.texts, value)},
				})
			}
		}
		if s.attributes[a].passAbsent {
			wants = append(wants, want{id: s.attributes[a].absent, wording: wording{text: notSpelled}})
		}
		c.m.conditions = append(c.m.conditions, c.condition(a, wants))
	}
	for _, implied := range s.implied {
		if !slices.ContainsFunc(c.m.conditions[first:], func(own condition) bool { return own.attribute == implied.attribute }) {
			c.m.conditions = append(c.m.conditions, implied)
		}
	}
	c.m.triggers[i] = trigger{
		agent:      intern(c.agents, &c.m.agents, t.Agent),
		source:     intern(c.texts, &c.m.texts, t.Source),
		conditions: span{uint32(first), uint32(len(c.m.conditions))},
	}
}

type want struct {
	id uint32
	wording
}

// imply makes the conditions that triggers have without saying so: of each
// attribute with opt-in values an ordinary value, or none.
func (c *compiler) imply(s *source, d sdk.Descriptor) {
	for _, f := range d.Filters {
		if len(f.OptIn) == 0 {
			continue
		}
		a := c.attribute(s, d, f.Attribute)
		if slices.ContainsFunc(s.implied, func(known condition) bool { return known.attribute == uint32(a) }) {
			continue
		}
		s.implied = append(s.implied, c.condition(a, []want{
			{id: s.attributes[a].absent, wording: wording{text: notSpelled}},
			{id: s.attributes[a].ordinary, wording: wording{text: notSpelled}},
		}))
	}
}

func (c *compiler) condition(attribute int, wants []want) condition {
	slices.SortStableFunc(wants, func(a, b want) int { return cmp.Compare(a.id, b.id) })
	wants = slices.CompactFunc(wants, func(a, b want) bool { return a.id == b.id })
	first := len(c.m.wanted)
	for _, w := range wants {
		c.m.wanted = append(c.m.wanted, w.id)
		c.m.wordings = append(c.m.wordings, w.wording)
	}
	return condition{attribute: uint32(attribute), wanted: span{uint32(first), uint32(len(c.m.wanted))}}
}

func (c *compiler) source(name string, d sdk.Descriptor) *source {
	s, ok := c.m.sources[name]
	if !ok {
		s = &source{name: name, descriptor: d}
		c.m.sources[name] = s
		c.imply(s, d)
	}
	return s
}

// attribute returns the index of a source's attribute. A descriptor whose
// filters disagree about it does not validate; should one get this far, the
// stricter reading starts no agent that the other would not.
func (c *compiler) attribute(s *source, d sdk.Descriptor, name string) int {
	for i := range s.attributes {
		if s.attributes[i].name == name {
			return i
		}
	}
	a := attribute{name: name, passAbsent: true, ids: map[string]uint32{}}
	for _, other := range d.Filters {
		if other.Attribute == name {
			a.passAbsent = a.passAbsent && other.PassAbsent
			a.matchCase = a.matchCase || other.MatchCase
		}
	}
	n := len(s.attributes)
	a.absent = c.newID(n)
	a.optIn.from = uint32(len(c.attributeOf))
	for _, other := range d.Filters {
		if other.Attribute == name {
			for _, value := range other.OptIn {
				c.value(&a, n, value)
			}
		}
	}
	a.optIn.to = uint32(len(c.attributeOf))
	if a.optIn.len() > 0 {
		a.ordinary = c.newID(n)
	}
	s.attributes = append(s.attributes, a)
	return n
}

// value returns the id of a value of an attribute, which is the one with that
// number in its source.
func (c *compiler) value(a *attribute, number int, value string) uint32 {
	if !a.matchCase {
		value = folded(value)
	}
	id, ok := a.ids[value]
	if !ok {
		id = c.newID(number)
		a.ids[value] = id
	}
	return id
}

func (c *compiler) newID(attribute int) uint32 {
	c.attributeOf = append(c.attributeOf, uint32(attribute))
	return uint32(len(c.attributeOf) - 1)
}

// clip gives back what the slices grew too far: a Matcher lives long.
func (c *compiler) clip() {
	m := c.m
	m.agents, m.texts = exact(m.agents), exact(m.texts)
	m.conditions, m.wanted, m.wordings = exact(m.conditions), exact(m.wanted), exact(m.wordings)
	m.index.nodes, m.index.rest, m.index.branches = exact(m.index.nodes), exact(m.index.rest), exact(m.index.branches)
}

func exact[E any](s []E) []E { return append(make([]E, 0, len(s)), s...) }

func intern(ids map[string]uint32, texts *[]string, s string) uint32 {
	id, ok := ids[s]
	if !ok {
		id = uint32(len(*texts))
		ids[s] = id
		*texts = append(*texts, s)
	}
	return id
}

// findFilter returns the index of a filter, or -1. Descriptors have about ten.
func findFilter(filters []sdk.Filter, name string) int {
	for i := range filters {
		if filters[i].Name == name {
			return i
		}
	}
	return -1
}
