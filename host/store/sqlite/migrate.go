package sqlite

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The steps of the schema, applied in the order of their names. One that was
// released is never edited.
//
// A step that only adds begins with a comment that says so (see additive). Then
// a gateway of the version before can go on with the file and finish its runs,
// and the next may take over from it while it runs.
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

// additive begins a step that the version before does not mind: it adds tables,
// indexes that are not unique, and columns with defaults, and changes nothing
// that there was.
const additive = "-- Additive:"

// step is one of the schema.
type step struct {
	name string
	text string
}

func (s step) additive() bool { return strings.HasPrefix(s.text, additive) }

func migrationSteps() ([]step, error) {
	names, err := migrationNames()
	if err != nil {
		return nil, err
	}
	steps := make([]step, len(names))
	for i, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		steps[i] = step{path.Base(name), string(text)}
	}
	return steps, nil
}

// ErrBeside: the file can not be used while the gateway that runs uses it, too.
var ErrBeside = errors.New("the store can not be shared with the gateway that runs")

// fits says whether a file of some version can be brought up to date, and when
// another gateway has it open, whether that can go on with it then.
func fits(file string, version int, steps []step, beside bool) error {
	if version > len(steps) {
		return errFuture(file, version, len(steps))
	}
	if !beside {
		return nil
	}
	for _, s := range steps[version:] {
		if !s.additive() {
			return fmt.Errorf("%w: this al changes its schema (%s) in a way that the other one does not know", ErrBeside, s.name)
		}
	}
	return nil
}

// CheckBeside says whether a gateway may open a store that another one has open
// and will go on with. It changes nothing.
func CheckBeside(path string) error {
	steps, err := migrationSteps()
	if err != nil {
		return err
	}
	c, err := dialReadOnly(path)
	if err != nil {
		return openError(path, err)
	}
	version, err := schemaVersion(c)
	if err = errors.Join(err, c.close()); err != nil {
		return openError(path, err)
	}
	return fits(path, version, steps, true)
}

// migrate brings the schema up to date, each step all or nothing.
func migrate(c *conn, file string, steps []step, beside bool) error {
	version, err := schemaVersion(c)
	if err != nil {
		return err
	}
	if err := fits(file, version, steps, beside); err != nil {
		return err
	}
	for i := version; i < len(steps); i++ {
		// The version is read again under the write lock: another process may
		// have been faster.
		if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
			return err
		}
		now, err := schemaVersion(c)
		if err == nil && now == i {
			err = c.Exec(steps[i].text + fmt.Sprintf("; PRAGMA user_version = %d", i+1))
		}
		if err == nil {
			err = c.Exec("COMMIT")
		}
		if err != nil {
			return errors.Join(fmt.Errorf("schema step %s: %w", steps[i].name, err), c.Exec("ROLLBACK"))
		}
	}
	return nil
}
