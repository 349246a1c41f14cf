package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Error is a failure that whoever asked can do something about. A [Gateway]
// returns one where it is asked for what there is not or can not be, and a
// [Client] returns it again on the other side.
type Error struct {
	Status int    // of HTTP
	Detail string // what is wrong, and what to do; nothing secret
}

func (e *Error) Error() string { return e.Detail }

// Is tells errors of the same kind: errors.Is(err, ErrNotFound).
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Detail == "" && other.Status == e.Status
}

// The kinds of errors, for errors.Is.
var (
	ErrInvalid  error = &Error{Status: http.StatusBadRequest}
	ErrNotFound error = &Error{Status: http.StatusNotFound}
	ErrConflict error = &Error{Status: http.StatusConflict}
)

// Invalid says that what was asked for makes no sense.
func Invalid(format string, args ...any) error { return failed(http.StatusBadRequest, format, args) }

// NotFound says that there is no such agent, run or record.
func NotFound(format string, args ...any) error { return failed(http.StatusNotFound, format, args) }

// Conflict says that it can not be done as things are.
func Conflict(format string, args ...any) error { return failed(http.StatusConflict, format, args) }

func failed(status int, format string, args []any) error {
	return &Error{Status: status, Detail: fmt.Sprintf(format, args...)}
}

// failure is the JSON of everything that did not work.
type failure struct {
	OK     bool   `json:"ok"` // false
	Detail string `json:"detail"`
}

// maxRequest bounds the body of a request to the API. The largest thing in one
// is a prompt.
const maxRequest = 1 << 20

// readJSON reads the body of a request. None at all counts as {}.
func readJSON(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	switch {
	case err != nil:
		return Invalid("the body could not be read: %v", err)
	case len(body) > maxRequest:
		return &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body is larger than %d bytes", maxRequest)}
	case len(body) == 0:
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return Invalid("the body does not fit: %s can not be a %s", wrong.Field, wrong.Value)
		}
		return Invalid("the body is not JSON: %v", err)
	}
	return nil
}
