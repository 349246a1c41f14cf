package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/store/transfer"
)

const (
	// transferRows and transferBytes bound what is handled at once.
	transferRows  = 500
	transferBytes = 8 << 20
)

// ErrInUse: a gateway uses the database, or a copy.
var ErrInUse = errors.New("a gateway uses the database")

// Transfer is a database as a side of a copy. While there is one, no gateway
// opens it.
type Transfer struct {
	conn *pgx.Conn
	to   bool
}

var _ transfer.Target = (*Transfer)(nil)

// TransferFrom opens a database that is to be copied.
func TransferFrom(ctx context.Context, url string) (*Transfer, error) {
	t, err := openTransfer(ctx, url)
	if err != nil {
		return nil, err
	}
	marked, err := t.marked(ctx)
	if err == nil && marked {
		err = errUnfinished
	}
	if err != nil {
		return nil, errors.Join(openError(err), t.Close())
	}
	return t, nil
}

// TransferTo opens a database to copy to. It must hold nothing, but for what an
// earlier copy has left, which it goes on with unless it is to begin anew.
func TransferTo(ctx context.Context, url string, anew bool) (*Transfer, error) {
	t, err := openTransfer(ctx, url)
	if err != nil {
		return nil, err
	}
	t.to = true
	if err := t.prepare(ctx, anew); err != nil {
		return nil, errors.Join(openError(err), t.Close())
	}
	return t, nil
}

func openTransfer(ctx context.Context, url string) (*Transfer, error) {
	config, err := parseURL(url)
	if err != nil {
		return nil, openError(err)
	}
	if _, err := migrate(ctx, config.ConnConfig); err != nil {
		return nil, openError(err)
	}
	c, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, openError(err)
	}
	t := &Transfer{conn: c}
	var free bool
	if err = c.QueryRow(ctx, `SELECT pg_try_advisory_lock(`+useLock+`)`).Scan(&free); err == nil && !free {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(openError(err), t.Close())
	}
	return t, nil
}

// prepare marks a database, so that no gateway takes it for a whole one.
func (t *Transfer) prepare(ctx context.Context, anew bool) error {
	marked, err := t.marked(ctx)
	if err != nil {
		return err
	}
	if !marked {
		for _, table := range transfer.Tables() {
			if table.Name == "project" {
				continue
			}
			if n, err := t.Count(ctx, table); err != nil {
				return err
			} else if n > 0 {
				return fmt.Errorf("it is in use: its table %s has %d rows; name an empty database or another schema (search_path) to copy to", table.Name, n)
			}
		}
	}
	if anew {
		if _, err := t.conn.Exec(ctx, `TRUNCATE receipts, jobs, job_events, runs, run_cancels, queues, receipt_bytes`); err != nil {
			return err
		}
	}
	_, err = t.conn.Exec(ctx, `UPDATE project SET copying = true`)
	return err
}

func (t *Transfer) marked(ctx context.Context) (is bool, err error) {
	err = t.conn.QueryRow(ctx, `SELECT copying FROM project`).Scan(&is)
	return is, err
}

// Finish makes what was copied the store.
func (t *Transfer) Finish() error {
	// Nothing is known of the new rows yet by those who plan how to find them.
	_, err := t.conn.Exec(context.Background(), `ANALYZE receipts, jobs, job_events, runs, queues`)
	if err == nil {
		_, err = t.conn.Exec(context.Background(), `UPDATE project SET copying = false`)
	}
	if err != nil {
		return fmt.Errorf("finish the copy: %w", withoutAddress(err))
	}
	return t.Close()
}

// Close ends the use of the database.
func (t *Transfer) Close() error {
	if t.conn.IsClosed() {
		return nil
	}
	return t.conn.Close(context.Background())
}

// Count implements [transfer.Source].
func (t *Transfer) Count(ctx context.Context, table transfer.Table) (n int64, err error) {
	err = t.conn.QueryRow(ctx, `SELECT count(*) FROM `+sourceOf(table)).Scan(&n)
	return n, err
}

// sourceOf is a table as it is read, with the columns that all stores have.
func sourceOf(table transfer.Table) string {
	switch table.Name {
	case "runs":
		return `(SELECT runs.*, coalesce(run_cancels.reason, '') AS cancel FROM runs LEFT JOIN run_cancels ON run_cancels.run = runs.id) AS runs`
	case "queues":
		return `(SELECT * FROM queues WHERE NOT hidden) AS queues`
	case "project":
		return `(SELECT *, (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM job_ids) AS last_job FROM project) AS project`
	default:
		return table.Name
	}
}

// yesOrNo are the columns that are numbers elsewhere.
var yesOrNo = []string{"blocked", "paused", "drop_beyond"}

