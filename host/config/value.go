package config

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

// kind of a value in a file.
type kind int

const (
	textKind kind = iota
	integerKind
	floatKind
	booleanKind
	dateKind
	listKind
	tableKind
	nullKind // YAML only
)

func (k kind) String() string {
	switch k {
	case textKind:
		return "string"
	case integerKind:
		return "integer"
	case floatKind:
		return "float"
	case booleanKind:
		return "boolean"
	case dateKind:
		return "date"
	case listKind:
		return "list"
	case tableKind:
		return "table"
	case nullKind:
		return "nothing"
	default:
		return "value"
	}
}

// value is what a TOML or YAML file holds, with the place of every part and
// with keys exactly as they were written. Both formats become this, so that one
// set of readers serves both.
type value struct {
	kind    kind
	pos     Pos
	text    string // of a textKind; of a dateKind as it was written
	integer int64
	float   float64
	boolean bool
	items   []*value       // of a listKind
	entries []*entry       // of a tableKind, in the order of the file
	index   map[string]int // of a tableKind: where in entries a key is

	// How a table or list came about, which decides whether a later line may
	// add to it.
	closed bool // written inline: { … } or [ … ]
	headed bool // has its own [header]
	arrays bool // a list made of [[headers]]
}

// entry is one key of a table.
type entry struct {
	key   string
	pos   Pos
	value *value
}

// maxDepth bounds how deep values may be nested, far beyond any use, so that
// no reader has to fear for its stack.
const maxDepth = 100

func newTable(pos Pos) *value { return &value{kind: tableKind, pos: pos} }

func (v *value) get(key string) *entry {
	if v == nil {
		return nil
	}
	if i, ok := v.index[key]; ok {
		return v.entries[i]
	}
	return nil
}

func (v *value) put(e *entry) {
	if v.index == nil {
		v.index = map[string]int{}
	}
	v.index[e.key] = len(v.entries)
	v.entries = append(v.entries, e)
}

// plain returns the value as encoding/json takes it. Dates become text, which
// is how JSON has them.
func (v *value) plain() any {
	switch v.kind {
	case textKind, dateKind:
		return v.text
	case integerKind:
		return v.integer
	case floatKind:
		return v.float
	case booleanKind:
		return v.boolean
	case listKind:
		out := make([]any, len(v.items))
		for i, item := range v.items {
			out[i] = item.plain()
		}
		return out
	case tableKind:
		out := make(map[string]any, len(v.entries))
		for _, e := range v.entries {
			out[e.key] = e.value.plain()
		}
		return out
	case nullKind:
		return nil
	default:
		return nil
	}
}

// lines finds positions in a text.
type lines struct {
	file  string
	text  []byte
	start []int // offset of each line

	// The position found last. Places are asked for mostly in the order of the
	// text, and counting again from the start of a long line would be slow.
	lastOffset int
	last       Pos
}

func newLines(file string, text []byte) *lines {
	l := &lines{file: file, text: text, start: []int{0}}
	for i, c := range text {
		if c == '\n' {
			l.start = append(l.start, i+1)
		}
	}
	return l
}

// at returns the position of an offset. Columns are characters, as editors
// count them, and not bytes.
func (l *lines) at(offset int) Pos {
	offset = min(max(offset, 0), len(l.text))
	n := sort.SearchInts(l.start, offset+1)
	from, column := l.start[n-1], 1
	if l.last.Line == n && l.lastOffset <= offset {
		from, column = l.lastOffset, l.last.Column
	}
	l.lastOffset = offset
	l.last = Pos{File: l.file, Line: n, Column: column + utf8.RuneCount(l.text[from:offset])}
	return l.last
}

// head returns the position of the first character that is not a blank in the
// line of an offset: the bracket of a table's header.
func (l *lines) head(offset int) Pos {
	n := sort.SearchInts(l.start, offset+1)
	line := l.text[l.start[n-1]:offset]
	return l.at(offset - len(bytes.TrimLeft(line, " \t")))
}
