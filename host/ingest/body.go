package ingest

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

var (
	errTooLarge = errors.New("body is larger than maxBodyBytes")
	errNoRoom   = errors.New("bodies in flight exceed maxInflightBytes")
)

// budget bounds the bytes of all bodies that are held at the same time. Nobody
// waits for it: an unauthenticated sender could make others wait.
type budget struct {
	max  int64
	used atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.max {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

// firstRead is what a request gets before it has sent a byte, whatever length
// it claims. It fits nearly every delivery in one piece.
const firstRead = 32 << 10

// body is the bytes of a request and the share of the budget they hold.
type body struct {
	bytes  []byte
	held   int64
	budget *budget
}

func (b *body) release() {
	b.budget.give(b.held)
	b.held = 0
}

// grow makes room for more bytes. Memory follows what has arrived, not what was
// announced: holding the budget costs a sender as many bytes as it holds.
func (b *body) grow(size int64) error {
	more := size - int64(cap(b.bytes))
	if !b.budget.take(more) {
		return errNoRoom
	}
	b.held += more
	grown := make([]byte, len(b.bytes), size)
	copy(grown, b.bytes)
	b.bytes = grown
	return nil
}

// readBody reads a whole body of at most max bytes. One byte more is
// errTooLarge: a cut body would look like a bad signature. The caller releases
// the body, also after an error.
func readBody(r *http.Request, b *budget, limit int64) (*body, error) {
	out := &body{budget: b}
	if r.ContentLength > limit {
		return out, errTooLarge
	}
	size := int64(firstRead)
	if r.ContentLength >= 0 && r.ContentLength < size {
		size = r.ContentLength + 1 // one more, to see the end without growing
	}
	if err := out.grow(size); err != nil {
		return out, err
	}
	for {
		if len(out.bytes) == cap(out.bytes) {
			size := min(2*int64(cap(out.bytes)), limit+1)
			if err := out.grow(size); err != nil {
				return out, err
			}
		}
		n, err := r.Body.Read(out.bytes[len(out.bytes):cap(out.bytes)])
		out.bytes = out.bytes[:len(out.bytes)+n]
		if int64(len(out.bytes)) > limit {
			return out, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}