// Read implements [transfer.Source].
func (t *Transfer) Read(ctx context.Context, table transfer.Table, after transfer.Row) ([]transfer.Row, error) {
	key := strings.Join(table.Columns[:table.Key], ", ")
	sql := `SELECT ` + strings.Join(table.Columns, ", ") + ` FROM ` + sourceOf(table)
	var args []any
	if after != nil {
		args = storedRow(table.Columns, after)
		marks := []string{"$1", "$2"}[:table.Key]
		sql += ` WHERE (` + key + `) > (` + strings.Join(marks, ", ") + `)`
	}
	q, err := t.conn.Query(ctx, sql+` ORDER BY `+key+fmt.Sprintf(` LIMIT %d`, transferRows), args...)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var rows []transfer.Row
	for bytes := 0; bytes < transferBytes && q.Next(); {
		row, err := q.Values()
		if err != nil {
			return nil, err
		}
		for i, v := range row {
			switch v := v.(type) {
			case string:
				row[i] = decodeText(v)
			case bool:
				row[i] = int64(0)
				if v {
					row[i] = int64(1)
				}
			case int16:
				row[i] = int64(v)
			case int32:
				row[i] = int64(v)
			case []byte:
				bytes += len(v)
			}
		}
		rows = append(rows, row)
	}
	q.Close()
	return rows, q.Err()
}

// storedRow is what a row holds, as it is stored here.
func storedRow(columns []string, row transfer.Row) []any {
	out := make([]any, len(row))
	for i, v := range row {
		switch v := v.(type) {
		case string:
			out[i] = encodeText(v)
		case int64:
			out[i] = v
			switch {
			case slices.Contains(yesOrNo, columns[i]):
				out[i] = v != 0
			case columns[i] == "codec":
				out[i] = int16(v)
			}
		default:
			out[i] = v
		}
	}
	return out
}

// Last implements [transfer.Target].
func (t *Transfer) Last(ctx context.Context, table transfer.Table) (transfer.Row, error) {
	if table.Name == "project" {
		return nil, nil // its row is always there
	}
	columns := table.Columns[:table.Key]
	rows, err := t.conn.Query(ctx, `SELECT `+strings.Join(columns, ", ")+` FROM `+sourceOf(table)+
		` ORDER BY `+strings.Join(columns, " DESC, ")+` DESC LIMIT 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	key, err := rows.Values()
	for i, v := range key {
		if text, ok := v.(string); ok {
			key[i] = decodeText(text)
		}
	}
	return key, err
}

// Write implements [transfer.Target].
func (t *Transfer) Write(ctx context.Context, table transfer.Table, rows []transfer.Row) error {
	return pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		if table.Name == "project" {
			return writeProject(ctx, tx, rows[0])
		}
		columns := table.Columns
		if table.Name == "runs" {
			columns = columns[:len(columns)-1] // cancel, the last, has a table of its own
			if err := writeCancels(ctx, tx, rows); err != nil {
				return err
			}
		}
		values := make([][]any, len(rows))
		for i, row := range rows {
			values[i] = storedRow(columns, row[:len(columns)])
			if table.Name == "queues" {
				values[i] = append(values[i], false)
			}
		}
		if table.Name == "queues" {
			columns = append(slices.Clone(columns), "hidden")
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{table.Name}, columns, pgx.CopyFromRows(values))
		return err
	})
}

func writeCancels(ctx context.Context, tx pgx.Tx, rows []transfer.Row) error {
	for _, row := range rows {
		reason, _ := row[len(row)-1].(string)
		id, _ := row[0].(string)
		if reason == "" {
			continue
		}
		if _, err := tx.Exec(ctx, `INSERT INTO run_cancels (run, reason) VALUES ($1, $2)`, encodeText(id), encodeText(reason)); err != nil {
			return err
		}
	}
	return nil
}

// writeProject is the last: what is summed up of the other tables is not copied.
func writeProject(ctx context.Context, tx pgx.Tx, row transfer.Row) error {
	values := storedRow([]string{"id", "scale", "paused", "paused_reason", "per_hour", "per_day", "closed_until", "last_job"}, row)
	b := &pgx.Batch{}
	b.Queue(`UPDATE project SET scale = $1, paused = $2, paused_reason = $3, per_hour = $4, per_day = $5, closed_until = $6`, values[1:7]...)
	b.Queue(`SELECT setval('job_ids', greatest($1::bigint, 1), $1::bigint > 0)`, values[7])
	b.Queue(`DELETE FROM receipt_bytes`)
	b.Queue(`INSERT INTO receipt_bytes (part, bytes) SELECT 0, coalesce(sum(size), 0) FROM receipts`)
	return tx.SendBatch(ctx, b).Close()
}
