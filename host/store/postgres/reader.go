package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Reader reads a store.
type Reader struct {
	pool   *pgxpool.Pool
	closed chan struct{}
}

// querier is what reads are made with.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// read runs f, and says of its error whose fault it is.
func (r *Reader) read(ctx context.Context, f func(querier) error) error {
	select {
	case <-r.closed:
		return store.ErrClosed
	default:
	}
	err := f(r.pool)
	switch {
	case err == nil, errors.Is(err, store.ErrNotFound):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case ownFault(err):
		return err
	default:
		return unavailable(err)
	}
}

// collect reads rows to their end, nil for none.
func collect[T any](rows pgx.Rows, scan func(pgx.Row) (T, error)) ([]T, error) {
	defer rows.Close()
	var list []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, rows.Err()
}

// list reads all rows of a query.
func list[T any](ctx context.Context, r *Reader, scan func(pgx.Row) (T, error), sql string, args ...any) (out []T, err error) {
	err = r.read(ctx, func(q querier) error {
		rows, err := q.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		out, err = collect(rows, scan)
		return err
	})
	return out, err
}

const (
	runColumns = `id, job, agent, trigger, attempt, host, started_at, ended_at, state, exit_code, reason, lease_until`
	// bareColumns are those of a job without its context.
	bareColumns = `id, agent, trigger, receipt, source, provider, event, delivery_id, state, attempt, crashes,
		queued_at, ended_at, reason, failures, concurrency_key, merged, ready_at`
	jobColumns = bareColumns + `, sensitive, codec, context`
)

func scanRun(row pgx.Row, more ...any) (r job.Run, err error) {
	err = row.Scan(append([]any{
		text{&r.ID}, &r.Job, text{&r.Agent}, text{(*string)(&r.Trigger)}, &r.Attempt, text{&r.Host}, instant{&r.StartedAt},
		instant{&r.EndedAt}, text{(*string)(&r.State)}, &r.ExitCode, text{&r.Reason}, instant{&r.LeaseUntil},
	}, more...)...)
	return r, err
}

func scanOneRun(row pgx.Row) (job.Run, error) { return scanRun(row) }

func scanBareJob(row pgx.Row, more ...any) (j job.Job, err error) {
	err = row.Scan(append([]any{
		&j.ID, text{&j.Agent}, text{(*string)(&j.Trigger)}, text{&j.Receipt}, text{&j.Source}, text{&j.Provider}, text{&j.Event},
		text{&j.DeliveryID}, text{(*string)(&j.State)}, &j.Attempt, &j.Crashes, instant{&j.QueuedAt}, instant{&j.EndedAt},
		text{&j.Reason}, &j.Failures, text{&j.ConcurrencyKey}, &j.Merged, instant{&j.ReadyAt},
	}, more...)...)
	return j, err
}

func scanJob(row pgx.Row) (j job.Job, err error) {
	var sensitive string
	var packed stored.Bytes
	if j, err = scanBareJob(row, text{&sensitive}, &packed.Codec, &packed.Data); err != nil {
		return j, err
	}
	if j.Context, err = packed.Unpack(); err != nil {
		return j, fmt.Errorf("job %d: context: %w", j.ID, err)
	}
	if j.Sensitive, err = stored.ParseStrings(sensitive); err != nil {
		return j, fmt.Errorf("job %d: sensitive: %w", j.ID, err)
	}
	return j, nil
}

func scanQueue(row pgx.Row) (q store.Queue, err error) {
	err = row.Scan(text{&q.Agent}, &q.Scale, &q.Capacity, &q.Waiting, &q.Running, &q.Dropped, instant{&q.Oldest},
		&q.Paused, text{&q.PausedReason}, instant{&q.LimitedUntil}, instant{&q.LastTick})
	return q, err
}

// Queues implements [store.Store].
func (r *Reader) Queues(ctx context.Context) ([]store.Queue, error) {
	out, err := list(ctx, r, scanQueue, `SELECT agent, scale, capacity, waiting, running, dropped,
		(SELECT queued_at FROM jobs WHERE jobs.agent = queues.agent AND state = 'waiting' ORDER BY id LIMIT 1),
		paused, paused_reason, closed_until, last_tick FROM queues WHERE NOT hidden ORDER BY agent`)
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	return out, nil
}

