package sdk

import (
	"fmt"
	"net/http"
)

// SingleHeader returns the one value of a header, or nothing if it is missing.
// Two values are [ErrUnparseable]: others who look at the request could read
// another one.
func SingleHeader(h http.Header, name string) (string, error) {
	switch values := h.Values(name); len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", Unparseable("header %s comes %d times", name, len(values))
	}
}

// SignedHeader returns the value of a header that is part of what is signed,
// such as a timestamp. Missing and doubled are [ErrBadSignature].
func SignedHeader(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) != 1 {
		return "", fmt.Errorf("%w: header %s comes %d times", ErrBadSignature, name, len(values))
	}
	return values[0], nil
}
