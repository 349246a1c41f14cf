package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// selection says which values of a payload are wanted. Payloads that carry an
// event are long (stack traces, breadcrumbs, requests) and little of them is
// wanted: the rest is checked to be JSON and skipped, in the same single pass.
type selection struct {
	root  node
	slots int
}

// node is a name in a payload that wanted values are at or under.
type node struct {
	slot     int // where the value goes, plus one; 0 for none
	children map[string]*node
}

// add wants the value at a path, names joined by dots: "data.issue.title". It
// returns the slot that the value will be in.
func (s *selection) add(path string) int {
	at := &s.root
	for name := range strings.SplitSeq(path, ".") {
		child := at.children[name]
		if child == nil {
			child = &node{}
			if at.children == nil {
				at.children = map[string]*node{}
			}
			at.children[name] = child
		}
		at = child
	}
	if at.slot == 0 {
		s.slots++
		at.slot = s.slots
	}
	return at.slot - 1
}

// read returns the wanted values of a body by slot, nil for what is not there:
// string, json.Number, bool, []any and map[string]any. An object that is wanted
// for itself and for what is in it is true.
//
// The body has to be one JSON object and nothing else, in valid UTF-8, nested at
// most 10,000 deep (jsontext's own limit), and without a name that comes twice
// in one object: nobody could say which one other readers went by.
func (s *selection) read(body []byte) ([]any, error) {
	r := reader{
		dec:    jsontext.NewDecoder(bytes.NewBuffer(body)), // reads a bytes.Buffer in place, without a copy
		values: make([]any, s.slots),
	}
	if r.dec.PeekKind() != jsontext.KindBeginObject {
		return nil, sdk.Unparseable("the payload is not a JSON object")
	}
	if err := r.object(&s.root); err != nil {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return nil, sdk.Unparseable("a name comes twice in one object, at byte %d", r.dec.InputOffset())
		}
		// The decoder's own error quotes the payload.
		return nil, sdk.Unparseable("the payload is not valid JSON, after byte %d", r.dec.InputOffset())
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, sdk.Unparseable("something follows the payload's JSON object")
	}
	return r.values, nil
}

type reader struct {
	dec    *jsontext.Decoder
	values []any
}

func (r *reader) object(n *node) error {
	return r.members(func(name string) error {
		child := n.children[name]
		switch {
		case child == nil:
			return r.skip()
		case len(child.children) == 0:
			v, err := r.value()
			r.values[child.slot-1] = v
			return err
		case r.dec.PeekKind() != jsontext.KindBeginObject:
			return r.skip() // should have been an object
		}
		if child.slot > 0 {
			r.values[child.slot-1] = true
		}
		return r.object(child)
	})
}

// members calls f before each value of the next object.
func (r *reader) members(f func(name string) error) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != jsontext.KindEndObject {
		name, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := f(name.String()); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

// value reads the next value whole. Numbers keep their digits.
func (r *reader) value() (any, error) {
	switch r.dec.PeekKind() {
	case jsontext.KindBeginObject:
		m := map[string]any{}
		err := r.members(func(name string) (err error) {
			m[name], err = r.value()
			return err
		})
		return m, err
	case jsontext.KindBeginArray:
		list := []any{}
		if _, err := r.dec.ReadToken(); err != nil {
			return nil, err
		}
		for r.dec.PeekKind() != jsontext.KindEndArray {
			v, err := r.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := r.dec.ReadToken()
		return list, err
	default:
		token, err := r.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		switch token.Kind() {
		case jsontext.KindString:
			return token.String(), nil
		case jsontext.KindNumber:
			return json.Number(token.String()), nil
		case jsontext.KindTrue, jsontext.KindFalse:
			return token.Bool(), nil
		default:
			return nil, nil
		}
	}
}

// skip passes over a value. ReadValue is quicker at it than SkipValue, which
// looks at the tokens one by one.
func (r *reader) skip() error {
	_, err := r.dec.ReadValue()
	return err
}
