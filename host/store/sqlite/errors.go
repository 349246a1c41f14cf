package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/store"
)

// unavailable wraps what kept a transaction from being recorded, and says what
// to do about it.
func unavailable(path string, err error) error {
	return fmt.Errorf("%w: %s: %w; %s", store.ErrUnavailable, path, err, advice(path, err))
}

func advice(path string, err error) string {
	switch {
	case errors.Is(err, sqlite3.FULL), errors.Is(err, sqlite3.IOERR) && noRoom(path):
		return "its disk is full: make room, or lower historyMaxBytes"
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		return "another process holds its lock; end it, or set [store] url to PostgreSQL for several hosts"
	case errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.PERM):
		return "it has to be writable for the user that runs al, and so has its folder"
	case errors.Is(err, sqlite3.CANTOPEN):
		return "check that its folder exists and is writable for the user that runs al"
	case errors.Is(err, sqlite3.NOTADB), errors.Is(err, sqlite3.CORRUPT):
		return "it is damaged or no SQLite database; move it and its -wal file away, or restore a backup"
	case errors.Is(err, sqlite3.NOMEM):
		return "the machine is out of memory"
	default:
		return "check its disk"
	}
}

// ownFault tells errors that an operation brought about by what it asked for
// from those of the database, which every operation would meet.
func ownFault(err error) bool {
	return errors.Is(err, sqlite3.CONSTRAINT) || errors.Is(err, sqlite3.TOOBIG) ||
		errors.Is(err, sqlite3.MISMATCH) || errors.Is(err, sqlite3.RANGE)
}

// needsReopen tells whether a connection can be trusted after an error. Lock
// and space come back by themselves; after anything else the connection may
// hold a broken file handle or a stale view.
func needsReopen(err error) bool {
	return !errors.Is(err, sqlite3.BUSY) && !errors.Is(err, sqlite3.FULL) && !errors.Is(err, sqlite3.INTERRUPT)
}

// databaseError returns an error unless it is an answer to the caller, which
// is no reason to undo what the transaction holds.
func databaseError(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrLost) {
		return nil
	}
	return err
}

// noRoom tells a full disk from a broken one. go-sqlite3 v0.37 reports both as
// an I/O error: it looks for ENOSPC in a form in which os.File never returns it.
func noRoom(path string) bool {
	const little = 1 << 20 // one larger delivery would not fit
	var fs syscall.Statfs_t
	err := syscall.Statfs(filepath.Dir(path), &fs)
	return err == nil && fs.Bavail*uint64(fs.Bsize) < little
}
