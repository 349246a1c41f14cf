package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Options for Open. The zero value is fine.
type Options struct {
	Log hclog.Logger
	// OnCommit is told of every commit of the writer: how long the transaction
	// took and how many operations shared it. It must return at once.
	OnCommit func(took time.Duration, ops int)
	// OnWork is told that another host has brought work, or made room for it.
	// It must return at once.
	OnWork func()
	// OnCancel is told that somebody asked for the end of a run, on whichever
	// host it is. It must return at once.
	OnCancel func(run, reason string)

	// callersClock takes the times of callers as they are. Tests have a clock
	// of their own.
	callersClock bool
}

// Store is a [store.Store] in one schema of a PostgreSQL database.
type Store struct {
	*Reader
	log    hclog.Logger
	pools  *pools
	writer *writer
	talk   *talk
	clock  *clock

	callersClock bool
	lease        atomic.Int64 // of the last claim, in nanoseconds
	unsure       unsure

	closed  chan struct{}
	closing sync.Once
}

var _ store.Store = (*Store)(nil)

// parts is among how many sums the bytes of receipts are split.
const parts = 64

// Open opens the store at a URL and brings its schema up to date. ctx bounds the
// opening only. No error of the store holds the URL or a part of it.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	if opts.Log == nil {
		opts.Log = hclog.NewNullLogger()
	}
	if opts.OnCommit == nil {
		opts.OnCommit = func(time.Duration, int) {}
	}
	if opts.OnWork == nil {
		opts.OnWork = func() {}
	}
	if opts.OnCancel == nil {
		opts.OnCancel = func(string, string) {}
	}
	config, err := parseURL(url)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if _, err := migrate(ctx, config.ConnConfig); err != nil {
		return nil, openError(err)
	}
	p, err := openPools(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, openError(err)
	}
	s := &Store{
		Reader: &Reader{pool: p.read, closed: make(chan struct{})}, log: opts.Log, pools: p, clock: &clock{},
		callersClock: opts.callersClock,
		writer:       newWriter(p, rand.IntN(parts), opts),
	}
	s.closed = s.Reader.closed
	if s.talk, err = newTalk(ctx, p, s.clock, opts); err != nil {
		p.close()
		return nil, openError(err)
	}
	go s.writer.group.Run()
	s.talk.start()
	return s, nil
}

func openError(err error) error {
	if code(err) != "" || !errors.Is(err, context.Canceled) && isConnection(err) {
		return fmt.Errorf("open store: PostgreSQL: %w; %s", withoutAddress(err), advice(err))
	}
	return fmt.Errorf("open store: %w", err)
}

// Now tells the time by the database's clock, as it was when it was last asked.
func (s *Store) Now() time.Time { return s.clock.now() }

// Close implements [store.Store].
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		s.writer.group.Stop()
		s.talk.stop()
		s.pools.close()
	})
	return nil
}

// at is a time of a caller as functions of the database take it: NULL for its
// own clock.
func (s *Store) at(t time.Time) *int64 {
	if s.callersClock {
		return nanos(t)
	}
	return nil
}

// write has the writer do something for a caller.
func (s *Store) write(ctx context.Context, patient bool, w *work) error {
	return s.writer.group.Do(ctx, w, w.bytes, patient)
}

// alone runs a batch in a transaction of its own, beside the writer.
func (s *Store) alone(ctx context.Context, ask func(*pgx.Batch), hear func(pgx.BatchResults) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return store.ErrClosed
	default:
	}
	for tries := 1; ; tries++ {
		err := s.try(ctx, ask, hear)
		switch {
		case err == nil:
			return nil
		case passing(err) && tries < maxTries:
			continue
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", ctx.Err(), withoutAddress(err))
		case ownFault(err):
			return fmt.Errorf("store: refused: %w", err)
		case elsewhere(err):
			s.pools.reset()
		}
		return unavailable(err)
	}
}

func (s *Store) try(ctx context.Context, ask func(*pgx.Batch), hear func(pgx.BatchResults) error) error {
	c, err := s.pools.write.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	b := &pgx.Batch{}
	ask(b)
	results := c.SendBatch(ctx, b)
	if err := hear(results); err != nil {
		_ = results.Close() // repeats the error
		return err
	}
	return results.Close()
}

// Note implements [store.Store].
func (s *Store) Note(r job.Receipt) bool {
	stored, err := encodeReceipt(r)
	return err == nil && s.writer.note(stored)
}

// unsure are runs whose end may have been recorded by a transaction of which
// nothing was heard.
type unsure struct {
	mu   sync.Mutex
	runs map[string]bool
}

func (u *unsure) has(run string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.runs[run]
}

func (u *unsure) set(run string, is bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !is {
		delete(u.runs, run)
		return
	}
	if u.runs == nil {
		u.runs = map[string]bool{}
	}
	u.runs[run] = true
}
