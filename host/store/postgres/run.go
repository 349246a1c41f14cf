package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

const (
	// maxDue bounds of how many agents one transaction lets go what is due.
	// What is left over is still due.
	maxDue = 256
	// maxClaims is how often a claim looks again because something is due.
	maxClaims = 8
)

// Claim implements [store.Store].
func (s *Store) Claim(ctx context.Context, c store.Claim) (*store.Claimed, error) {
	if c.Run == "" {
		return nil, fmt.Errorf("claim: no run id")
	}
	lease := c.Until.Sub(c.At)
	s.lease.Store(int64(lease))
	for range maxClaims {
		out, due, err := s.claim(ctx, c, lease)
		if err != nil && errors.Is(err, store.ErrUnavailable) && !definite(err) {
			// The run may have been started by a transaction whose end was not
			// heard. It is this caller's alone, so whether it is there tells.
			if found, e := s.claimed(ctx, c.Run); e == nil && found != nil {
				out, due, err = found, false, nil
			}
		}
		if err != nil {
			return nil, fmt.Errorf("claim: %w", err)
		}
		if !due {
			return out, nil
		}
		err = s.alone(ctx, func(b *pgx.Batch) { b.Queue(`SELECT al_let_go($1, $2)`, s.at(c.At), maxDue) }, exec)
		if err != nil {
			return nil, fmt.Errorf("claim: let go what is due: %w", err)
		}
	}
	return nil, nil
}

// exec hears of one statement that returns nothing.
func exec(results pgx.BatchResults) error {
	_, err := results.Exec()
	return err
}

