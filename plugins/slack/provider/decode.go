package provider

import (
	"errors"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// decoder reads JSON into structs, strictly as JSON and leniently as Slack: the
// bytes have to be one valid value in UTF-8 without a name twice in an object,
// nested at most 10,000 deep (jsontext's own limit); a value of another type
// than expected is passed over. Slack changes types between events, and has null
// where others leave out: one odd value must not cost the whole event.
type decoder struct {
	lenient json.Options
}

func newDecoder() decoder {
	return decoder{lenient: json.WithUnmarshalers(json.UnmarshalFromFunc(lenient))}
}

// read decodes one JSON object.
func (d decoder) read(body []byte, into any) error {
	if !startsObject(body) {
		return sdk.Unparseable("the payload is not a JSON object")
	}
	err := json.Unmarshal(body, into, d.lenient)
	if err == nil {
		return nil
	}
	// The decoder's own words quote names from the body.
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return sdk.Unparseable("the payload has a name twice in one object")
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return sdk.Unparseable("the payload is not valid JSON, at byte %d", syntax.ByteOffset)
	}
	return sdk.Unparseable("the payload is not valid JSON")
}

func startsObject(body []byte) bool {
	for _, c := range body {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == '{'
		}
	}
	return false
}

// lenient is asked for every value before it is read. It reads the types that
// have two forms, skips what does not fit, and leaves the rest to the package.
func lenient(dec *jsontext.Decoder, into any) error {
	kind := dec.PeekKind()
	switch v := into.(type) {
	case *jsontext.Value:
		return errors.ErrUnsupported
	case *thing:
		if kind == '"' {
			return json.UnmarshalDecode(dec, &v.ID)
		}
	case *state:
		if kind == '"' {
			return json.UnmarshalDecode(dec, &v.Text)
		}
	case *int64:
		return readInteger(dec, kind, v)
	}
	if fits(kind, reflect.TypeOf(into).Elem().Kind()) {
		return errors.ErrUnsupported
	}
	return dec.SkipValue()
}

func fits(kind jsontext.Kind, target reflect.Kind) bool {
	switch target {
	case reflect.String:
		return kind == '"'
	case reflect.Bool:
		return kind == 't' || kind == 'f'
	case reflect.Struct, reflect.Map:
		return kind == '{'
	case reflect.Slice:
		return kind == '['
	default:
		return false
	}
}

// readInteger takes whole numbers that are exact in 64 bits, and no others.
func readInteger(dec *jsontext.Decoder, kind jsontext.Kind, into *int64) error {
	if kind != '0' {
		return dec.SkipValue()
	}
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		*into = n
	}
	return nil
}
