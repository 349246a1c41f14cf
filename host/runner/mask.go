package runner

import (
	"io"

	"github.com/action-llama/gateway/host/sensitive"
)

// node is a state of the automaton: how much of which secrets the text ends
// with. The edges of a state are a list linked through next; most have one.
type node struct {
	child, next int32 // first edge; next edge of the same parent
	fail        int32 // state of the longest proper suffix that starts a secret
	begun       int32 // how many of the last bytes of the text may become a secret with more to come
	match       int32 // length of the longest secret that the text ends with here
	b           byte
}

// masker writes text on with "***" in place of every secret in it, wherever
// the text is split into writes. It is an Aho-Corasick automaton: its state
// says how many of the last bytes may begin a secret, and only those are held
// back. Memory is bounded by the secrets, not by the text, and time is linear
// in both. Not for concurrent use.
type masker struct {
	to    io.Writer
	nodes []node
	root  [256]int32 // edges of the start state, where nearly all text stays
	state int32

	pos  int64  // how much of the text has left
	held []byte // the text after that, from off on
	off  int
	mask []span // secrets in the held text, in order, apart from each other
	last int64  // where the last secret that left ended
	out  []byte
}

// span is a part of the text, in bytes from its beginning. Part of the first
// span that is held may have left already.
type span struct{ from, to int64 }

func newMasker(to io.Writer, secrets []string) *masker {
	m := &masker{to: to, nodes: make([]node, 1), last: -1}
	for _, s := range sensitive.Spellings(secrets) {
		m.add(s)
	}
	m.link()
	return m
}

func (m *masker) add(secret string) {
	at := int32(0)
	for i := range len(secret) {
		to := m.edge(at, secret[i])
		if to == 0 {
			to = int32(len(m.nodes))
			m.nodes = append(m.nodes, node{b: secret[i], next: m.nodes[at].child, begun: int32(i + 1)})
			m.nodes[at].child = to
			if at == 0 {
				m.root[secret[i]] = to
			}
		}
		at = to
	}
	m.nodes[at].match = int32(len(secret))
}

func (m *masker) edge(at int32, b byte) int32 {
	if at == 0 {
		return m.root[b]
	}
	for to := m.nodes[at].child; to != 0; to = m.nodes[to].next {
		if m.nodes[to].b == b {
			return to
		}
	}
	return 0
}

// link sets the fail edges, breadth first: those of shorter texts are needed
// for the longer ones.
func (m *masker) link() {
	queue := make([]int32, 0, len(m.nodes))
	for to := m.nodes[0].child; to != 0; to = m.nodes[to].next {
		queue = append(queue, to)
	}
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		if m.nodes[at].child == 0 { // complete: only a shorter one can still go on
			m.nodes[at].begun = m.nodes[m.nodes[at].fail].begun
		}
		for to := m.nodes[at].child; to != 0; to = m.nodes[to].next {
			fail := m.step(m.nodes[at].fail, m.nodes[to].b)
			m.nodes[to].fail = fail
			// A secret may end inside a longer one that is not complete.
			m.nodes[to].match = max(m.nodes[to].match, m.nodes[fail].match)
			queue = append(queue, to)
		}
	}
}

func (m *masker) step(at int32, b byte) int32 {
	for {
		if to := m.edge(at, b); to != 0 {
			return to
		}
		if at == 0 {
			return 0
		}
		at = m.nodes[at].fail
	}
}

// Write takes all of p, also when writing on fails.
func (m *masker) Write(p []byte) (int, error) {
	m.out = m.out[:0]
	for i := 0; i < len(p); i++ {
		if m.state == 0 {
			// No secret is under way, so nothing is held: the text up to the
			// next byte that can begin one goes out as it is.
			start := i
			for i < len(p) && m.root[p[i]] == 0 {
				i++
			}
			m.out = append(m.out, p[start:i]...)
			m.pos += int64(i - start)
			if i == len(p) {
				break
			}
		}
		m.state = m.step(m.state, p[i])
		m.held = append(m.held, p[i])
		end := m.pos + int64(len(m.held)-m.off)
		if n := int64(m.nodes[m.state].match); n > 0 {
			m.hide(span{end - n, end})
		}
		m.release(end - int64(m.nodes[m.state].begun))
	}
	_, err := m.to.Write(m.out)
	return len(p), err
}

// hide adds a span that ends where the held text ends, and unites it with
// those that it touches.
func (m *masker) hide(s span) {
	for n := len(m.mask); n > 0 && m.mask[n-1].to >= s.from; n-- {
		s.from = min(s.from, m.mask[n-1].from)
		m.mask = m.mask[:n-1]
	}
	m.mask = append(m.mask, s)
}

// release lets the text up to a position go: no secret can begin before it any
// more.
func (m *masker) release(upto int64) {
	for m.pos < upto {
		switch {
		case len(m.mask) == 0 || upto <= m.mask[0].from:
			m.out = append(m.out, m.take(upto)...)
		case m.pos < m.mask[0].from:
			m.out = append(m.out, m.take(m.mask[0].from)...)
		default:
			if m.pos == m.mask[0].from && m.pos != m.last {
				m.out = append(m.out, sensitive.Mask...)
			}
			m.take(min(upto, m.mask[0].to))
			m.last = m.pos
			if m.pos == m.mask[0].to {
				m.mask = m.mask[1:]
			}
		}
	}
	if m.off > len(m.held)/2 {
		m.held = m.held[:copy(m.held, m.held[m.off:])]
		m.off = 0
	}
}

func (m *masker) take(upto int64) []byte {
	n := int(upto - m.pos)
	text := m.held[m.off : m.off+n]
	m.off += n
	m.pos = upto
	return text
}

// Close writes what is held back. Text that ends in the middle of a secret (a
// harness was killed while it printed it) keeps that part hidden.
func (m *masker) Close() error {
	m.out = m.out[:0]
	end := m.pos + int64(len(m.held)-m.off)
	if begun := int64(m.nodes[m.state].begun); begun >= sensitive.MinLength {
		m.hide(span{end - begun, end})
	}
	m.release(end)
	m.state = 0
	_, err := m.to.Write(m.out)
	return err
}
