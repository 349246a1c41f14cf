package providerdocs

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// row returns a line of a table. Its cells are Markdown that went through text,
// code or cell.
func row(cells ...string) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteString("| ")
		if c != "" {
			b.WriteString(c + " ")
		}
	}
	return b.String() + "|"
}

var (
	// A "<" could begin a tag, and would then be gone: "<your host>".
	plain = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "](", `]\(`, "<", "&lt;", "&", "&amp;", "|", `\|`)
	// Within a word "_" is no markup, and names read better without a backslash.
	underscores = regexp.MustCompile(`(?:^|[^\pL\pN_])_+|_+(?:[^\pL\pN_]|$)`)
	// Also within code a "|" ends the cell.
	pipes = strings.NewReplacer("|", `\|`)
)

// text makes plain text show as it is in a cell of a table: one line, and
// nothing in it is markup.
func text(s string) string {
	s = plain.Replace(oneLine(s))
	return underscores.ReplaceAllStringFunc(s, func(run string) string {
		return strings.ReplaceAll(run, "_", `\_`)
	})
}

// cell keeps Markdown inside its cell.
func cell(s string) string { return pipes.Replace(oneLine(s)) }

// code shows a value in a cell as code, also one with backquotes in it.
func code(s string) string {
	s = oneLine(s)
	if s == "" {
		return ""
	}
	fence := fenceFor(s, 1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + pipes.Replace(s) + fence
}

func codes(values []string) string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = code(v)
	}
	return strings.Join(all, ", ")
}

// block is a fenced block of code that its content can not close.
func block(language, content string) string {
	fence := fenceFor(content, 3)
	return fence + language + "\n" + content + "\n" + fence + "\n\n"
}

// fenceFor returns backquotes that content does not hold, least at a time.
func fenceFor(content string, least int) string {
	fence := strings.Repeat("`", least)
	for strings.Contains(content, fence) {
		fence += "`"
	}
	return fence
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// quote writes a basic string of TOML. JSON's escapes are a part of TOML's.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil { // a string can always be encoded
		return `""`
	}
	return strings.ReplaceAll(strings.TrimSpace(b.String()), "\x7f", `\u007f`)
}
