package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

const (
	// maxReaders bounds the reading connections, which are opened when they are
	// needed. Lists are for people and for metrics, a few at a time.
	maxReaders = 4

	defaultLimit = 100
	maxLimit     = 1000
)

// Reader reads a store. Its connections can not write.
type Reader struct {
	path  string
	dial  func() (*conn, error)
	slots chan struct{} // one for each connection in use
	// fresh connections are opened for every read, because how to open the
	// file depends on whether a gateway has it open at that moment.
	fresh bool

	mu     sync.Mutex
	idle   []*conn
	closed chan struct{}
	once   sync.Once
}

func newReader(path string, dial func() (*conn, error)) *Reader {
	return &Reader{path: path, dial: dial, slots: make(chan struct{}, maxReaders), closed: make(chan struct{})}
}

func (r *Reader) get(ctx context.Context) (*conn, error) {
	select {
	case <-r.closed:
		return nil, store.ErrClosed
	default:
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.closed:
		return nil, store.ErrClosed
	}
	r.mu.Lock()
	var c *conn
	if n := len(r.idle); n > 0 {
		c, r.idle = r.idle[n-1], r.idle[:n-1]
	}
	r.mu.Unlock()
	if c == nil {
		var err error
		if c, err = r.dial(); err != nil {
			<-r.slots
			return nil, err
		}
	}
	c.SetInterrupt(ctx)
	return c, nil
}

func (r *Reader) put(c *conn) {
	if r.fresh {
		r.discard(c)
		return
	}
	c.SetInterrupt(context.Background())
	r.mu.Lock()
	r.idle = append(r.idle, c)
	r.mu.Unlock()
	<-r.slots
}

func (r *Reader) discard(c *conn) {
	_ = c.close() // its error is the one that it is discarded for
	<-r.slots
}

// read runs f in a transaction of its own, so that several statements see the
// same state.
func (r *Reader) read(ctx context.Context, f func(*conn) error) error {
	c, err := r.get(ctx)
	if err == nil {
		if err = c.Exec("BEGIN"); err == nil {
			if err = f(c); err == nil {
				err = c.Exec("COMMIT")
			}
		}
		if err == nil {
			r.put(c)
			return nil
		}
		r.discard(c)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, store.ErrClosed):
		return err
	default:
		return unavailable(r.path, err)
	}
}

// Close waits for the reads under way.
func (r *Reader) Close() error {
	var errs []error
	r.once.Do(func() {
		close(r.closed)
		for range maxReaders {
			r.slots <- struct{}{}
		}
		for _, c := range r.idle {
			errs = append(errs, c.close())
		}
		r.idle = nil
	})
	return errors.Join(errs...)
}

// Queues implements [store.Store].
func (r *Reader) Queues(ctx context.Context) ([]store.Queue, error) {
	var list []store.Queue
	err := r.read(ctx, func(c *conn) error {
		list = nil
		q := c.prepare(`SELECT agent, scale, capacity, waiting, running, dropped,
			CASE WHEN waiting > 0 THEN
				(SELECT queued_at FROM jobs INDEXED BY jobs_waiting WHERE jobs.agent = queues.agent AND state = 'waiting' ORDER BY id LIMIT 1)
			END,
			paused, paused_reason, closed_until, last_tick FROM queues ORDER BY agent`)
		for q.next() {
			list = append(list, store.Queue{
				Agent: q.ColumnText(0), Scale: q.ColumnInt(1), Capacity: q.ColumnInt(2),
				Waiting: q.ColumnInt(3), Running: q.ColumnInt(4), Dropped: q.ColumnInt64(5), Oldest: q.timeAt(6),
				Paused: q.ColumnInt(7) != 0, PausedReason: q.ColumnText(8), LimitedUntil: q.timeAt(9), LastTick: q.timeAt(10),
			})
		}
		return q.done()
	})
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	return list, nil
}

// Project implements [store.Store].
func (r *Reader) Project(ctx context.Context) (store.Project, error) {
	var p store.Project
	err := r.read(ctx, func(c *conn) error {
		q := c.prepare(`SELECT scale, running, paused, paused_reason, closed_until FROM totals`)
		for q.next() {
			p = store.Project{
				Scale: q.ColumnInt(0), Running: q.ColumnInt(1), Paused: q.ColumnInt(2) != 0,
				PausedReason: q.ColumnText(3), LimitedUntil: q.timeAt(4),
			}
		}
		return q.done()
	})
	if err != nil {
		return p, fmt.Errorf("read project: %w", err)
	}
	return p, nil
}

// list selects what a query asks for, the newest first. The state goes into
// the text, not into a parameter: only then does SQLite see that an index over
// some of the states will do.
func (c *conn) list(columns, table string, q store.Query, before any) *stmt {
	if table == "jobs" && q.Agent != "" && q.State == job.Waiting {
		table += ` INDEXED BY jobs_waiting` // left to itself, SQLite takes the one with all that have ended
	}
	sql := `SELECT ` + columns + ` FROM ` + table + ` WHERE id < ?`
	switch q.State {
	case "":
	case job.Waiting:
		sql += ` AND state = 'waiting'`
	default:
		sql += ` AND state = '` + string(q.State) + `' AND state <> 'waiting'`
	}
	if q.Agent != "" {
		sql += ` AND agent = ?`
	}
	s := c.prepare(sql + ` ORDER BY id DESC LIMIT ?`)
	switch before := before.(type) {
	case int64:
		s = s.int(before)
	case string:
		s = s.text(before)
	}
	if q.Agent != "" {
		s = s.text(q.Agent)
	}
	return s.int(limit(q))
}

// checkState keeps anything but a state out of the text of a statement.
func checkState(s job.State) error {
	switch s {
	case "", job.Waiting, job.Running, job.Done, job.Failed, job.Dropped, job.Dead:
		return nil
	default:
		return fmt.Errorf("no such state: %q", s)
	}
}

func limit(q store.Query) int64 {
	if q.Limit <= 0 {
		return defaultLimit
	}
	return int64(min(q.Limit, maxLimit))
}

// lastID is behind every id: ids are ASCII.
const lastID = "\U0010FFFF"

// Jobs implements [store.Store].
func (r *Reader) Jobs(ctx context.Context, q store.Query) ([]job.Job, error) {
	if err := checkState(q.State); err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	before := int64(math.MaxInt64)
	if q.Before != "" {
		var err error
		if before, err = strconv.ParseInt(q.Before, 10, 64); err != nil {
			return nil, fmt.Errorf("list jobs: before %q: not a job id", q.Before)
		}
	}
	var list []job.Job
	err := r.read(ctx, func(c *conn) error {
		s := c.list(jobColumns, "jobs", q, before)
		for s.next() {
			j, err := s.jobAt()
			if err != nil {
				return err
			}
			list = append(list, j)
		}
		return s.done()
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return list, nil
}

// Runs implements [store.Store].
func (r *Reader) Runs(ctx context.Context, q store.Query) ([]job.Run, error) {
	if err := checkState(q.State); err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	before := q.Before
	if before == "" {
		before = lastID
	}
	var list []job.Run
	err := r.read(ctx, func(c *conn) error {
		s := c.list(runColumns, "runs", q, before)
		for s.next() {
			list = append(list, s.runAt())
		}
		return s.done()
	})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return list, nil
}
