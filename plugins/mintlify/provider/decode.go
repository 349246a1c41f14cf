package provider

import (
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// decode reads a body, which has to be one JSON object and nothing else, in
// valid UTF-8, without a name that comes twice in an object, and nested at most
// 10,000 deep (jsontext's own limit).
func decode(body []byte) (*result, error) {
	var r object[result]
	err := json.Unmarshal(body, &r)
	if err == nil && r.ptr != nil {
		return r.ptr, nil
	}
	// The decoder's own text quotes the body.
	var syntax *jsontext.SyntacticError
	switch {
	case !errors.As(err, &syntax):
		return nil, sdk.Unparseable("the body is not a JSON object")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return nil, sdk.Unparseable("a name comes twice in one object, before byte %d", syntax.ByteOffset)
	default:
		return nil, sdk.Unparseable("the body is not valid JSON, after byte %d", syntax.ByteOffset)
	}
}

// The types below read one kind of value and treat any other, and null, as
// missing. Relays are made by hand: an error may be a list, a user null.

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

// id is a string, or a whole number digit by digit.
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

// object is a JSON object. get never returns nil.
type object[T any] struct{ ptr *T }

func (o *object[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		return dec.SkipValue()
	}
	o.ptr = new(T)
	return json.UnmarshalDecode(dec, o.ptr)
}

func (o object[T]) get() *T {
	if o.ptr == nil {
		return new(T)
	}
	return o.ptr
}

// lastLines are the last strings of an array.
type lastLines []string

// maxLines is what an agent needs of a log to see why a build ended as it did.
const maxLines = 50

func (l *lastLines) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindBeginArray {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		var line text
		if err := line.UnmarshalJSONFrom(dec); err != nil {
			return err
		}
		if line == "" {
			continue
		}
		if len(*l) == 2*maxLines { // seldom, so that a long log costs no more than its length
			*l = append((*l)[:0], (*l)[maxLines:]...)
		}
		*l = append(*l, string(line))
	}
	*l = (*l)[max(0, len(*l)-maxLines):]
	_, err := dec.ReadToken()
	return err
}
