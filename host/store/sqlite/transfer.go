package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/store/transfer"
)

const (
	// transferRows and transferBytes bound what is handled at once.
	transferRows  = 500
	transferBytes = 8 << 20
)

// Transfer is a file as a side of a copy. While there is one, nobody else uses
// the file.
type Transfer struct {
	path string // of the store
	file string // where it is meanwhile
	conn *conn
}

var _ transfer.Target = (*Transfer)(nil)

// unfinished is where a copy is until it is complete: what is not is never taken
// for a store.
func unfinished(path string) string { return path + ".copying" }

// TransferFrom opens a file that is to be copied. When there is none the error is
// an [fs.ErrNotExist].
func TransferFrom(ctx context.Context, path string) (*Transfer, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, bare(err))
	}
	return openTransfer(ctx, path, path)
}

// TransferTo opens a file to copy to. There must be none, but for what an earlier
// copy has left, which it goes on with unless it is to begin anew.
func TransferTo(ctx context.Context, path string, anew bool) (*Transfer, error) {
	for _, name := range []string{path, path + "-wal"} { // SQLite would take the log for that of the new file
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("open store %s: %s is there already: move it away, with what is beside it, to copy to its place", path, name)
		}
	}
	if anew {
		if err := removeFile(unfinished(path)); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	return openTransfer(ctx, path, unfinished(path))
}

func openTransfer(ctx context.Context, path, file string) (*Transfer, error) {
	if err := createFiles(file); err != nil {
		return nil, fmt.Errorf("open store %s: %w", file, err)
	}
	if err := checkLog(file); err != nil {
		return nil, openError(file, err)
	}
	c, err := dialWriter(file, "")
	if err != nil {
		return nil, openError(file, err)
	}
	c.SetInterrupt(ctx)
	if err := prepare(c, file, false); err != nil {
		return nil, openError(file, errors.Join(err, c.close()))
	}
	return &Transfer{path: path, file: file, conn: c}, nil
}

// Close ends the use of the file.
func (t *Transfer) Close() error {
	if t.conn == nil {
		return nil
	}
	err := t.conn.close()
	t.conn = nil
	return err
}

// Finish makes what was copied the store.
func (t *Transfer) Finish() error {
	if err := t.Close(); err != nil {
		return err
	}
	if err := os.Rename(t.file, t.path); err != nil {
		return fmt.Errorf("finish the copy: %w", err)
	}
	return errors.Join(syncDir(filepath.Dir(t.path)), removeFile(t.file))
}

// removeFile removes a file of SQLite, with those beside it.
func removeFile(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func bare(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ErrNotExist
	}
	return err
}

// tableOf is a table's name here.
func tableOf(t transfer.Table) string {
	if t.Name == "project" {
		return "totals"
	}
	return t.Name
}

// Count implements [transfer.Source].
func (t *Transfer) Count(_ context.Context, table transfer.Table) (int64, error) {
	q := t.conn.prepare(`SELECT count(*) FROM ` + tableOf(table))
	ok, err := q.one()
	if !ok {
		return 0, err
	}
	n := q.ColumnInt64(0)
	return n, q.Reset()
}

// Read implements [transfer.Source].
func (t *Transfer) Read(_ context.Context, table transfer.Table, after transfer.Row) ([]transfer.Row, error) {
	key := strings.Join(table.Columns[:table.Key], ", ")
	sql := `SELECT ` + strings.Join(table.Columns, ", ") + ` FROM ` + tableOf(table)
	if after != nil {
		sql += ` WHERE (` + key + `) > (` + marks(table.Key) + `)`
	}
	q := t.conn.prepare(sql + ` ORDER BY ` + key + fmt.Sprintf(` LIMIT %d`, transferRows))
	for _, v := range after {
		q = q.value(v)
	}
	var rows []transfer.Row
	for bytes := 0; bytes < transferBytes && q.next(); {
		row := make(transfer.Row, len(table.Columns))
		for i := range row {
			switch q.ColumnType(i) {
			case sqlite3.NULL:
			case sqlite3.INTEGER:
				row[i] = q.ColumnInt64(i)
			case sqlite3.BLOB:
				blob := q.ColumnBlob(i, []byte{})
				row[i] = blob
				bytes += len(blob)
			default:
				row[i] = q.ColumnText(i)
			}
		}
		rows = append(rows, row)
	}
	return rows, q.done()
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// value binds what a row holds.
func (s *stmt) value(v any) *stmt {
	switch v := v.(type) {
	case string:
		return s.text(v)
	case int64:
		return s.int(v)
	case []byte:
		return s.blob(v)
	default:
		return s.null()
	}
}

// Last implements [transfer.Target].
func (t *Transfer) Last(_ context.Context, table transfer.Table) (transfer.Row, error) {
	if table.Name == "project" {
		return nil, nil // its row is always there
	}
	columns := table.Columns[:table.Key]
	q := t.conn.prepare(`SELECT ` + strings.Join(columns, ", ") + ` FROM ` + table.Name +
		` ORDER BY ` + strings.Join(columns, " DESC, ") + ` DESC LIMIT 1`)
	ok, err := q.one()
	if !ok {
		return nil, err
	}
	key := make(transfer.Row, table.Key)
	for i := range key {
		if q.ColumnType(i) == sqlite3.INTEGER {
			key[i] = q.ColumnInt64(i)
		} else {
			key[i] = q.ColumnText(i)
		}
	}
	return key, q.Reset()
}

// Write implements [transfer.Target].
func (t *Transfer) Write(_ context.Context, table transfer.Table, rows []transfer.Row) (err error) {
	if err := t.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil && !t.conn.GetAutocommit() {
			err = errors.Join(err, t.conn.Exec("ROLLBACK"))
		}
	}()
	sql := `INSERT INTO ` + table.Name + ` (` + strings.Join(table.Columns, ", ") + `) VALUES (` + marks(len(table.Columns)) + `)`
	if table.Name == "project" {
		// What is summed up of the other tables is not copied.
		sql = `UPDATE totals SET ` + strings.Join(table.Columns, " = ?, ") + ` = ?,
			running = (SELECT count(*) FROM runs WHERE state = 'running'),
			receipt_bytes = (SELECT coalesce(sum(size), 0) FROM receipts)`
	}
	for _, row := range rows {
		q := t.conn.prepare(sql)
		for _, v := range row {
			q = q.value(v)
		}
		if err := q.exec(); err != nil {
			return err
		}
	}
	return t.conn.Exec("COMMIT")
}
