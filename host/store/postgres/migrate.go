package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// The steps of the schema, applied in the order of their names, each all or
// nothing. One that was released is never edited. Hosts of the version before go
// on working while the first of the new version has applied its steps.
//
//go:embed migrations/*.sql
var migrations embed.FS

// Schema is how far a database's schema is.
type Schema struct {
	Version int64 // 0 for none yet
	Known   int64 // to this al
}

// errFuture is the refusal of a schema that a newer al has made.
func (s Schema) errFuture() error {
	return fmt.Errorf("the database has schema version %d, and this al knows up to %d: it was made by a newer al; run that one",
		s.Version, s.Known)
}

// migrate brings the schema up to date, and returns how far it was before.
// Several hosts may do so at once: one does it, the others wait.
func migrate(ctx context.Context, config *pgx.ConnConfig) (before Schema, err error) {
	if before, err = look(ctx, config); err != nil {
		return before, err
	}
	switch {
	case before.Version > before.Known:
		return before, before.errFuture()
	case before.Version == before.Known:
		return before, nil
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(ctx, db)
	if err != nil {
		return before, err
	}
	if _, err = provider.Up(ctx); err != nil {
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			err = fmt.Errorf("schema step %s: %w", partial.Failed.Source.Path, partial.Err)
		}
	}
	return before, err
}

// look reads how far a schema is, and changes nothing.
func look(ctx context.Context, config *pgx.ConnConfig) (s Schema, err error) {
	if s.Known, err = known(); err != nil {
		return s, err
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	var there bool
	if err := c.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, schemaTable).Scan(&there); err != nil || !there {
		return s, err
	}
	err = c.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+schemaTable+` WHERE is_applied`).Scan(&s.Version)
	return s, err
}

// schemaTable is where goose keeps what was applied.
const schemaTable = "al_schema"

// known is the number of the last step.
func known() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	return goose.NumericComponent(slices.Max(names))
}

func newProvider(ctx context.Context, db *sql.DB) (*goose.Provider, error) {
	// Of this schema: several projects may share a database.
	var schema sql.NullString
	if err := db.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&schema); err != nil {
		return nil, err
	}
	if !schema.Valid {
		return nil, errors.New("no schema of the database's search_path exists")
	}
	id := fnv.New64a()
	_, _ = id.Write([]byte("al schema " + schema.String)) // never fails
	locker, err := lock.NewPostgresSessionLocker(
		lock.WithLockID(int64(id.Sum64())),
		lock.WithLockTimeout(1, 300),
		lock.WithUnlockTimeout(1, 10),
	)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithTableName(schemaTable))
}

// ErrEmpty: no gateway has used the database yet.
var ErrEmpty = errors.New("the database has no schema of a gateway yet")

// Migrate brings the schema at a URL up to date, and tells how far it was before.
func Migrate(ctx context.Context, url string) (before Schema, err error) {
	config, err := parseURL(url)
	if err == nil {
		before, err = migrate(ctx, config.ConnConfig)
	}
	if err != nil {
		return before, openError(err)
	}
	return before, nil
}

// Check tells how far the schema at a URL is, and whether it can be used. It
// changes nothing.
func Check(ctx context.Context, url string) (Schema, error) {
	config, err := parseURL(url)
	if err != nil {
		return Schema{}, openError(err)
	}
	s, err := look(ctx, config.ConnConfig)
	if err == nil && s.Version > s.Known {
		err = s.errFuture()
	}
	if err != nil {
		return s, openError(err)
	}
	return s, nil
}

// OpenReadOnly opens the store at a URL to look at, beside hosts that may or may
// not be running. When none has run yet the error is an [ErrEmpty].
func OpenReadOnly(ctx context.Context, url string) (*Reader, error) {
	config, err := parseURL(url)
	if err != nil {
		return nil, openError(err)
	}
	switch s, err := look(ctx, config.ConnConfig); {
	case err != nil:
		return nil, openError(err)
	case s.Version > s.Known:
		return nil, openError(s.errFuture())
	case s.Version == 0:
		return nil, openError(ErrEmpty)
	case s.Version < s.Known:
		return nil, fmt.Errorf("open store: the database has schema version %d, this al needs %d: run al store migrate, or start a gateway",
			s.Version, s.Known)
	}
	config.MaxConns, config.MinConns = maxReading, 0
	config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, openError(err)
	}
	return &Reader{pool: pool, closed: make(chan struct{})}, nil
}

// Close ends the reading.
func (r *Reader) Close() error {
	select {
	case <-r.closed:
	default:
		close(r.closed)
		r.pool.Close()
	}
	return nil
}
