package sqlite

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// The steps of the schema, applied in the order of their names. One that was
// released is never edited.
//
// Their count is kept in PRAGMA user_version. goose would do this too, but over
// database/sql, which nothing else here needs: the driver is used by its own
// interface. These lines are all it would do for us.
//
//go:embed migrations/*.sql
var migrations embed.FS

func migrationNames() ([]string, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	slices.Sort(names)
	return names, err
}

func schemaVersion(c *conn) (int, error) {
	q := c.prepare("PRAGMA user_version")
	if _, err := q.one(); err != nil {
		return 0, err
	}
	version := q.ColumnInt(0)
	return version, q.Reset()
}

// errFuture is the refusal of a file that a newer al has written.
func errFuture(file string, found, known int) error {
	return fmt.Errorf("%s has schema version %d, and this al knows up to %d: it was written by a newer al; "+
		"run that one, or move the file away to start with an empty history", file, found, known)
}

// migrate brings the schema up to date, each step all or nothing.
func migrate(c *conn, file string) error {
	names, err := migrationNames()
	if err != nil {
		return err
	}
	version, err := schemaVersion(c)
	if err != nil {
		return err
	}
	if version > len(names) {
		return errFuture(file, version, len(names))
	}
	for i := version; i < len(names); i++ {
		text, err := migrations.ReadFile(names[i])
		if err != nil {
			return err
		}
		// The version is read again under the write lock: another process may
		// have been faster.
		if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
			return err
		}
		now, err := schemaVersion(c)
		if err == nil && now == i {
			err = c.Exec(string(text) + fmt.Sprintf("; PRAGMA user_version = %d", i+1))
		}
		if err == nil {
			err = c.Exec("COMMIT")
		}
		if err != nil {
			return errors.Join(fmt.Errorf("schema step %s: %w", path.Base(names[i]), err), c.Exec("ROLLBACK"))
		}
	}
	return nil
}
