package provider

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A path says where something is: "header:X-Event", or the names on the way to
// a value in the body, "data.items.0.name". "*" stands for every element of a
// list, or every member of an object.

// maxValues bounds how many values one path finds.
const maxValues = 100

// headerOf is the header that a path names, or nothing for one into the body.
func headerOf(path string) string {
	name, ok := strings.CutPrefix(path, "header:")
	if !ok {
		return ""
	}
	return http.CanonicalHeaderKey(name)
}

// node is a place in a body to which paths lead.
type node struct {
	children map[string]*node
	found    *[]string // of the path that ends here
}

// find is what paths are looked up in: all of them in one walk through the body.
type find struct {
	root   node
	values map[string]*[]string // by path
}

func newFind() *find { return &find{values: map[string]*[]string{}} }

// add says that a path is looked for.
func (f *find) add(path string) {
	if f.values[path] != nil {
		return
	}
	found := new([]string)
	f.values[path] = found
	if headerOf(path) != "" {
		return
	}
	at := &f.root
	for name := range strings.SplitSeq(path, ".") {
		next := at.children[name]
		if next == nil {
			next = new(node)
			if at.children == nil {
				at.children = map[string]*node{}
			}
			at.children[name] = next
		}
		at = next
	}
	at.found = found
}

// all returns what a path has found.
func (f *find) all(path string) []string {
	if found := f.values[path]; found != nil {
		return *found
	}
	return nil
}

// one returns the first of what a path has found.
func (f *find) one(path string) string {
	if all := f.all(path); len(all) > 0 {
		return all[0]
	}
	return ""
}

// headers looks up the paths that are headers.
func (f *find) headers(h http.Header) {
	for path, found := range f.values {
		if name := headerOf(path); name != "" {
			for _, value := range h.Values(name) {
				keep(found, value)
			}
		}
	}
}

func keep(found *[]string, value string) {
	if value != "" && len(*found) < maxValues {
		*found = append(*found, value)
	}
}

// walk reads a value, to which the nodes lead. It goes no deeper than paths do.
func walk(dec *jsontext.Decoder, nodes []*node) error {
	switch dec.PeekKind() {
	case jsontext.KindBeginObject:
		return members(dec, nodes)
	case jsontext.KindBeginArray:
		return elements(dec, nodes)
	case jsontext.KindNull:
		return dec.SkipValue()
	default:
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		text := token.String()
		for _, n := range nodes {
			if n.found != nil {
				keep(n.found, text)
			}
		}
		return nil
	}
}

func members(dec *jsontext.Decoder, nodes []*node) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := step(dec, nodes, name.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

func elements(dec *jsontext.Decoder, nodes []*node) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; dec.PeekKind() != jsontext.KindEndArray; i++ {
		if err := step(dec, nodes, strconv.Itoa(i)); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// step reads a member or an element.
func step(dec *jsontext.Decoder, nodes []*node, name string) error {
	var next []*node
	for _, n := range nodes {
		if child := n.children[name]; child != nil {
			next = append(next, child)
		}
		if child := n.children["*"]; child != nil && name != "*" {
			next = append(next, child)
		}
	}
	if len(next) == 0 {
		return dec.SkipValue()
	}
	return walk(dec, next)
}
