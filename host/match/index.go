package match

import "slices"

// index finds the few triggers that an event may match without looking at the
// others. It is a tree over each source's triggers: a node splits its triggers
// by the attribute that sets each of them apart best, and leads on by the ids
// of the values they want of it. A tree and not one table, because one
// attribute may not be enough: of a hundred thousand triggers, two thousand may
// share the most telling value, and a handful that value and the next one.
type index struct {
	nodes    []node
	rest     []uint32 // triggers of all nodes
	branches []uint32 // attributes of all nodes
	edges    map[edge]uint32
}

type node struct {
	rest     span // triggers to look at, whatever the event is
	branches span // attributes to follow
}

type edge struct{ node, value uint32 }

const (
	// leafSize is how many triggers are looked at one by one rather than split:
	// about as long as following one edge takes.
	leafSize = 8
	// maxCopies bounds how often a trigger with long lists is entered below the
	// first level, and so the memory: it is entered once for each of its values
	// there, and for each combination further down.
	maxCopies = 16
	// maxDepth bounds the tree. Each level takes the most telling attribute
	// that is left, so what is alike down here is alike in all that matters.
	maxDepth = 6
)

// buildIndex sets the root of every source and returns the index.
func buildIndex(m *Matcher, attributeOf []uint32, leafSize int) index {
	b := builder{
		m:           m,
		attributeOf: attributeOf,
		count:       make([]uint32, len(attributeOf)),
		leafSize:    leafSize,
	}
	b.index.edges = map[edge]uint32{}
	for _, s := range m.sources {
		s.root = b.newNode()
		b.fill(s.root, s.triggers, nil)
	}
	return b.index
}

type builder struct {
	m           *Matcher
	attributeOf []uint32 // by value id
	count       []uint32 // by value id: triggers of the node at hand that want it
	leafSize    int
	index       index
}

func (b *builder) newNode() uint32 {
	b.index.nodes = append(b.index.nodes, node{})
	return uint32(len(b.index.nodes) - 1)
}

// fill gives a node its triggers. The attributes in path hold for an event that
// got here.
func (b *builder) fill(at uint32, triggers, path []uint32) {
	n := node{
		rest:     span{from: uint32(len(b.index.rest))},
		branches: span{from: uint32(len(b.index.branches))},
	}
	entries := b.split(triggers, path)
	n.rest.to = uint32(len(b.index.rest))
	if len(entries) == 0 {
		n.branches.to = n.branches.from
		b.index.nodes[at] = n
		return
	}

	groups := b.group(entries)
	for _, g := range groups {
		if a := b.attributeOf[g.value]; !slices.Contains(b.index.branches[n.branches.from:], a) {
			b.index.branches = append(b.index.branches, a)
		}
	}
	n.branches.to = uint32(len(b.index.branches))
	b.index.nodes[at] = n

	// The children are filled one after the other, so they can share a path.
	below := append(make([]uint32, 0, len(path)+1), path...)
	for _, g := range groups {
		child := b.newNode()
		b.index.edges[edge{at, g.value}] = child
		b.fill(child, g.triggers, append(below, b.attributeOf[g.value]))
	}
}

// entry is a trigger below a value: the value in the upper half, so that
// sorting groups them.
type entry uint64

// split leaves the triggers that go no further in the node's rest, and returns
// the others by the values that lead to them.
func (b *builder) split(triggers, path []uint32) []entry {
	if len(triggers) <= b.leafSize || len(path) == maxDepth {
		b.index.rest = append(b.index.rest, triggers...)
		return nil
	}
	b.tally(triggers, path, 1)
	entries := make([]entry, 0, len(triggers))
	for _, t := range triggers {
		best, ok := b.choose(t, path)
		if !ok {
			b.index.rest = append(b.index.rest, t)
			continue
		}
		for _, id := range b.wanted(best) {
			entries = append(entries, entry(id)<<32|entry(t))
		}
	}
	b.tally(triggers, path, ^uint32(0)) // minus one: back to zero without going over all values
	return entries
}

// tally adds one to the count of each value for each trigger that wants it.
func (b *builder) tally(triggers, path []uint32, one uint32) {
	for _, t := range triggers {
		for _, c := range b.conditions(t) {
			if slices.Contains(path, c.attribute) {
				continue
			}
			for _, id := range b.wanted(c) {
				b.count[id] += one
			}
		}
	}
}

// choose returns the condition of a trigger, of those that the path does not
// answer, that it shares with the fewest others.
func (b *builder) choose(t uint32, path []uint32) (best condition, ok bool) {
	copies := 1
	if len(path) > 0 {
		for _, c := range b.conditions(t) {
			if slices.Contains(path, c.attribute) {
				copies *= c.wanted.len()
			}
		}
	}
	var least uint64
	for _, c := range b.conditions(t) {
		if slices.Contains(path, c.attribute) || len(path) > 0 && copies*c.wanted.len() > maxCopies {
			continue
		}
		var shared uint64
		for _, id := range b.wanted(c) {
			shared += uint64(b.count[id])
		}
		if !ok || shared < least {
			best, least, ok = c, shared, true
		}
	}
	return best, ok
}

type group struct {
	value    uint32
	triggers []uint32
}

func (b *builder) group(entries []entry) []group {
	slices.Sort(entries)
	all := make([]uint32, len(entries))
	var groups []group
	for i, e := range entries {
		all[i] = uint32(e)
		value := uint32(e >> 32)
		if i == 0 || groups[len(groups)-1].value != value {
			groups = append(groups, group{value: value, triggers: all[i:i]})
		}
		g := &groups[len(groups)-1]
		g.triggers = g.triggers[:len(g.triggers)+1]
	}
	return groups
}

func (b *builder) conditions(t uint32) []condition {
	s := b.m.triggers[t].conditions
	return b.m.conditions[s.from:s.to]
}

func (b *builder) wanted(c condition) []uint32 { return b.m.wanted[c.wanted.from:c.wanted.to] }
