package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/internal/stored"
)

const (
	// busyTimeout is how long a write waits for another process's lock. The
	// shortest deadline of a vendor is 1 s; waiting longer would only turn a
	// 503 into a time-out.
	busyTimeout = time.Second
	// pageCacheKiB bounds the page cache of a connection. It is allocated as
	// it is needed. 4 MiB hold the inner pages of all indexes at 100,000
	// waiting jobs; more did not make anything faster.
	pageCacheKiB = 4 << 10
)

// conn is a connection with its prepared statements. Like what it wraps, it is
// for one goroutine at a time.
type conn struct {
	*sqlite3.Conn
	stmts map[string]*stmt
}

// dial opens a connection. Extra parameters go into the file's URI.
func dial(path string, flags sqlite3.OpenFlag, params url.Values) (*conn, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	uri := url.URL{Scheme: "file", Path: abs, RawQuery: params.Encode()}
	c, err := sqlite3.OpenFlags(uri.String(), flags|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	conn := &conn{Conn: c, stmts: map[string]*stmt{}}
	err = errors.Join(
		c.BusyTimeout(busyTimeout),
		c.Exec(fmt.Sprintf("PRAGMA cache_size = -%d; PRAGMA trusted_schema = OFF", pageCacheKiB)),
	)
	if err != nil {
		return nil, errors.Join(err, conn.close())
	}
	return conn, nil
}

func (c *conn) close() error {
	if c == nil {
		return nil
	}
	c.SetInterrupt(context.Background())
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	c.stmts = nil
	return errors.Join(append(errs, c.Conn.Close())...)
}

// prepare returns the statement for a text, ready for its parameters. Texts
// are constants: each is compiled once per connection and then kept.
func (c *conn) prepare(sql string) *stmt {
	s := c.stmts[sql]
	if s == nil {
		prepared, tail, err := c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
		if err == nil && tail != "" {
			err = fmt.Errorf("more than one statement in %q", sql)
		}
		if err != nil {
			return &stmt{err: fmt.Errorf("prepare: %w", err)}
		}
		s = &stmt{Stmt: prepared}
		c.stmts[sql] = s
	}
	s.params, s.err = 0, nil
	return s
}

// stmt binds parameters and reads columns by position without allocating.
// The first error sticks; exec, done and one report it.
type stmt struct {
	*sqlite3.Stmt
	params int
	err    error
}

func (s *stmt) text(v string) *stmt {
	if s.err == nil {
		s.params++
		s.err = s.BindText(s.params, v)
	}
	return s
}

func (s *stmt) int(v int64) *stmt {
	if s.err == nil {
		s.params++
		s.err = s.BindInt64(s.params, v)
	}
	return s
}

// time binds a time, or NULL for the zero time.
func (s *stmt) time(t time.Time) *stmt {
	if t.IsZero() {
		return s.null()
	}
	return s.int(stored.Nanos(t))
}

// optional binds a number, or NULL for 0.
func (s *stmt) optional(v int64) *stmt {
	if v == 0 {
		return s.null()
	}
	return s.int(v)
}

func (s *stmt) bool(v bool) *stmt {
	if v {
		return s.int(1)
	}
	return s.int(0)
}

func (s *stmt) null() *stmt {
	if s.err == nil {
		s.params++
		s.err = s.BindNull(s.params)
	}
	return s
}

func (s *stmt) blob(v []byte) *stmt {
	if len(v) == 0 {
		return s.zeros(0) // a nil blob would be NULL
	}
	if s.err == nil {
		s.params++
		s.err = s.BindBlob(s.params, v)
	}
	return s
}

// zeros binds a blob of n zeros.
func (s *stmt) zeros(n int) *stmt {
	if s.err == nil {
		s.params++
		s.err = s.BindZeroBlob(s.params, int64(n))
	}
	return s
}

// exec runs a statement that returns no rows.
func (s *stmt) exec() error {
	if s.err != nil {
		return s.err
	}
	return s.Exec()
}

// next moves to the next row. After false, done tells whether that was the
// end or an error.
func (s *stmt) next() bool { return s.err == nil && s.Step() }

func (s *stmt) done() error {
	if s.err != nil {
		return s.err
	}
	return errors.Join(s.Err(), s.Reset())
}

// one moves to the only row there may be. The caller reads it and calls Reset.
func (s *stmt) one() (bool, error) {
	if s.next() {
		return true, nil
	}
	return false, s.done()
}

func (s *stmt) timeAt(col int) time.Time {
	if s.ColumnType(col) == sqlite3.NULL {
		return time.Time{}
	}
	return time.Unix(0, s.ColumnInt64(col)).UTC()
}
