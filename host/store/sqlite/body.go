package sqlite

import (
	"errors"
	"io"
)

// bodyChunk is the piece in which bodies cross into SQLite and back. The
// driver's memory grows with the largest value it is handed and never shrinks:
// a body of 25 MiB in one piece would keep 100 MiB for as long as the gateway
// lives.
const bodyChunk = 64 << 10

// writeBody fills in the body of a receipt that was inserted as that many
// zeros.
func (c *conn) writeBody(seq int64, body []byte) error {
	blob, err := c.OpenBlob("main", "receipts", "body", seq, true)
	if err != nil {
		return err
	}
	for len(body) > 0 && err == nil {
		n := min(len(body), bodyChunk)
		_, err = blob.Write(body[:n])
		body = body[n:]
	}
	return errors.Join(err, blob.Close())
}

func (c *conn) readBody(seq int64) ([]byte, error) {
	blob, err := c.OpenBlob("main", "receipts", "body", seq, false)
	if err != nil {
		return nil, err
	}
	body := make([]byte, blob.Size())
	for rest := body; len(rest) > 0 && err == nil; {
		n := min(len(rest), bodyChunk)
		_, err = io.ReadFull(blob, rest[:n])
		rest = rest[n:]
	}
	return body, errors.Join(err, blob.Close())
}
