package provider

import (
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// The types below read one kind of value and treat any other, and null, as
// missing: a single odd value must not cost the whole event.

// decode reads a body, which has to be one JSON object and nothing else, in
// valid UTF-8, without a name that comes twice in an object, and nested at most
// 10,000 deep (jsontext's own limit).
func decode(data []byte, into *body) error {
	err := json.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	// The decoder's own text quotes the body.
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, errTooMany):
		return sdk.Unparseable("%w", errTooMany)
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
	*t = text(token.String())
	return err
}

// id is a string, or a whole number digit by digit: ids are beyond what a
// float64 holds.
type id string

func (i *id) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	kind := dec.PeekKind()
	if kind != jsontext.KindString && kind != jsontext.KindNumber {
		return dec.SkipValue()
	}
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if read := token.String(); kind == jsontext.KindString || isWhole(read) {
		*i = id(read)
	}
	return nil
}

func isWhole(number string) bool {
	_, err := strconv.ParseInt(number, 10, 64)
	return err == nil
}

// truth is a boolean, or its name: X's pages have "false" where it sends false.
type truth bool

func (f *truth) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case jsontext.KindTrue, jsontext.KindString:
	default:
		return dec.SkipValue()
	}
	token, err := dec.ReadToken()
	*f = truth(token.String() == "true")
	return err
}

// object is a JSON object. get never returns nil.
type object[T any] struct{ ptr *T }

func (o *object[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		return dec.SkipValue()
	}
	o.ptr = new(T)
	return json.UnmarshalDecode(dec, o.ptr)
}

func (o object[T]) ok() bool { return o.ptr != nil }

func (o object[T]) get() *T {
	if o.ptr == nil {
		return new(T)
	}
	return o.ptr
}

// maxElements bounds lists and maps that only help to read an event.
const maxElements = 100

// list are the first objects in an array.
type list[T any] []T

func (l *list[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return eachObject(dec, func() error {
		if len(*l) == maxElements {
			return dec.SkipValue()
		}
		var element T
		err := json.UnmarshalDecode(dec, &element)
		*l = append(*l, element)
		return err
	})
}

// eachObject calls read for every element of an array that is an object, and
// passes over all else.
func eachObject(dec *jsontext.Decoder, read func() error) error {
	if dec.PeekKind() != jsontext.KindBeginArray {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		next := dec.SkipValue
		if dec.PeekKind() == jsontext.KindBeginObject {
			next = read
		}
		if err := next(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// dict holds objects by the id that is their name.
type dict[T any] map[string]T

func (m *dict[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return eachMember(dec, func(name string) error {
		if dec.PeekKind() != jsontext.KindBeginObject || len(*m) == maxElements {
			return dec.SkipValue()
		}
		var value T
		err := json.UnmarshalDecode(dec, &value)
		if *m == nil {
			*m = dict[T]{}
		}
		(*m)[name] = value
		return err
	})
}

// eachMember calls read, which has to read the value, for every member of an
// object, and passes over all else.
func eachMember(dec *jsontext.Decoder, read func(name string) error) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := read(token.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}
