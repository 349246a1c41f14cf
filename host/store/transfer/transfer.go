// Package transfer copies all that one store holds into another that is empty,
// row by row and exactly: what is waiting there then waits here, under the same
// number. It knows the tables that stores have in common, and no database.
package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
)

// Table is one that all stores have, in their own way.
type Table struct {
	Name    string
	Key     int      // how many of the columns, from the first, are its key
	Columns []string // in one order everywhere
}

// Row holds a string, an int64, a []byte or nil for each column.
type Row []any

// Tables are those that are copied, in that order. The last holds what is about
// all of the others.
func Tables() []Table {
	return []Table{
		{"receipts", 1, []string{
			"id", "provider", "sources", "delivery_id", "received_at", "method", "path", "query", "outcome", "reason", "event",
			"events", "matched", "replay_of", "size", "codec", "header", "body",
		}},
		{"jobs", 1, []string{
			"id", "agent", "trigger", "receipt", "source", "provider", "event", "delivery_id", "key", "state", "attempt", "crashes",
			"failures", "merged", "concurrency_key", "blocked", "burst", "burst_end", "entity", "sender", "chain", "queued_at",
			"ready_at", "ended_at", "reason", "sensitive", "codec", "context",
		}},
		{"job_events", 2, []string{
			"job", "seq", "agent", "receipt", "source", "provider", "event", "delivery_id", "key", "sensitive", "codec", "context",
		}},
		{"runs", 1, []string{
			"id", "job", "agent", "trigger", "attempt", "host", "started_at", "ended_at", "state", "exit_code", "reason",
			"lease_until", "cancel",
		}},
		{"queues", 1, []string{
			"agent", "scale", "capacity", "waiting", "running", "dropped", "head", "paused", "paused_reason", "resumed_after",
			"per_hour", "per_day", "drop_beyond", "closed_until", "last_tick",
		}},
		{"project", 1, []string{
			"id", "scale", "paused", "paused_reason", "per_hour", "per_day", "closed_until", "last_job",
		}},
	}
}

// Source is a store that nobody else uses meanwhile.
type Source interface {
	// Count returns how many rows a table has.
	Count(ctx context.Context, t Table) (int64, error)
	// Read returns rows behind a key, nil for the first, in the order of keys:
	// as many as are good to handle at once, none at the end.
	Read(ctx context.Context, t Table, after Row) ([]Row, error)
}

// Target is one that is empty, or that an earlier copy was not finished to.
type Target interface {
	Source
	// Last returns the key of the last row, nil when there is none.
	Last(ctx context.Context, t Table) (Row, error)
	// Write adds rows, all or none.
	Write(ctx context.Context, t Table, rows []Row) error
}

// Progress tells how far a copy is.
type Progress struct {
	Table     string
	Verifying bool
	Done, All int64 // rows of all tables
}

// Copied is what was copied of one table.
type Copied struct {
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"` // of its rows, on both sides
}

// ErrDiffers: what was copied is not what is there.
var ErrDiffers = errors.New("the copy differs from its source")

// Copy copies what the target does not have yet, and then compares all of it.
func Copy(ctx context.Context, from Source, to Target, tell func(Progress)) ([]Copied, error) {
	c := copying{from: from, to: to, tell: tell}
	for _, t := range Tables() {
		n, err := from.Count(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", t.Name, err)
		}
		c.progress.All += n
	}
	for _, t := range Tables() {
		if err := c.copy(ctx, t); err != nil {
			return nil, fmt.Errorf("copy %s: %w", t.Name, err)
		}
	}
	c.progress.Verifying, c.progress.Done = true, 0
	var out []Copied
	for _, t := range Tables() {
		one, err := c.verify(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", t.Name, err)
		}
		out = append(out, one)
	}
	return out, nil
}

type copying struct {
	from     Source
	to       Target
	tell     func(Progress)
	progress Progress
}

func (c *copying) advance(t Table, rows int64) {
	c.progress.Table = t.Name
	c.progress.Done += rows
	c.tell(c.progress)
}

func (c *copying) copy(ctx context.Context, t Table) error {
	after, err := c.to.Last(ctx, t)
	if err != nil {
		return err
	}
	if after != nil {
		there, err := c.to.Count(ctx, t)
		if err != nil {
			return err
		}
		c.advance(t, there)
	}
	for {
		rows, err := c.from.Read(ctx, t, after)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := c.to.Write(ctx, t, rows); err != nil {
			return err
		}
		after = rows[len(rows)-1][:t.Key]
		c.advance(t, int64(len(rows)))
	}
}

// verify reads a table on both sides.
func (c *copying) verify(ctx context.Context, t Table) (Copied, error) {
	rows, sum, err := digest(ctx, c.from, t, func(n int64) { c.advance(t, n) })
	if err != nil {
		return Copied{}, err
	}
	there, other, err := digest(ctx, c.to, t, func(int64) {})
	if err != nil {
		return Copied{}, err
	}
	if rows != there || sum != other {
		return Copied{}, fmt.Errorf("%w: %d rows with the digest %.12s there, %d with %.12s here", ErrDiffers, rows, sum, there, other)
	}
	return Copied{t.Name, rows, sum}, nil
}

// digest is over the rows of a table, in their order.
func digest(ctx context.Context, s Source, t Table, tell func(int64)) (n int64, sum string, err error) {
	h := sha256.New()
	for after := Row(nil); ; {
		rows, err := s.Read(ctx, t, after)
		if err != nil {
			return n, "", err
		}
		if len(rows) == 0 {
			return n, fmt.Sprintf("%x", h.Sum(nil)), nil
		}
		for _, row := range rows {
			if err := add(h, row); err != nil {
				return n, "", err
			}
		}
		n += int64(len(rows))
		tell(int64(len(rows)))
		after = rows[len(rows)-1][:t.Key]
	}
}

// add writes a row so that no two different ones are written alike.
func add(h hash.Hash, row Row) error {
	put := func(kind byte, data []byte) {
		var head [9]byte
		head[0] = kind
		binary.BigEndian.PutUint64(head[1:], uint64(len(data)))
		h.Write(head[:]) // never fails
		h.Write(data)
	}
	for i, v := range row {
		switch v := v.(type) {
		case nil:
			put('n', nil)
		case string:
			put('s', []byte(v))
		case []byte:
			put('b', v)
		case int64:
			var number [8]byte
			binary.BigEndian.PutUint64(number[:], uint64(v))
			put('i', number[:])
		default:
			return fmt.Errorf("column %d holds a %T", i, v)
		}
	}
	return nil
}
