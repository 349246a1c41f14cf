package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/action-llama/gateway/host/spelling"
)

// parseSkill splits a SKILL.md into its front matter, if it has one, and its
// body, which is exactly the bytes behind the closing "---" line.
func parseSkill(file string, data []byte) (front *value, body string, problems Problems) {
	text := bytes.TrimPrefix(data, []byte("\ufeff"))
	top := Pos{File: file, Line: 1, Column: 1}
	yamlText, rest, found, closed := splitFrontMatter(text)
	if found && !closed {
		problems.add(Warnf(top, `"---" opens a front matter that no other "---" closes; all of the file is taken for instructions`).
			WithFix(`add a line with "---", or remove the first one`))
	}
	if found && closed {
		var notMapping bool
		start := bytes.IndexByte(text, '\n') + 1
		front, notMapping, problems = parseFrontMatter(newLines(file, text), start, yamlText)
		if notMapping {
			// Two rules with text between them are Markdown, not YAML.
			front, rest = nil, text
			problems = Problems{Warnf(top, `what is between the "---" lines is not a list of keys; all of the file is taken for instructions`).
				WithFix("write key: value lines there, or remove the first \"---\"")}
		}
	}
	if len(bytes.TrimSpace(rest)) == 0 {
		problems.add(Warnf(top, "there are no instructions in it: the agent is not told what to do"))
	}
	return front, string(rest), problems
}

// splitFrontMatter finds "---" in the first line and the next one like it.
func splitFrontMatter(text []byte) (front, body []byte, found, closed bool) {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if !isRule(first) {
		return nil, text, false, false
	}
	for at := 0; at < len(rest); {
		line, _, more := bytes.Cut(rest[at:], []byte("\n"))
		end := at + len(line)
		if more {
			end++
		}
		if isRule(line) {
			return rest[:at], rest[end:], true, true
		}
		at = end
	}
	return nil, text, true, false
}

func isRule(line []byte) bool { return string(bytes.TrimRight(line, " \t\r")) == "---" }

// parseFrontMatter reads YAML that begins at an offset of a file.
func parseFrontMatter(l *lines, start int, text []byte) (front *value, notMapping bool, problems Problems) {
	b := &yamlBuilder{lines: l, starts: yamlLines(text, start)}
	var doc yaml.Node
	if err := unmarshalYAML(text, &doc); err != nil {
		return nil, false, Problems{b.syntax(err)}
	}
	if len(doc.Content) == 0 { // nothing but comments
		return nil, false, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, root.Tag != "!!null", nil
	}
	front = b.value(root, 0)
	return front, false, b.problems
}

// unmarshalYAML keeps a bug in the YAML library from ending the program: it
// parses by panics inside, and not all of them were always caught.
func unmarshalYAML(text []byte, doc *yaml.Node) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = fmt.Errorf("yaml: %v", thrown)
		}
	}()
	return yaml.Unmarshal(text, doc)
}

type yamlBuilder struct {
	lines    *lines
	starts   []int // offsets of what YAML takes for lines
	problems Problems
}

// yamlLines finds YAML's lines, which also end where no editor ends one.
func yamlLines(text []byte, start int) []int {
	starts := []int{start}
	for i := 0; i < len(text); {
		r, width := utf8.DecodeRune(text[i:])
		i += width
		switch {
		case r == '\r' && i < len(text) && text[i] == '\n':
		case r == '\n', r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
			starts = append(starts, start+i)
		}
	}
	return starts
}

// at translates a line and a column of YAML.
func (b *yamlBuilder) at(line, column int) Pos {
	offset := b.starts[min(max(line, 1), len(b.starts))-1]
	text := b.lines.text
	for range column - 1 {
		if offset >= len(text) || text[offset] == '\n' {
			break
		}
		_, width := utf8.DecodeRune(text[offset:])
		offset += width
	}
	return b.lines.at(offset)
}

func (b *yamlBuilder) pos(n *yaml.Node) Pos { return b.at(n.Line, n.Column) }

