package deliveries

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode/utf8"
)

// Body is the body of a delivery in the form that a person reads best, without
// what is sensitive in it.
type Body struct {
	// Format is json (indented), form (a field a line), text, binary (not
	// shown), withheld (not shown, since nobody can say what in it is
	// sensitive) or empty.
	Format string `json:"format"`
	Text   string `json:"text,omitempty"`
	// Truncated: the rest of a large body is left out.
	Truncated bool `json:"truncated,omitempty"`
}

// The formats of a body.
const (
	jsonFormat   = "json"
	formFormat   = "form"
	textFormat   = "text"
	binaryFormat = "binary"
	withheld     = "withheld"
	emptyFormat  = "empty"
)

// maxShown bounds what is shown of a body. Whoever reads more than that reads
// the raw one.
const maxShown = 1 << 20

func (h hider) body(contentType string, raw []byte) Body {
	if len(raw) == 0 {
		return Body{Format: emptyFormat}
	}
	var out clipped
	if h.json(&out, raw) == nil {
		return out.body(jsonFormat)
	}
	if media, _, err := mime.ParseMediaType(contentType); err == nil && media == "application/x-www-form-urlencoded" {
		out = clipped{}
		h.form(&out, string(raw))
		return out.body(formFormat)
	}
	if !utf8.Valid(raw) {
		return Body{Format: binaryFormat}
	}
	out = clipped{}
	// A secret that the end cuts in two would no longer be one.
	_, _ = out.WriteString(h.text("", string(raw)))
	return out.body(textFormat)
}

// form writes one field a line, and below it what is JSON in it.
func (h hider) form(out *clipped, raw string) {
	for part := range strings.SplitSeq(raw, "&") {
		if out.cut {
			return
		}
		name, value, _ := strings.Cut(part, "=")
		name, value = unescaped(name), unescaped(value)
		_, _ = fmt.Fprintf(out, "%s = ", h.text("", name))
		before := *out
		if strings.HasPrefix(strings.TrimSpace(value), "{") && !isSecretName(name) && h.json(out, []byte(value)) == nil {
			_, _ = out.WriteString("\n")
			continue
		}
		*out = before
		_, _ = out.WriteString(h.text(name, value) + "\n")
	}
}

// clipped is a text that stops growing at maxShown.
type clipped struct {
	text []byte
	cut  bool
}

func (c *clipped) Write(p []byte) (int, error) {
	if room := maxShown - len(c.text); len(p) > room {
		c.text = append(c.text, p[:max(room, 0)]...)
		c.cut = true
		return len(p), nil
	}
	c.text = append(c.text, p...)
	return len(p), nil
}

func (c *clipped) WriteString(s string) (int, error) { return c.Write([]byte(s)) }

func (c *clipped) body(format string) Body {
	return Body{Format: format, Text: strings.ToValidUTF8(string(c.text), "?"), Truncated: c.cut}
}

var errNotOne = errors.New("more than one value")

// json writes a JSON text indented, its members in their order. It goes through
// the text once, since a body may be as large as a gateway takes, and stops
// where enough is shown. An error means that the text is no JSON.
func (h hider) json(out *clipped, raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	p := jsonPrinter{hide: h, out: out}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) && p.done {
			return nil
		}
		if err != nil {
			return err
		}
		if p.done {
			return errNotOne
		}
		p.print(token)
		if out.cut {
			return nil // the rest may be anything
		}
	}
}

// jsonPrinter writes tokens.
type jsonPrinter struct {
	hide hider
	out  *clipped
	open []bracket
	done bool
}

// bracket is an object or a list that is not complete.
type bracket struct {
	object bool
	count  int
	key    string // of the value that comes next
	inKey  bool   // the next token is a key
	secret bool   // whatever is in it is hidden
}

func (p *jsonPrinter) print(token json.Token) {
	if d, ok := token.(json.Delim); ok && (d == '}' || d == ']') {
		p.close(byte(d))
		return
	}
	key, secret := "", false
	if n := len(p.open); n > 0 {
		top := &p.open[n-1]
		if top.object && top.inKey {
			p.key(top, token)
			return
		}
		key, secret = top.key, top.secret
		if !top.object {
			p.separate(top)
		}
	}
	switch v := token.(type) {
	case json.Delim:
		_, _ = p.out.Write([]byte{byte(v)})
		p.open = append(p.open, bracket{object: v == '{', inKey: v == '{', key: key, secret: secret || isSecretName(key)})
		return
	case string:
		if secret {
			v = p.hide.text("secret", v)
		}
		p.string(p.hide.text(key, v))
	case json.Number:
		if hidden := p.hide.text(key, v.String()); secret || hidden != v.String() {
			p.string(p.hide.text("secret", v.String()))
		} else {
			_, _ = p.out.WriteString(v.String())
		}
	case bool:
		_, _ = fmt.Fprint(p.out, v)
	default:
		_, _ = p.out.WriteString("null")
	}
	p.after()
}

func (p *jsonPrinter) key(top *bracket, token json.Token) {
	name, _ := token.(string) // the decoder has checked it
	p.separate(top)
	top.key, top.inKey = name, false
	p.string(p.hide.text("", name))
	_, _ = p.out.WriteString(": ")
}

// separate begins the next member of an object or list.
func (p *jsonPrinter) separate(top *bracket) {
	if top.count > 0 {
		_, _ = p.out.WriteString(",")
	}
	top.count++
	p.line(len(p.open))
}

func (p *jsonPrinter) line(depth int) {
	_, _ = p.out.WriteString("\n")
	for range depth {
		if p.out.cut {
			return
		}
		_, _ = p.out.WriteString("  ")
	}
}

func (p *jsonPrinter) close(b byte) {
	top := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	if top.count > 0 {
		p.line(len(p.open))
	}
	_, _ = p.out.Write([]byte{b})
	p.after()
}

// after a value: what encloses it goes on, or all is said.
func (p *jsonPrinter) after() {
	if len(p.open) == 0 {
		p.done = true
		return
	}
	top := &p.open[len(p.open)-1]
	top.inKey = top.object
}

func (p *jsonPrinter) string(s string) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	_, _ = p.out.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
