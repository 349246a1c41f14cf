package sdk

import (
	"errors"
	"fmt"
)

// The kinds of failure that the host acts on. They keep their identity under
// errors.Is across the wire.
var (
	// ErrBadSignature: nobody's signature. The host answers 401 and stores
	// nothing.
	ErrBadSignature = errors.New("bad signature")

	// ErrStale is a bad signature whose only fault is its age: it verified,
	// but its signed timestamp is outside the vendor's tolerance. errors.Is
	// says that it is also an ErrBadSignature.
	ErrStale = fmt.Errorf("signed timestamp is outside the tolerance: %w", ErrBadSignature)

	// ErrUnparseable: the signature holds, but the body is not what the vendor
	// documents. The host answers 400 and keeps a dead-letter receipt.
	ErrUnparseable = errors.New("unparseable")

	// ErrCredential: a secret that the host handed over can not be used, for
	// example a public key of the wrong length. The operator has to act; the
	// sender is answered 503. Never a reason to accept a request.
	ErrCredential = errors.New("unusable credential")

	// ErrNoSample: the provider has no sample of that name. No delivery ends
	// with it.
	ErrNoSample = errors.New("no such sample")
)

// Unparseable returns an error that is [ErrUnparseable] and says why. It must
// not quote the body.
func Unparseable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnparseable, fmt.Errorf(format, args...))
}
