// Package stored is the form in which the stores keep what has no column type
// of its own: bodies, lists of strings, headers. It is the same in all of them,
// so that what is copied from one to another stays as it is.
package stored

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/klauspost/compress/s2"
)

// Codecs of bytes.
const (
	CodecNone = 0
	CodecS2   = 1
)

// small is below what compression gains anything worth its time for.
const small = 128

// Bytes as they are stored.
type Bytes struct {
	Codec int16
	Data  []byte
}

// Pack compresses what gains by it. Fewer pages to write twice, to the log and
// to the file, are worth more than the time it takes.
func Pack(raw []byte) Bytes {
	if len(raw) >= small {
		if packed := s2.Encode(nil, raw); len(packed) < len(raw) {
			return Bytes{CodecS2, packed}
		}
	}
	return Bytes{CodecNone, raw}
}

// Unpack returns what was packed, nil for nothing.
func (b Bytes) Unpack() ([]byte, error) {
	if len(b.Data) == 0 {
		return nil, nil
	}
	switch b.Codec {
	case CodecNone:
		return b.Data, nil
	case CodecS2:
		return s2.Decode(nil, b.Data)
	default:
		return nil, fmt.Errorf("stored in an unknown form (%d)", b.Codec)
	}
}

// Header returns a header as text.
func Header(h http.Header) (string, error) {
	text, err := json.Marshal(h)
	return string(text), err
}

// ParseHeader is the inverse of Header.
func ParseHeader(text string) (http.Header, error) {
	var h http.Header
	err := json.Unmarshal([]byte(text), &h)
	return h, err
}

// Strings returns a list as text, empty for none.
func Strings(list []string) string {
	if len(list) == 0 {
		return ""
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "" // can not happen: strings always encode
	}
	return string(text)
}

// ParseStrings is the inverse of Strings.
func ParseStrings(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var list []string
	err := json.Unmarshal([]byte(text), &list)
	return list, err
}

// Nanos clamps to what fits, so that "forever" can be said with any far time.
func Nanos(t time.Time) int64 {
	switch y := t.Year(); {
	case y > 2261:
		return math.MaxInt64
	case y < 1678:
		return math.MinInt64
	default:
		return t.UnixNano()
	}
}
