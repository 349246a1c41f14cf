package provider

import (
	"encoding/json"
	"errors"
	"strconv"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// decode reads a body into a struct of the types below. The body has to be one
// JSON object and nothing else, in valid UTF-8, with no name twice in an object
// and nested at most 10,000 deep (the decoder's own limit). A value that is
// null or of another type than documented is treated as missing: it must not
// cost the whole event.
func decode(body []byte, into any) error {
	err := jsonv2.Unmarshal(body, into)
	if err == nil {
		return nil
	}
	// The decoder's own text quotes the body.
	var syntax *jsontext.SyntacticError
	switch {
	case !errors.As(err, &syntax):
		return sdk.Unparseable("the body is not a JSON object")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return sdk.Unparseable("a name comes twice in one object, before byte %d", syntax.ByteOffset)
	default:
		return sdk.Unparseable("the body is not valid JSON, after byte %d", syntax.ByteOffset)
	}
}

// text is a string.
type text string

func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindString {
		return dec.SkipValue()
	}
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	*t = text(token.String())
	return nil
}

// whole is a small whole number. Zero means something to Discord, so ok says
// whether it is there.
type whole struct {
	n  int
	ok bool
}

func (w *whole) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindNumber {
		return dec.SkipValue()
	}
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(token.String(), 10, 32)
	w.n, w.ok = int(n), err == nil
	return nil
}

func (w whole) is(n int) bool { return w.ok && w.n == n }

// truth is a boolean.
type truth bool

func (f *truth) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	*f = err == nil && value.Kind() == jsontext.KindTrue
	return err
}

// scalar is a string, number, boolean or null, as Extra takes it: numbers are
// kept digit by digit. ok says that the name was there at all.
type scalar struct {
	value any
	ok    bool
}

func (s *scalar) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if kind := dec.PeekKind(); kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray {
		return dec.SkipValue()
	}
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	s.ok = true
	switch token.Kind() {
	case jsontext.KindString:
		s.value = sdk.Truncate(token.String())
	case jsontext.KindNumber:
		s.value = json.Number(token.String())
	case jsontext.KindTrue, jsontext.KindFalse:
		s.value = token.Bool()
	default: // null
	}
	return nil
}

// object is a JSON object. there says that the name was there, whatever its
// value; get never returns nil.
type object[T any] struct {
	there bool
	ptr   *T
}

func (o *object[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	o.there = true
	if dec.PeekKind() != jsontext.KindBeginObject {
		return dec.SkipValue()
	}
	o.ptr = new(T)
	return jsonv2.UnmarshalDecode(dec, o.ptr)
}

func (o object[T]) ok() bool { return o.ptr != nil }

func (o object[T]) get() *T {
	if o.ptr == nil {
		return new(T)
	}
	return o.ptr
}

// maxElements bounds every list and map. Discord allows 25 options or choices
// and 40 components.
const maxElements = 1000

// objects are the objects in an array.
type objects[T any] []T

func (l *objects[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return each(dec, jsontext.KindBeginObject, func() error {
		var element T
		err := jsonv2.UnmarshalDecode(dec, &element)
		*l = append(*l, element)
		return err
	}, func() bool { return len(*l) < maxElements })
}

// texts are the strings in an array.
type texts []string

func (l *texts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return each(dec, jsontext.KindString, func() error {
		token, err := dec.ReadToken()
		if err == nil {
			*l = append(*l, token.String())
		}
		return err
	}, func() bool { return len(*l) < maxElements })
}

// each reads the elements of an array that are of a kind, as long as there is
// room, and passes over all others.
func each(dec *jsontext.Decoder, kind jsontext.Kind, read func() error, room func() bool) error {
	if dec.PeekKind() != jsontext.KindBeginArray {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		next := dec.SkipValue
		if dec.PeekKind() == kind && room() {
			next = read
		}
		if err := next(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// dict is an object whose names are ids; only the values that are objects count.
type dict[T any] map[string]T

func (m *dict[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*m = dict[T]{}
	for dec.PeekKind() != jsontext.KindEndObject {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		id := token.String()
		if dec.PeekKind() != jsontext.KindBeginObject || len(*m) >= maxElements {
			err = dec.SkipValue()
		} else {
			var value T
			err = jsonv2.UnmarshalDecode(dec, &value)
			(*m)[id] = value
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}