func (s *Store) claim(ctx context.Context, c store.Claim, lease time.Duration) (out *store.Claimed, due bool, err error) {
	err = s.alone(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT due, claimed FROM al_claim($1, $2, $3, $4, $5)`,
			encodeText(c.Host), s.at(c.At), int64(lease), encodeText(c.Run), encodeTexts(c.Labels))
		askClaimed(b, c.Run)
	}, func(results pgx.BatchResults) error {
		out = nil
		var id *int64
		if err := results.QueryRow().Scan(&due, &id); err != nil {
			return err
		}
		if id == nil {
			return nil
		}
		out, err = hearClaimed(results)
		return err
	})
	return out, due, err
}

// claimed returns what was claimed for a run that this caller may have started.
func (s *Store) claimed(ctx context.Context, run string) (out *store.Claimed, err error) {
	err = s.alone(ctx, func(b *pgx.Batch) { askClaimed(b, run) }, func(results pgx.BatchResults) error {
		out, err = hearClaimed(results)
		if errors.Is(err, pgx.ErrNoRows) {
			out, err = nil, nil
		}
		return err
	})
	return out, err
}

func askClaimed(b *pgx.Batch, run string) {
	id := encodeText(run)
	b.Queue(`SELECT `+jobColumns+` FROM jobs WHERE id = (SELECT job FROM runs WHERE id = $1)`, id)
	b.Queue(`SELECT `+runColumns+` FROM runs WHERE id = $1`, id)
	b.Queue(`SELECT receipt, source, provider, event, delivery_id, sensitive, codec, context
		FROM job_events WHERE job = (SELECT job FROM runs WHERE id = $1) ORDER BY seq`, id)
}

func hearClaimed(results pgx.BatchResults) (*store.Claimed, error) {
	out := &store.Claimed{}
	var err error
	if out.Job, err = scanJob(results.QueryRow()); err != nil {
		return nil, err
	}
	if out.Run, err = scanRun(results.QueryRow()); err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	out.Merged, err = collect(rows, scanEvent)
	return out, err
}

func scanEvent(row pgx.Row) (e job.Event, err error) {
	var sensitive string
	var packed stored.Bytes
	err = row.Scan(text{&e.Receipt}, text{&e.Source}, text{&e.Provider}, text{&e.Name}, text{&e.DeliveryID}, text{&sensitive},
		&packed.Codec, &packed.Data)
	if err != nil {
		return e, err
	}
	if e.Sensitive, err = stored.ParseStrings(sensitive); err == nil {
		e.Context, err = packed.Unpack()
	}
	if err != nil {
		return e, fmt.Errorf("event %s: %w", e.DeliveryID, err)
	}
	return e, nil
}

// Finish implements [store.Store].
func (s *Store) Finish(ctx context.Context, f store.Finish) error {
	if f.State != job.Done && f.State != job.Failed {
		return fmt.Errorf("finish run %s: %q is not an end", f.Run, f.State)
	}
	var retry *int64
	if f.State == job.Failed && !f.RetryAt.IsZero() {
		delay := int64(f.RetryAt.Sub(f.At))
		retry = &delay
	}
	return s.end(ctx, "finish", f.Run, f.State, f.ExitCode, f.Reason, f.At, retry)
}

// noExit is the exit code of a run that was given back: its process's own is
// not known.
const noExit = -1

// Release implements [store.Store].
func (s *Store) Release(ctx context.Context, run, reason string, at time.Time) error {
	return s.end(ctx, "release", run, job.Waiting, noExit, reason, at, nil)
}

func (s *Store) end(ctx context.Context, what, run string, state job.State, exitCode int, reason string, at time.Time, retry *int64) error {
	answer := ""
	again := s.unsure.has(run)
	err := s.write(ctx, true, &work{
		locks: locks{ends: []string{run}},
		ask: func(b *pgx.Batch) {
			b.Queue(`SELECT al_finish($1, $2, $3, $4, $5, $6, $7)`,
				encodeText(run), string(state), exitCode, encodeText(reason), s.at(at), retry, again)
		},
		hear: func(results pgx.BatchResults) error { return results.QueryRow().Scan(&answer) },
	})
	switch {
	case err != nil:
		if errors.Is(err, store.ErrUnavailable) && !definite(err) {
			s.unsure.set(run, true)
		}
	case answer == "lost":
		err = fmt.Errorf("run %s: %w", run, store.ErrLost)
	case answer == "none":
		err = fmt.Errorf("run %s: %w", run, store.ErrNotFound)
	}
	if err != nil {
		if answer != "" {
			s.unsure.set(run, false)
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	s.unsure.set(run, false)
	s.talk.work()
	return nil
}

// Renew implements [store.Store]. A lease is as long as that which was claimed,
// from now on by the database's clock: what a host takes for now may be wrong.
func (s *Store) Renew(ctx context.Context, runs []string, until time.Time) (store.Renewed, error) {
	var out store.Renewed
	if len(runs) == 0 {
		return out, nil
	}
	var lease *int64
	if n := s.lease.Load(); n > 0 && !s.callersClock {
		lease = &n
	}
	under := map[string]string{}
	err := s.write(ctx, false, &work{
		locks: locks{renews: runs},
		ask: func(b *pgx.Batch) {
			b.Queue(`SELECT run, cancel FROM al_renew($1, $2, $3)`, encodeTexts(runs), nanos(until), lease)
		},
		hear: func(results pgx.BatchResults) error {
			clear(under)
			rows, err := results.Query()
			if err != nil {
				return err
			}
			var run, cancel string
			_, err = pgx.ForEachRow(rows, []any{text{&run}, text{&cancel}}, func() error {
				under[run] = cancel
				return nil
			})
			return err
		},
	})
	if err != nil { // the next try renews what this one did, too
		return out, fmt.Errorf("renew: %w", err)
	}
	for _, id := range runs {
		cancel, ours := under[id]
		switch {
		case !ours:
			out.Lost = append(out.Lost, id)
		case cancel != "":
			if out.Cancelled == nil {
				out.Cancelled = map[string]string{}
			}
			out.Cancelled[id] = cancel
		}
	}
	return out, nil
}

// Cancel implements [store.Store].
func (s *Store) Cancel(ctx context.Context, agentOrRun, reason string) ([]string, error) {
	var asked []string
	err := s.write(ctx, true, &work{
		locks: locks{cancels: []string{agentOrRun}},
		ask: func(b *pgx.Batch) {
			b.Queue(`SELECT al_cancel($1, $2)`, encodeText(agentOrRun), encodeText(reason))
		},
		hear: func(results pgx.BatchResults) error {
			asked = nil
			rows, err := results.Query()
			if err != nil {
				return err
			}
			asked, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cancel %s: %w", agentOrRun, err)
	}
	if len(asked) == 0 {
		return nil, nil
	}
	for i := range asked {
		asked[i] = decodeText(asked[i])
	}
	s.talk.cancelled(asked)
	return asked, nil
}

// Recover implements [store.Store].
func (s *Store) Recover(ctx context.Context, r store.Recovery) (store.Recovered, error) {
	var out store.Recovered
	err := s.alone(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT (lost).id, (lost).job, (lost).agent, (lost).trigger, (lost).attempt, (lost).host, (lost).started_at,
				(lost).ended_at, (lost).state, (lost).exit_code, (lost).reason, (lost).lease_until, dead
			FROM al_recover($1, $2, $3, $4)`, s.at(r.At), stored.Nanos(r.LeaseEndedBefore), encodeTexts(r.Living), r.MaxAttempts)
	}, func(results pgx.BatchResults) error {
		out = store.Recovered{}
		rows, err := results.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var dead bool
			run, err := scanRun(rows, &dead)
			if err != nil {
				return err
			}
			out.Lost = append(out.Lost, run)
			if dead {
				out.Dead = append(out.Dead, run.Job)
			}
		}
		return rows.Err()
	})
	if err != nil {
		return store.Recovered{}, fmt.Errorf("recover: %w", err)
	}
	if len(out.Lost) > 0 {
		s.talk.work()
	}
	return out, nil
}
