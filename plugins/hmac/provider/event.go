package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

const (
	// anyEvent is the name of an event that says nothing of its kind.
	anyEvent = "webhook"
	// maxPayload is up to which size agents see a whole body.
	maxPayload = 64 << 10
)

// Parse reads the one event of a body, by the paths in the settings.
func (p *Provider) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	s := req.Settings
	f := newFind()
	for _, name := range []string{setEvent, setDeliveryID} {
		if s.Has(name) {
			f.add(s.Text(name))
		}
	}
	for _, table := range []string{setFields, setAttributes, setExtra} {
		for _, path := range s.Table(table) {
			f.add(path)
		}
	}
	body := req.Body
	if isForm(req.Header) {
		var err error
		if body, err = formJSON(body); err != nil {
			return nil, err
		}
	}
	if err := f.read(body); err != nil {
		return nil, err
	}
	f.headers(req.Header)
	e := event(f, s)
	if s.Text(setScheme) == schemeStandard && e.DeliveryID == "" {
		prefix, _ := standardPrefix(s)
		e.DeliveryID = req.Header.Get(prefix + standardID)
	}
	if e.Extra == nil {
		e.Extra = payload(body)
	}
	return []sdk.Event{e}, nil
}

// read goes through a body, which has to be one JSON value and nothing else, in
// valid UTF-8, without a name that comes twice in an object, and nested at most
// 10,000 deep (jsontext's own limit).
func (f *find) read(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	err := walk(dec, []*node{&f.root})
	if err == nil {
		if _, err = dec.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		}
	}
	// The decoder's own text quotes the body.
	var syntax *jsontext.SyntacticError
	switch {
	case !errors.As(err, &syntax):
		return sdk.Unparseable("the body is not one JSON value")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return sdk.Unparseable("a name comes twice in one object, before byte %d", syntax.ByteOffset)
	default:
		return sdk.Unparseable("the body is not valid JSON, after byte %d", syntax.ByteOffset)
	}
}

// event is what the paths have found.
func event(f *find, s sdk.Settings) sdk.Event {
	e := sdk.Event{Name: anyEvent, Attributes: map[string][]string{}}
	if name := f.one(s.Text(setEvent)); name != "" {
		e.Name = name
	}
	e.DeliveryID = f.one(s.Text(setDeliveryID))
	fields := s.Table(setFields)
	for name, set := range fieldsOf(&e) {
		if path, ok := fields[name]; ok {
			set(f.all(path))
		}
	}
	for name, path := range s.Table(setAttributes) {
		if values := f.all(path); len(values) > 0 {
			e.Attributes[name] = values
		}
	}
	e.Attributes["event"] = []string{e.Name}
	if e.Action != "" {
		e.Attributes["action"] = []string{e.Action}
	}
	for name, path := range s.Table(setExtra) {
		if e.Extra == nil {
			e.Extra = map[string]any{}
		}
		switch values := f.all(path); len(values) {
		case 0:
		case 1:
			e.Extra[name] = sdk.Truncate(values[0])
		default:
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = sdk.Truncate(v)
			}
			e.Extra[name] = list
		}
	}
	return e
}

// fieldsOf are the fields of an event that a path may lead to, by the names
// that agents see.
func fieldsOf(e *sdk.Event) map[string]func(found []string) {
	text := func(field *string) func([]string) {
		return func(found []string) {
			if len(found) > 0 {
				*field = found[0]
			}
		}
	}
	return map[string]func([]string){
		"action": text(&e.Action), "repo": text(&e.Repo), "title": text(&e.Title), "body": text(&e.Body), "url": text(&e.URL),
		"author": text(&e.Author), "assignee": text(&e.Assignee), "branch": text(&e.Branch), "conclusion": text(&e.Conclusion),
		"comment": text(&e.Comment), "sender": text(&e.Sender),
		"labels": func(found []string) { e.Labels = found },
		"number": func(found []string) {
			if len(found) > 0 {
				e.Number, _ = strconv.ParseInt(found[0], 10, 64)
			}
		},
		"timestamp": func(found []string) {
			if len(found) > 0 {
				e.Timestamp = timeOf(found[0])
			}
		},
	}
}

// fieldNames lists them.
func fieldNames() []string { return slices.Sorted(maps.Keys(fieldsOf(new(sdk.Event)))) }

// timeOf reads a time as senders write it: RFC 3339, or since 1970 in seconds
// or milliseconds.
func timeOf(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return sdk.ParseTime(text)
	case n > 1e11: // in seconds that would be the year 5138
		return sdk.UnixTime(n/1000, n%1000*int64(time.Millisecond))
	default:
		return sdk.UnixTime(n, 0)
	}
}

// payload is a whole body for agents, if it is not too large for that.
func payload(body []byte) map[string]any {
	if len(body) > maxPayload {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil || value == nil {
		return nil // it was read before, so there is nothing in it
	}
	return map[string]any{"payload": value}
}

func isForm(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// formJSON makes of a form what paths are for: an object with the first value of
// each name. One field named payload that is JSON is the whole of it.
func formJSON(body []byte) ([]byte, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, sdk.Unparseable("the body is not a form")
	}
	if inner := values.Get("payload"); len(values) == 1 && inner != "" {
		return []byte(inner), nil
	}
	flat := make(map[string]string, len(values))
	for name, all := range values {
		flat[name] = all[0]
	}
	out, err := json.Marshal(flat)
	if err != nil {
		return nil, sdk.Unparseable("the body is not a form of texts")
	}
	return out, nil
}
