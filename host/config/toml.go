package config

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML reads a file into a table. It goes by go-toml's syntax tree rather
// than by its decoder, because every key's place is needed and as many problems
// as possible are to be found in one go. The decoder has the last word on what
// TOML is: what it refuses and the tree let through is refused, too.
func parseTOML(file string, data []byte) (*value, Problems) {
	// Some editors put a byte order mark in front, which TOML does not know.
	text := []byte(strings.TrimPrefix(string(data), "\ufeff"))
	b := &tomlBuilder{lines: newLines(file, text), root: newTable(Pos{File: file, Line: 1, Column: 1})}
	b.current = b.root

	b.parser.Reset(text)
	for b.parser.NextExpression() {
		b.expression(b.parser.Expression())
	}
	if len(b.problems.Of(Fault)) == 0 || b.parser.Error() != nil {
		var all map[string]any
		if err := toml.Unmarshal(text, &all); err != nil {
			b.problems.add(tomlError(b.lines, err))
		}
	}
	return b.root, b.problems
}

// tomlError tells in our words, and with our columns, where go-toml stumbled.
func tomlError(l *lines, err error) Problem {
	var d *toml.DecodeError
	if !errors.As(err, &d) {
		return Errorf(Pos{File: l.file, Line: 1, Column: 1}, "%s", strings.TrimPrefix(err.Error(), "toml: "))
	}
	row, column := d.Position()
	row = min(max(row, 1), len(l.start))
	message := strings.TrimPrefix(d.Error(), "toml: ")
	p := Errorf(l.at(l.start[row-1]+column-1), "not valid TOML: %s", message)
	switch {
	case strings.Contains(message, "at start of value"):
		p = p.WithFix(`a text needs quotes: key = "text"`)
	case strings.Contains(message, "expected '=' after key"):
		p = p.WithFix(`a line is key = value, and a section is [name]`)
	case strings.Contains(message, "to close array table"):
		p = p.WithFix("write [[name]] with two pairs of brackets")
	case strings.Contains(message, "expected newline"):
		p = p.WithFix(`one key = value per line, and quotes around the whole text`)
	}
	return p
}

type tomlBuilder struct {
	parser   unstable.Parser
	lines    *lines
	root     *value
	current  *value // of the last header; nil after one that made no sense
	problems Problems
}

func (b *tomlBuilder) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table:
		b.current = b.header(n, false)
	case unstable.ArrayTable:
		b.current = b.header(n, true)
	case unstable.KeyValue:
		if b.current != nil {
			b.keyValue(b.current, n, 0)
		}
	default: // comments
	}
}

// name is one part of a dotted key.
type name struct {
	text string
	pos  Pos
	end  int // offset behind it
}

func (b *tomlBuilder) names(n *unstable.Node) []name {
	var out []name
	for it := n.Key(); it.Next(); {
		raw := it.Node().Raw
		out = append(out, name{
			text: string(it.Node().Data),
			pos:  b.lines.at(int(raw.Offset)),
			end:  int(raw.Offset + raw.Length),
		})
	}
	return out
}

// header finds or makes the table that [a.b] or [[a.b]] begins.
func (b *tomlBuilder) header(n *unstable.Node, array bool) *value {
	names := b.names(n)
	if len(names) == 0 || !b.shallow(len(names), names[0].pos) {
		return nil
	}
	pos := b.lines.head(names[0].end)
	table := b.root
	for _, part := range names[:len(names)-1] {
		if table = b.descend(table, part, pos); table == nil {
			return nil
		}
	}

	last := names[len(names)-1]
	e := table.get(last.text)
	switch {
	case e == nil && array:
		fresh := newTable(pos)
		table.put(&entry{last.text, last.pos, &value{kind: listKind, pos: pos, items: []*value{fresh}, arrays: true}})
		return fresh
	case e == nil:
		fresh := newTable(pos)
		fresh.headed = true
		table.put(&entry{last.text, last.pos, fresh})
		return fresh
	case array && e.value.arrays:
		fresh := newTable(pos)
		e.value.items = append(e.value.items, fresh)
		return fresh
	case !array && e.value.kind == tableKind && !e.value.headed && !e.value.closed:
		e.value.headed, e.value.pos = true, pos
		return e.value
	default:
		b.twice(last, e)
		return nil
	}
}

// descend goes into a table on the way to another, and makes it if need be.
func (b *tomlBuilder) descend(table *value, part name, pos Pos) *value {
	e := table.get(part.text)
	switch {
	case e == nil:
		fresh := newTable(pos)
		table.put(&entry{part.text, part.pos, fresh})
		return fresh
	case e.value.arrays:
		return e.value.items[len(e.value.items)-1]
	case e.value.kind == tableKind && !e.value.closed:
		return e.value
	default:
		b.twice(part, e)
		return nil
	}
}

func (b *tomlBuilder) keyValue(table *value, n *unstable.Node, depth int) {
	names := b.names(n)
	if len(names) == 0 || !b.shallow(depth+len(names), names[0].pos) {
		return
	}
	for _, part := range names[:len(names)-1] {
		if table = b.descend(table, part, part.pos); table == nil {
			return
		}
	}
	last := names[len(names)-1]
	if e := table.get(last.text); e != nil {
		b.twice(last, e)
		return
	}
	// A list and an inline table do not know where they begin.
	start := last.end
	for start < len(b.lines.text) && strings.IndexByte(" \t=", b.lines.text[start]) >= 0 {
		start++
	}
	table.put(&entry{last.text, last.pos, b.value(n.Value(), b.lines.at(start), depth+len(names))})
}

func (b *tomlBuilder) twice(n name, first *entry) {
	b.problems.add(Errorf(n.pos, "%q is already set in line %d", n.text, first.pos.Line).
		WithFix("remove one of the two, or join them"))
}

func (b *tomlBuilder) shallow(depth int, pos Pos) bool {
	if depth <= maxDepth {
		return true
	}
	b.problems.add(Errorf(pos, "nested more than %d levels deep", maxDepth))
	return false
}

func (b *tomlBuilder) value(n *unstable.Node, pos Pos, depth int) *value {
	if n.Raw.Length > 0 && n.Kind != unstable.InlineTable && n.Kind != unstable.Array {
		pos = b.lines.at(int(n.Raw.Offset))
	}
	v := &value{pos: pos, closed: true}
	raw := string(n.Data)
	switch n.Kind {
	case unstable.String:
		v.kind, v.text = textKind, raw
	case unstable.Bool:
		v.kind, v.boolean = booleanKind, raw == "true"
	case unstable.Integer:
		// Base 0 knows TOML's 0x, 0o, 0b and "_". What does not fit is refused
		// by the decoder, with its place.
		v.kind = integerKind
		v.integer, _ = strconv.ParseInt(raw, 0, 64)
	case unstable.Float:
		v.kind = floatKind
		v.float, _ = strconv.ParseFloat(strings.ReplaceAll(raw, "_", ""), 64)
	case unstable.Array:
		v.kind = listKind
		if b.shallow(depth+1, pos) {
			for it := n.Children(); it.Next(); {
				v.items = append(v.items, b.value(it.Node(), pos, depth+1))
			}
		}
	case unstable.InlineTable:
		v.kind = tableKind
		if b.shallow(depth+1, pos) {
			for it := n.Children(); it.Next(); {
				b.keyValue(v, it.Node(), depth+1)
			}
		}
	default:
		v.kind, v.text = dateKind, raw
	}
	return v
}
