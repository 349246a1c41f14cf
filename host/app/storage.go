package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/queue"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/postgres"
	"github.com/action-llama/gateway/host/store/sqlite"
)

// storage is what a gateway remembers in, whichever store it is.
type storage struct {
	store.Store
	now    func() time.Time // by what the store's times are
	shared bool             // with other hosts
	lease  time.Duration    // of runs; zero for the usual
}

// told is what other hosts say, once there is a dispatcher to hear it.
type told struct {
	to atomic.Pointer[queue.Dispatcher]
}

func (t *told) work() {
	if d := t.to.Load(); d != nil {
		d.Wake()
	}
}

func (t *told) cancel(run, reason string) {
	if d := t.to.Load(); d != nil {
		d.CancelRun(run, reason)
	}
}

type storageOptions struct {
	log      hclog.Logger
	onCommit func(took time.Duration, ops int)
	told     *told
	beside   bool // another gateway of the project has it open
}

// openStorage opens the store of a project for its gateway.
func openStorage(ctx context.Context, p *config.Project, o storageOptions) (storage, error) {
	if p.Store.URL.IsZero() {
		s, err := sqlite.Open(ctx, DatabaseFile(p.Dir), sqlite.Options{Log: o.log, OnCommit: o.onCommit, Beside: o.beside})
		if err != nil {
			return storage{}, err
		}
		return storage{Store: s, now: time.Now}, nil
	}
	s, err := postgres.Open(ctx, p.Store.URL.Reveal(), postgres.Options{
		Log: o.log, OnCommit: o.onCommit, OnWork: o.told.work, OnCancel: o.told.cancel,
	})
	if err != nil {
		return storage{}, err
	}
	return storage{Store: s, now: s.Now, shared: true, lease: p.Store.Lease}, nil
}

// records are what a store has to tell.
type records interface {
	store.History
	api.Records
	deliveries.Records
}

// openRecords reads the store of a project whose gateway may or may not be
// running. One that never started has an empty one.
func openRecords(ctx context.Context, p *config.Project) (records, func() error, error) {
	if !p.Store.URL.IsZero() {
		r, err := postgres.OpenReadOnly(ctx, p.Store.URL.Reveal())
		if errors.Is(err, postgres.ErrEmpty) {
			return nothing{}, func() error { return nil }, nil
		}
		if err != nil {
			return nil, nil, err
		}
		return r, r.Close, nil
	}
	r, err := sqlite.OpenReadOnly(DatabaseFile(p.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nothing{}, func() error { return nil }, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return r, r.Close, nil
}

// checkStore looks whether the store can be used.
func (c *checker) checkStore(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	if !c.p.Store.URL.IsZero() {
		c.checkPostgres(ctx)
		return
	}
	file := DatabaseFile(c.p.Dir)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return // the first start makes it
	}
	at := config.Pos{File: ".al/al.db"}
	switch err := sqlite.Check(ctx, file, Taken(c.p.Dir)); {
	case errors.Is(err, context.DeadlineExceeded):
		c.found(AboutStore, config.Notef(at, "not read to its end: it is too large to look at all of it within %s", readPatience))
	case err != nil:
		c.found(AboutStore, config.Errorf(at, "%v", err))
	}
}

func (c *checker) checkPostgres(ctx context.Context) {
	at := config.Pos{File: "config.toml"}
	schema, err := postgres.Check(ctx, c.p.Store.URL.Reveal())
	switch {
	case err != nil:
		c.found(AboutStore, config.Errorf(at, "[store]: %v", err))
	case schema.Version < schema.Known:
		c.found(AboutStore, config.Notef(at, "[store]: the database's schema is at step %d of %d; the next al start, or al store migrate, does the rest",
			schema.Version, schema.Known))
	}
}
