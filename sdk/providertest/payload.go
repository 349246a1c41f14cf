package providertest

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// payload is the JSON in a body, which is all of it or one field of a form.
type payload struct {
	json []byte // nil if there is none
	wrap func(json []byte) []byte
	form bool
}

func payloadOf(req sdk.Request) payload {
	p := payload{wrap: func(b []byte) []byte { return b }}
	body := req.Body
	if json.Valid(body) {
		p.json = body
		return p
	}
	mediaType, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded") {
		return p
	}
	at := 0
	for field := range bytes.SplitSeq(body, []byte("&")) {
		name, value, _ := bytes.Cut(field, []byte("="))
		begin, end := at+len(name)+1, at+len(field)
		at += len(field) + 1
		text, err := url.QueryUnescape(string(value))
		if err != nil || !strings.HasPrefix(text, "{") || !json.Valid([]byte(text)) {
			continue
		}
		return payload{json: []byte(text), form: true, wrap: func(b []byte) []byte {
			return []byte(string(body[:begin]) + url.QueryEscape(string(b)) + string(body[end:]))
		}}
	}
	return p
}

// span is a value in a JSON text, and where the member of an object begins
// whose value it is.
type span struct{ member, begin, end int }

// spans returns every value of a valid JSON text, the whole one last.
func spans(text []byte) []span {
	w := &walker{text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	w.dec.UseNumber()
	if !w.value(-1) {
		return nil
	}
	return w.spans
}

type walker struct {
	text  []byte
	dec   *json.Decoder
	spans []span
}

// next is where the next token begins.
func (w *walker) next() int {
	at := int(w.dec.InputOffset())
	return at + len(w.text[at:]) - len(bytes.TrimLeft(w.text[at:], " \t\r\n,:"))
}

func (w *walker) value(member int) bool {
	begin := w.next()
	token, err := w.dec.Token()
	if err != nil {
		return false
	}
	if delim, ok := token.(json.Delim); ok {
		for w.dec.More() {
			name := -1
			if delim == '{' {
				name = w.next()
				if _, err := w.dec.Token(); err != nil {
					return false
				}
			}
			if !w.value(name) {
				return false
			}
		}
		if _, err := w.dec.Token(); err != nil {
			return false
		}
	}
	w.spans = append(w.spans, span{member: member, begin: begin, end: int(w.dec.InputOffset())})
	return true
}

// replaced returns the text with one value in place of another.
func (s span) replaced(text []byte, value string) []byte {
	out := make([]byte, 0, len(text)+len(value))
	out = append(out, text[:s.begin]...)
	out = append(out, value...)
	return append(out, text[s.end:]...)
}

// reencoded returns other texts of the same JSON value, if the body is JSON.
func reencoded(body []byte) [][]byte {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var value any
	if !json.Valid(body) || dec.Decode(&value) != nil {
		return nil
	}
	var compact, indented bytes.Buffer
	_ = json.Compact(&compact, body) // it is valid
	_ = json.Indent(&indented, body, "", "\t")
	sorted, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	var others [][]byte
	for _, b := range [][]byte{compact.Bytes(), indented.Bytes(), sorted, append([]byte(" "), body...)} {
		if !bytes.Equal(b, body) {
			others = append(others, b)
		}
	}
	return others
}