// Project implements [store.Store].
func (r *Reader) Project(ctx context.Context) (p store.Project, err error) {
	err = r.read(ctx, func(q querier) error {
		return q.QueryRow(ctx, `SELECT scale, (SELECT count(*) FROM runs WHERE state = 'running'), paused, paused_reason, closed_until FROM project`).
			Scan(&p.Scale, &p.Running, &p.Paused, text{&p.PausedReason}, instant{&p.LimitedUntil})
	})
	if err != nil {
		return p, fmt.Errorf("read project: %w", err)
	}
	return p, nil
}

// Due implements [store.Store].
func (r *Reader) Due(ctx context.Context) (first time.Time, err error) {
	err = r.read(ctx, func(q querier) error {
		return q.QueryRow(ctx, `SELECT least(
			(SELECT ready_at FROM jobs WHERE state = 'waiting' AND ready_at IS NOT NULL ORDER BY ready_at LIMIT 1),
			(SELECT closed_until FROM queues WHERE closed_until IS NOT NULL ORDER BY closed_until LIMIT 1),
			(SELECT closed_until FROM project))`).Scan(instant{&first})
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("what is due: %w", err)
	}
	return first, nil
}

// narrowing is a query that grows by what narrows it.
type narrowing struct {
	sql  strings.Builder
	args []any
}

// where adds a condition, with $ for its one value.
func (n *narrowing) where(condition string, value any) {
	n.args = append(n.args, value)
	n.sql.WriteString(" AND " + strings.Replace(condition, "$", "$"+strconv.Itoa(len(n.args)), 1))
}

// state goes into the text, so that an index over some of the states will do.
func (n *narrowing) state(s job.State) error {
	switch s {
	case "":
	case job.Waiting:
		n.sql.WriteString(" AND state = 'waiting'")
	case job.Running, job.Done, job.Failed, job.Dropped, job.Dead:
		n.sql.WriteString(" AND state = '" + string(s) + "' AND state <> 'waiting'")
	default:
		return fmt.Errorf("no such state: %q", s)
	}
	return nil
}

// newest ends a query.
func (n *narrowing) newest(q store.Query) (string, []any) {
	limit := defaultLimit
	if q.Limit > 0 {
		limit = min(q.Limit, maxLimit)
	}
	n.sql.WriteString(" ORDER BY id DESC LIMIT " + strconv.Itoa(limit))
	return n.sql.String(), n.args
}

// lastID is behind every id: ids are ASCII.
const lastID = "\U0010FFFF"

func before(q store.Query) string {
	if q.Before == "" {
		return lastID
	}
	return encodeText(q.Before)
}

// Jobs implements [store.Store].
func (r *Reader) Jobs(ctx context.Context, q store.Query) ([]job.Job, error) {
	last := int64(math.MaxInt64)
	if q.Before != "" {
		var err error
		if last, err = strconv.ParseInt(q.Before, 10, 64); err != nil {
			return nil, fmt.Errorf("list jobs: before %q: not a job id", q.Before)
		}
	}
	var n narrowing
	n.sql.WriteString(`SELECT ` + jobColumns + ` FROM jobs WHERE true`)
	n.where(`id < $`, last)
	if err := n.state(q.State); err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	if q.Agent != "" {
		n.where(`agent = $`, encodeText(q.Agent))
	}
	sql, args := n.newest(q)
	out, err := list(ctx, r, scanJob, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return out, nil
}

// Runs implements [store.Store].
func (r *Reader) Runs(ctx context.Context, q store.Query) ([]job.Run, error) {
	var n narrowing
	n.sql.WriteString(`SELECT ` + runColumns + ` FROM runs WHERE true`)
	n.where(`id < $`, before(q))
	if err := n.state(q.State); err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	if q.Agent != "" {
		n.where(`agent = $`, encodeText(q.Agent))
	}
	sql, args := n.newest(q)
	out, err := list(ctx, r, scanOneRun, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return out, nil
}
