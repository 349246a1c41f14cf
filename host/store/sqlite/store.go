package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Options for Open. The zero value is fine.
type Options struct {
	Log hclog.Logger
	// OnCommit is told of every commit that reached the disk: how long the
	// transaction took and how many operations shared it. It is called by the
	// writer and must return at once.
	OnCommit func(took time.Duration, ops int)
	// Beside says that another gateway has the file open, and goes on with it:
	// its log is in motion, and only what the other does not mind may be
	// changed of the schema.
	Beside bool

	vfs string // of SQLite, by name; tests put theirs between it and the disk
}

// Store is a [store.Store] in one SQLite file.
type Store struct {
	*Reader
	writer *writer

	closing sync.Once
	err     error // of Close
}

var _ store.Store = (*Store)(nil)

// Open opens the file, which it creates if there is none, and brings its schema
// up to date. ctx bounds the opening only.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	if opts.Log == nil {
		opts.Log = hclog.NewNullLogger()
	}
	if opts.OnCommit == nil {
		opts.OnCommit = func(time.Duration, int) {}
	}
	if err := createFiles(path); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if !opts.Beside {
		if err := checkLog(path); err != nil {
			return nil, openError(path, err)
		}
	}
	c, err := dialWriter(path, opts.vfs)
	if err != nil {
		return nil, openError(path, err)
	}
	c.SetInterrupt(ctx)
	err = prepare(c, path, opts.Beside)
	c.SetInterrupt(context.Background())
	if err != nil {
		return nil, openError(path, errors.Join(err, c.close()))
	}
	s := &Store{
		Reader: newReader(path, func() (*conn, error) { return dial(path, sqlite3.OPEN_READONLY, through(opts.vfs)) }),
		writer: newWriter(path, c, opts),
	}
	go s.writer.group.Run()
	return s, nil
}

// prepare makes sure that a file is fit to be used. One that is refused stays as
// it is, its log included.
func prepare(c *conn, path string, beside bool) error {
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		return err
	}
	if err := checkFile(c, path); err != nil {
		return err
	}
	steps, err := migrationSteps()
	if err != nil {
		return err
	}
	if err := migrate(c, path, steps, beside); err != nil {
		return err
	}
	_, err = c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, false)
	return err
}

// dialWriter opens a connection that writes.
func dialWriter(path, vfs string) (*conn, error) {
	// The log is created and removed as SQLite sees fit, and gets the mode of
	// the file beside it.
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	params := through(vfs)
	params.Set("modeof", abs)
	c, err := dial(path, sqlite3.OPEN_READWRITE, params)
	if err != nil {
		return nil, err
	}
	// FULL makes every commit an fsync of the log: a 2xx is a promise that a
	// power cut must not break. Checkpoints are the writer's own (see
	// checkpoint), so that no caller waits for one. The log is cut back to
	// its usual size after it had to grow.
	err = c.Exec(fmt.Sprintf("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "+
		"PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d", maxWALPages*pageSize))
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// through are the parameters of a connection by one of SQLite's ways to files.
func through(vfs string) url.Values {
	params := url.Values{}
	if vfs != "" {
		params.Set("vfs", vfs)
	}
	return params
}

// createFiles makes sure that the file and its shared memory can be read by
// nobody else: what vendors send is theirs and the operator's. SQLite itself
// would create them as the umask has it. See dialWriter for the log.
func createFiles(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	for _, name := range []string{path, path + "-shm"} {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if !fresh {
		return nil
	}
	// What is in a file is of no use after a power cut if its folder is not
	// there, or does not know of it.
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

// syncDir does what a file system lets it, as SQLite does.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil //nolint:nilerr // a folder may be for passing through only
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

func openError(path string, err error) error {
	var code sqlite3.ErrorCode
	if errors.As(err, &code) {
		return fmt.Errorf("open store %s: %w; %s", path, err, advice(path, err))
	}
	return fmt.Errorf("open store %s: %w", path, err)
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.writer.group.Stop()
		// The readers go first: the last connection to close folds the log
		// into the file, and a read-only one can not.
		s.err = errors.Join(s.Reader.Close(), s.writer.conn.close())
	})
	return s.err
}

// OpenReadOnly opens the file of a gateway that may or may not be running, to
// look at. It creates nothing and holds up nobody. When there is no file the
// error is an [fs.ErrNotExist].
func OpenReadOnly(path string) (*Reader, error) {
	if info, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("open store %s: no gateway has run here yet: %w", path, fs.ErrNotExist)
		}
		return nil, fmt.Errorf("open store: %w", err)
	} else if info.IsDir() {
		return nil, fmt.Errorf("open store %s: it is a folder", path)
	}
	r := newReader(path, func() (*conn, error) { return dialReadOnly(path) })
	r.fresh = true
	// The first look tells whether there is a point.
	c, err := r.get(context.Background())
	if err != nil {
		return nil, openError(path, err)
	}
	defer r.put(c)
	names, err := migrationNames()
	if err != nil {
		return nil, err
	}
	switch version, err := schemaVersion(c); {
	case err != nil:
		return nil, openError(path, err)
	case version > len(names):
		return nil, fmt.Errorf("open store: %w", errFuture(path, version, len(names)))
	case version < len(names):
		return nil, fmt.Errorf("open store: %s has schema version %d, this al needs %d: start the gateway once to bring it up to date",
			path, version, len(names))
	}
	return r, nil
}

func dialReadOnly(path string) (*conn, error) {
	var params url.Values
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		// Nobody has it open, and it was closed in order: all there is is in
		// the one file. Opening it in the usual way would create the other
		// two. Should a gateway start right now, then what is read here may
		// miss its first moments, no more: it writes to the log first.
		params = url.Values{"immutable": {"1"}}
	}
	c, err := dial(path, sqlite3.OPEN_READONLY, params)
	if err != nil {
		return nil, err
	}
	// A gateway that was killed leaves its log behind for the next one.
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// Note implements [store.Store].
func (s *Store) Note(r job.Receipt) bool {
	stored, err := encodeReceipt(r)
	return err == nil && s.writer.note(stored)
}
