package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/action-llama/gateway/host/store"
)

const (
	// lookEvery is how often the database's clock is looked at, on the
	// connection that listens; it tells also whether that still works.
	lookEvery = 5 * time.Second
	// workPause keeps notices apart. Every notice makes all hosts look.
	workPause = 20 * time.Millisecond
	// listenAgain is the pause before a lost connection is made anew.
	listenAgain = time.Second
	// maxSaying bounds the notices that wait. One that is not sent is found
	// out later, by those who look regularly.
	maxSaying = 64

	sayWork   = "work"
	sayCancel = "cancel "
)

// talk is how hosts tell each other to look.
type talk struct {
	pools    *pools
	clock    *clock
	log      hclog.Logger
	onWork   func()
	onCancel func(run, reason string)
	channel  string

	first   *pgx.Conn     // that listens, until listen has it
	working chan struct{} // holds one notice of work
	saying  chan string   // notices of else

	ctx  context.Context
	end  context.CancelFunc
	both sync.WaitGroup
}

// useLock is held by whoever uses a schema: shared by gateways, and by a copy
// alone.
const useLock = `1634497379, 'project'::regclass::oid::bigint::bit(32)::integer`

var (
	errCopying    = errors.New("al store copy works on the database; wait for its end")
	errUnfinished = errors.New("what was copied into the database is not whole: run al store copy again, which goes on where it ended")
)

// newTalk connects, and looks at the clock, so that the store has it from the
// start.
func newTalk(ctx context.Context, p *pools, c *clock, opts Options) (*talk, error) {
	t := &talk{
		pools: p, clock: c, log: opts.Log, onWork: opts.OnWork, onCancel: opts.OnCancel,
		working: make(chan struct{}, 1), saying: make(chan string, maxSaying),
	}
	t.ctx, t.end = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if t.first, t.channel, err = t.connect(ctx); err != nil {
		t.end()
		return nil, err
	}
	return t, nil
}

// connect opens a connection that listens, and says to what.
func (t *talk) connect(ctx context.Context) (c *pgx.Conn, channel string, err error) {
	config := t.pools.config.ConnConfig.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { t.hear(n) }
	if c, err = pgx.ConnectConfig(ctx, config); err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			hangUp(c)
		}
	}()
	// The channel is that of this schema: several projects may share a database.
	var free, copying bool
	err = c.QueryRow(ctx, `SELECT 'al_' || 'project'::regclass::oid, pg_try_advisory_lock_shared(`+useLock+`), copying FROM project`).
		Scan(&channel, &free, &copying)
	switch {
	case err != nil:
	case !free:
		err = errCopying
	case copying:
		err = errUnfinished
	default:
		if _, err = c.Exec(ctx, `LISTEN `+pgx.Identifier{channel}.Sanitize()); err == nil {
			err = t.look(ctx, c)
		}
	}
	return c, channel, err
}

// hangUp closes a connection that is broken or not needed any more.
func hangUp(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

func (t *talk) start() {
	t.both.Go(t.say)
	t.both.Go(t.listen)
}

func (t *talk) stop() {
	t.end()
	t.both.Wait()
}

// work says that there may be work, or room for it.
func (t *talk) work() {
	select {
	case t.working <- struct{}{}:
	default:
	}
}

func (t *talk) accepted(a store.Accepted) {
	for _, v := range a.Verdicts {
		if v == store.Enqueued || v == store.Merged {
			t.work()
			break
		}
	}
	t.cancelled(a.Cancelled)
}

func (t *talk) cancelled(runs []string) {
	for _, run := range runs {
		select {
		case t.saying <- sayCancel + encodeText(run):
		default: // its host hears of it when it renews its lease
		}
	}
}

// say sends notices. They are no part of the transactions they are about: those
// would have to commit one after the other, all hosts' together.
func (t *talk) say() {
	for {
		notice := sayWork
		select {
		case <-t.ctx.Done():
			return
		case <-t.working:
		case notice = <-t.saying:
		}
		ctx, cancel := context.WithTimeout(t.ctx, writeTimeout)
		if _, err := t.pools.write.Exec(ctx, `SELECT pg_notify($1, $2)`, t.channel, notice); err != nil && t.ctx.Err() == nil {
			t.log.Debug("other hosts could not be told to look", "error", withoutAddress(err))
		}
		cancel()
		if notice == sayWork && !t.pause(workPause) {
			return
		}
	}
}

// pause waits, and reports whether to go on.
func (t *talk) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.ctx.Done():
		return false
	}
}

// listen hears the notices of other hosts, for as long as the store is open.
func (t *talk) listen() {
	for {
		listened, err := t.listenOnce()
		if t.ctx.Err() != nil {
			return
		}
		if listened { // that it is not to be had again yet is no news
			t.log.Debug("the connection that listens was lost", "error", withoutAddress(err))
		}
		if !t.pause(listenAgain) {
			return
		}
	}
}

// listenOnce listens until a connection ends, if there was one.
func (t *talk) listenOnce() (listened bool, err error) {
	c := t.first
	t.first = nil
	if c == nil {
		if c, _, err = t.connect(t.ctx); err != nil {
			return false, err
		}
	}
	defer hangUp(c)
	t.onWork() // what was said before was not heard
	for {
		ctx, cancel := context.WithTimeout(t.ctx, lookEvery)
		for ctx.Err() == nil {
			if err := c.PgConn().WaitForNotification(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				cancel()
				return true, err
			}
		}
		cancel()
		if err := t.look(t.ctx, c); err != nil {
			return true, err
		}
	}
}

// look reads the database's clock.
func (t *talk) look(ctx context.Context, c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	asked := time.Now()
	var now int64
	if err := c.QueryRow(ctx, `SELECT al_now()`).Scan(&now); err != nil {
		return err
	}
	t.clock.set(now, asked, time.Now())
	return nil
}

func (t *talk) hear(n *pgconn.Notification) {
	if run, ok := strings.CutPrefix(n.Payload, sayCancel); ok {
		t.tellCancel(run)
		return
	}
	t.onWork()
}

// tellCancel tells a run of this host, if it is one, why it is to end. Anybody
// may send notices; what counts is in the table.
func (t *talk) tellCancel(run string) {
	t.both.Go(func() {
		ctx, cancel := context.WithTimeout(t.ctx, writeTimeout)
		defer cancel()
		var reason string
		if err := t.pools.read.QueryRow(ctx, `SELECT reason FROM run_cancels WHERE run = $1`, run).Scan(text{&reason}); err != nil {
			return // it has ended, or the next renewal tells
		}
		t.onCancel(decodeText(run), reason)
	})
}
