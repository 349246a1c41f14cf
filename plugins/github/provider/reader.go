package provider

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// selection says which values of a payload are wanted. Payloads hold hundreds
// of values (every user comes with twenty addresses), of which about twenty
// matter: the rest is checked to be JSON and skipped, in the same single pass.
type selection struct {
	root  node
	slots int
}

// node is a name in a payload that wanted values are at or under.
type node struct {
	name     string
	elements elements
	slot     int // where the value goes; -1 for none
	children []*node
}

// elements says what is taken of an array.
type elements int

const (
	notArray elements = iota
	every             // name[]
	first             // name[0]
)

// value is what was found for a path. The zero value is "nothing there", and
// so is a value of a type that is not looked for.
type value struct {
	kind jsontext.Kind
	text string   // of a string, or the digits of a number
	list []string // for a path with "[]": the strings found, without empty ones
}

// add wants the value at a path, names joined by dots: "issue.number". A name
// followed by "[]" is an array of which every element counts, by "[0]" one of
// which the first does. It returns the slot that the value will be in.
func (s *selection) add(path string) int {
	at := &s.root
	for name := range strings.SplitSeq(path, ".") {
		at = at.grow(name)
	}
	if at.slot < 0 {
		at.slot = s.slots
		s.slots++
	}
	return at.slot
}

func (n *node) grow(name string) *node {
	kind := notArray
	if bare, ok := strings.CutSuffix(name, "[]"); ok {
		name, kind = bare, every
	} else if bare, ok := strings.CutSuffix(name, "[0]"); ok {
		name, kind = bare, first
	}
	for _, child := range n.children {
		if child.name == name {
			return child
		}
	}
	child := &node{name: name, elements: kind, slot: -1}
	n.children = append(n.children, child)
	return child
}

// read returns the wanted values of a body by slot. The body has to be one
// JSON object and nothing else, in valid UTF-8 and nested at most 10,000 deep
// (jsontext's own limit).
//
// An object that has one of the wanted names twice is refused, as nobody can
// say which one other readers of the request went by. Names that are skipped
// are not compared: that costs as much again as everything else here.
func (s *selection) read(body []byte) ([]value, error) {
	r := reader{
		// The decoder reads from a bytes.Buffer in place, without a copy.
		dec:    jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true)),
		values: make([]value, s.slots),
	}
	if r.dec.PeekKind() != jsontext.KindBeginObject {
		return nil, sdk.Unparseable("the payload is not a JSON object")
	}
	if err := r.object(&s.root, false); err != nil {
		return nil, r.unparseable(err)
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, sdk.Unparseable("something follows the payload's JSON object")
	}
	return r.values, nil
}

type reader struct {
	dec    *jsontext.Decoder
	values []value
}

var errTwice = errors.New("a name comes twice in one object")

// unparseable says where a payload is broken, without quoting it as the
// decoder's own error does.
func (r *reader) unparseable(err error) error {
	if errors.Is(err, errTwice) {
		return sdk.Unparseable("%w, before byte %d", errTwice, r.dec.InputOffset())
	}
	return sdk.Unparseable("the payload is not valid JSON, after byte %d", r.dec.InputOffset())
}

// value reads the next value, which is at node n. Under an array (listed) the
// strings are collected.
func (r *reader) value(n *node, listed bool) error {
	switch kind := r.dec.PeekKind(); {
	case kind == jsontext.KindBeginArray && n.elements != notArray:
		return r.array(n)
	case n.elements != notArray:
		return r.skip() // should have been an array
	default:
		return r.element(n, kind, listed)
	}
}

func (r *reader) element(n *node, kind jsontext.Kind, listed bool) error {
	if kind == jsontext.KindBeginObject && len(n.children) > 0 {
		return r.object(n, listed)
	}
	if n.slot < 0 {
		return r.skip()
	}
	v := &r.values[n.slot]
	if kind != jsontext.KindString && kind != jsontext.KindNumber {
		if !listed {
			v.kind = kind
		}
		return r.skip()
	}
	token, err := r.dec.ReadToken()
	if err != nil {
		return err
	}
	text := token.String()
	switch {
	case !listed:
		v.kind, v.text = kind, text
	case kind == jsontext.KindString && text != "":
		v.list = append(v.list, text)
	}
	return nil
}

func (r *reader) object(n *node, listed bool) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	var seen uint64 // bit i: the child i was there
	for r.dec.PeekKind() != jsontext.KindEndObject {
		name, err := r.dec.ReadValue()
		if err != nil {
			return err
		}
		i := n.child(name)
		if i < 0 {
			err = r.skip()
		} else if bit := uint64(1) << i; seen&bit != 0 {
			err = errTwice
		} else {
			seen |= bit
			err = r.value(n.children[i], listed)
		}
		if err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *reader) array(n *node) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		kind := r.dec.PeekKind()
		if kind == jsontext.KindEndArray {
			break
		}
		var err error
		if i > 0 && n.elements == first {
			err = r.skip()
		} else {
			err = r.element(n, kind, n.elements == every)
		}
		if err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

// skip passes over a value. ReadValue is quicker at it than SkipValue, which
// looks at the tokens one by one.
func (r *reader) skip() error {
	_, err := r.dec.ReadValue()
	return err
}

// child returns the index of the child with a name as it stands in the
// payload, quoted, or -1.
func (n *node) child(quoted jsontext.Value) int {
	name := []byte(quoted[1 : len(quoted)-1])
	if bytes.IndexByte(name, '\\') >= 0 {
		unquoted, err := jsontext.AppendUnquote(nil, quoted)
		if err != nil {
			return -1
		}
		name = unquoted
	}
	for i, child := range n.children {
		if child.name == string(name) {
			return i
		}
	}
	return -1
}