var yamlLine = regexp.MustCompile(`^line (\d+): `)

func (b *yamlBuilder) syntax(err error) Problem {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	p := Errorf(b.at(line, 1), "front matter is not valid YAML: %s", message)
	if strings.Contains(message, "mapping values are not allowed") {
		p = p.WithFix(`a text with ": " in it needs quotes`)
	}
	return p
}

func (b *yamlBuilder) value(n *yaml.Node, depth int) *value {
	v := &value{kind: nullKind, pos: b.pos(n)}
	if depth > maxDepth {
		b.problems.add(Errorf(v.pos, "nested more than %d levels deep", maxDepth))
		return v
	}
	switch n.Kind {
	case yaml.MappingNode:
		v.kind = tableKind
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
				b.problems.add(Errorf(b.pos(key), "front matter: keys must be plain words"))
				continue
			}
			if first := v.get(key.Value); first != nil {
				b.problems.add(Errorf(b.pos(key), "%q is already set in line %d", key.Value, first.pos.Line).
					WithFix("remove one of the two, or join them"))
				continue
			}
			v.put(&entry{key.Value, b.pos(key), b.value(n.Content[i+1], depth+1)})
		}
	case yaml.SequenceNode:
		v.kind = listKind
		for _, item := range n.Content {
			v.items = append(v.items, b.value(item, depth+1))
		}
	case yaml.ScalarNode:
		b.scalar(v, n)
	default:
		// An alias can stand for itself many times over.
		b.problems.add(Errorf(v.pos, "front matter: anchors and aliases are not understood").WithFix("write the value out"))
	}
	return v
}

func (b *yamlBuilder) scalar(v *value, n *yaml.Node) {
	var err error
	switch n.Tag {
	case "!!null":
		return
	case "!!bool":
		v.kind = booleanKind
		err = n.Decode(&v.boolean)
	case "!!int":
		v.kind = integerKind
		err = n.Decode(&v.integer)
	case "!!float":
		v.kind = floatKind
		err = n.Decode(&v.float)
	case "!!timestamp":
		v.kind, v.text = dateKind, n.Value
	default:
		v.kind, v.text = textKind, n.Value
	}
	if err != nil {
		b.problems.add(Errorf(v.pos, "front matter: %q is not a %s that can be used", shorten(n.Value), v.kind))
	}
}

// merge puts into an agent's table what only the front matter of its SKILL.md
// has. The agent's config.toml goes before it: key by key, and for what starts
// the agent as a whole, so that an old schedule left in the front matter does
// not start an agent whose config.toml has other triggers.
func (l *loader) merge(root, front *value, hasTOML bool) {
	if front == nil {
		return
	}
	hasTriggers := root.get("schedule") != nil || root.get("webhooks") != nil
	known := keysOf(anyAgent, "")
	// Action Llama had these keys at the top, and for a time below "metadata".
	tables := []*value{front}
	if e := front.get("metadata"); e != nil && e.value.kind == tableKind {
		tables = append(tables, e.value)
	}
	for _, table := range tables {
		for _, e := range table.entries {
			_, isForeign := foreignAgentKeys()[e.key]
			switch {
			case e.value.kind == nullKind || root.get(e.key) != nil:
			case contains(known, e.key) && (e.key == "schedule" || e.key == "webhooks") && hasTOML && hasTriggers:
				l.problems.add(Warnf(e.pos, "%s has no effect here, since config.toml says what starts the agent", e.key).
					WithFix("move it to config.toml, or remove it"))
			case contains(known, e.key):
				root.put(e)
			case e.key == "name" || e.key == "license" || e.key == "compatibility":
				// What every skill has, wherever it runs.
			case isForeign:
				l.foreign = append(l.foreign, foreign{e.pos, e.key})
			default:
				// The format belongs to others, so an unknown key is no fault.
				if s := spelling.Nearest(e.key, known); s != "" {
					l.problems.add(Warnf(e.pos, "front matter: %q has no effect", e.key).WithFix("did you mean %q?", s))
				}
			}
		}
	}
}
