package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

const (
	runColumns = `id, job, agent, trigger, attempt, host, started_at, ended_at, state, exit_code, reason, lease_until`
	jobColumns = `id, agent, trigger, receipt, source, provider, event, delivery_id, state, attempt, crashes,
		queued_at, ended_at, reason, sensitive, codec, context, failures, concurrency_key, merged, ready_at`
)

// noExit is the exit code of a run that was given back: its process's own is
// not known.
const noExit = -1

func (s *stmt) runAt() job.Run {
	return job.Run{
		ID: s.ColumnText(0), Job: s.ColumnInt64(1), Agent: s.ColumnText(2), Trigger: job.Trigger(s.ColumnText(3)),
		Attempt: s.ColumnInt(4), Host: s.ColumnText(5), StartedAt: s.timeAt(6), EndedAt: s.timeAt(7),
		State: job.State(s.ColumnText(8)), ExitCode: s.ColumnInt(9), Reason: s.ColumnText(10), LeaseUntil: s.timeAt(11),
	}
}

func (s *stmt) jobAt() (job.Job, error) {
	j := job.Job{
		ID: s.ColumnInt64(0), Agent: s.ColumnText(1), Trigger: job.Trigger(s.ColumnText(2)), Receipt: s.ColumnText(3),
		Source: s.ColumnText(4), Provider: s.ColumnText(5), Event: s.ColumnText(6), DeliveryID: s.ColumnText(7),
		State: job.State(s.ColumnText(8)), Attempt: s.ColumnInt(9), Crashes: s.ColumnInt(10),
		QueuedAt: s.timeAt(11), EndedAt: s.timeAt(12), Reason: s.ColumnText(13),
		Failures: s.ColumnInt(17), ConcurrencyKey: s.ColumnText(18), Merged: s.ColumnInt(19), ReadyAt: s.timeAt(20),
	}
	context, err := unpack(s.ColumnInt(15), s.ColumnBlob(16, nil))
	if err != nil {
		return j, fmt.Errorf("job %d: context: %w", j.ID, err)
	}
	if len(context) > 0 {
		j.Context = context
	}
	if j.Sensitive, err = stored.ParseStrings(s.ColumnText(14)); err != nil {
		return j, fmt.Errorf("job %d: sensitive: %w", j.ID, err)
	}
	return j, nil
}

// Claim implements [store.Store].
func (s *Store) Claim(ctx context.Context, c store.Claim) (*store.Claimed, error) {
	if c.Run == "" {
		return nil, fmt.Errorf("claim: no run id")
	}
	var out *store.Claimed
	err := s.writer.do(ctx, 0, true, func(t *tx) (err error) {
		out, err = t.claim(c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	return out, nil
}

func (t *tx) claim(c store.Claim) (*store.Claimed, error) {
	if err := t.letGo(c.At); err != nil {
		return nil, err
	}
	if err := t.flushQueues(); err != nil {
		return nil, err
	}
	if t.totals.paused || t.totals.closedUntil != 0 || t.totals.scale > 0 && t.totals.running >= t.totals.scale {
		return nil, nil
	}
	agent, err := t.nextAgent(c.Labels)
	if agent == "" {
		return nil, err
	}
	row, err := t.queue(agent)
	if err != nil {
		return nil, err
	}
	return t.startRun(row, c)
}

// nextAgent returns the one whose job is next on a host with some labels.
func (t *tx) nextAgent(labels []string) (agent string, err error) {
	q := t.prepare(`SELECT agent, runs_on FROM queues
		WHERE head IS NOT NULL AND running < scale AND paused = 0 AND closed_until IS NULL ORDER BY head`)
	for agent == "" && q.next() {
		runsOn, err := stored.ParseStrings(q.ColumnText(1))
		if err != nil {
			return "", errors.Join(err, q.Reset())
		}
		missing := func(label string) bool { return !slices.Contains(labels, label) }
		if !slices.ContainsFunc(runsOn, missing) {
			agent = q.ColumnText(0)
		}
	}
	return agent, q.done()
}

// startRun starts a run of the job at the head of a queue.
func (t *tx) startRun(row *queueRow, c store.Claim) (*store.Claimed, error) {
	j, err := t.job(row.head)
	if err != nil {
		return nil, err
	}
	out := &store.Claimed{}
	if j.Merged > 0 {
		if out.Merged, err = t.mergedEvents(j.ID); err != nil {
			return nil, err
		}
	}
	j.State = job.Running
	j.Attempt++
	err = t.prepare(`UPDATE jobs SET state = 'running', attempt = ? WHERE id = ?`).int(int64(j.Attempt)).int(j.ID).exec()
	if err != nil {
		return nil, err
	}
	r := job.Run{
		ID: c.Run, Job: j.ID, Agent: j.Agent, Trigger: j.Trigger, Attempt: j.Attempt, Host: c.Host,
		StartedAt: c.At.UTC(), State: job.Running, LeaseUntil: c.Until.UTC(),
	}
	err = t.prepare(`INSERT INTO runs (` + runColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 'running', 0, '', ?)`).
		text(r.ID).int(r.Job).text(r.Agent).text(string(r.Trigger)).int(int64(r.Attempt)).text(r.Host).
		time(r.StartedAt).time(r.LeaseUntil).exec()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", r.ID, err)
	}

	row.waiting--
	row.running++
	t.totals.running++
	if err := t.findHead(row); err != nil {
		return nil, err
	}
	if err := t.spend(row, c.At); err != nil {
		return nil, err
	}
	out.Job, out.Run = j, r
	return out, nil
}

// mergedEvents returns the events of a job after its first.
func (c *conn) mergedEvents(id int64) ([]job.Event, error) {
	var events []job.Event
	q := c.prepare(`SELECT receipt, source, provider, event, delivery_id, sensitive, codec, context
		FROM job_events WHERE job = ? ORDER BY seq`).int(id)
	for q.next() {
		e := job.Event{
			Receipt: q.ColumnText(0), Source: q.ColumnText(1), Provider: q.ColumnText(2), Name: q.ColumnText(3),
			DeliveryID: q.ColumnText(4),
		}
		var err error
		if e.Sensitive, err = stored.ParseStrings(q.ColumnText(5)); err == nil {
			e.Context, err = unpack(q.ColumnInt(6), q.ColumnBlob(7, nil))
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("job %d: event %s: %w", id, e.DeliveryID, err), q.Reset())
		}
		events = append(events, e)
	}
	return events, q.done()
}

func (t *tx) job(id int64) (job.Job, error) {
	q := t.prepare(`SELECT ` + jobColumns + ` FROM jobs WHERE id = ?`).int(id)
	ok, err := q.one()
	if err != nil {
		return job.Job{}, err
	}
	if !ok {
		return job.Job{}, fmt.Errorf("job %d: %w", id, store.ErrNotFound)
	}
	j, err := q.jobAt()
	if err != nil {
		return j, err
	}
	return j, q.Reset()
}

// running returns a run that is still under way, or ErrNotFound or ErrLost.
func (t *tx) running(id string) (job.Run, error) {
	q := t.prepare(`SELECT ` + runColumns + ` FROM runs WHERE id = ?`).text(id)
	ok, err := q.one()
	if err != nil {
		return job.Run{}, err
	}
	if !ok {
		return job.Run{}, fmt.Errorf("run %s: %w", id, store.ErrNotFound)
	}
	r := q.runAt()
	if err := q.Reset(); err != nil {
		return r, err
	}
	if r.State != job.Running {
		return r, fmt.Errorf("run %s: %w", id, store.ErrLost)
	}
	return r, nil
}

// Renew implements [store.Store].
func (s *Store) Renew(ctx context.Context, runs []string, until time.Time) (store.Renewed, error) {
	var out store.Renewed
	if len(runs) == 0 {
		return out, nil
	}
	err := s.writer.do(ctx, 0, true, func(t *tx) error {
		out = store.Renewed{}
		for _, id := range runs {
			q := t.prepare(`UPDATE runs SET lease_until = ? WHERE id = ? AND state = 'running' RETURNING cancel`).time(until).text(id)
			ours, cancel := false, ""
			for q.next() {
				ours, cancel = true, q.ColumnText(0)
			}
			if err := q.done(); err != nil {
				return err
			}
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
		return nil
	})
	if err != nil {
		return store.Renewed{}, fmt.Errorf("renew: %w", err)
	}
	return out, nil
}

// Cancel implements [store.Store].
func (s *Store) Cancel(ctx context.Context, agentOrRun, reason string) ([]string, error) {
	var asked []string
	err := s.writer.do(ctx, 0, true, func(t *tx) error {
		asked = nil
		// An agent's name may look like a run's id, and then both are meant.
		for _, sql := range []string{
			`UPDATE runs SET cancel = ? WHERE id = ? AND state = 'running' RETURNING id`,
			`UPDATE runs INDEXED BY runs_under_way SET cancel = ?
				WHERE agent = ? AND state = 'running' AND lease_until IS NOT NULL RETURNING id`,
		} {
			q := t.prepare(sql).text(reason).text(agentOrRun)
			for q.next() {
				asked = append(asked, q.ColumnText(0))
			}
			if err := q.done(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cancel %s: %w", agentOrRun, err)
	}
	return asked, nil
}

// Finish implements [store.Store].
func (s *Store) Finish(ctx context.Context, f store.Finish) error {
	if f.State != job.Done && f.State != job.Failed {
		return fmt.Errorf("finish run %s: %q is not an end", f.Run, f.State)
	}
	return s.endRun(ctx, "finish", f.Run, func(t *tx, r job.Run, row *queueRow) error {
		err := t.endRun(r.ID, f.State, f.ExitCode, f.Reason, f.At)
		if err != nil {
			return err
		}
		if f.State == job.Failed && !f.RetryAt.IsZero() {
			row.waiting++
			return t.prepare(`UPDATE jobs SET state = 'waiting', failures = failures + 1, ready_at = ?, reason = ? WHERE id = ?`).
				time(f.RetryAt).text(f.Reason).int(r.Job).exec()
		}
		return t.endJob(row, r.Job, f.State, f.Reason, f.At)
	})
}

// endJob ends a job that ran, and lets the next of its line go.
func (t *tx) endJob(row *queueRow, id int64, state job.State, reason string, at time.Time) error {
	q := t.prepare(`UPDATE jobs SET state = ?, ended_at = ?, reason = ? WHERE id = ? RETURNING concurrency_key`).
		text(string(state)).time(at).text(reason).int(id)
	key := ""
	for q.next() {
		key = q.ColumnText(0)
	}
	if err := q.done(); err != nil {
		return err
	}
	return t.leaveLine(row, key)
}

// Release implements [store.Store].
func (s *Store) Release(ctx context.Context, run, reason string, at time.Time) error {
	return s.endRun(ctx, "release", run, func(t *tx, r job.Run, row *queueRow) error {
		if err := t.endRun(r.ID, job.Waiting, noExit, reason, at); err != nil {
			return err
		}
		row.pushBack(r.Job)
		return t.prepare(`UPDATE jobs SET state = 'waiting' WHERE id = ?`).int(r.Job).exec()
	})
}

// endRun takes a run that is still the caller's off the running ones.
func (s *Store) endRun(ctx context.Context, what, run string, end func(*tx, job.Run, *queueRow) error) error {
	var answer error
	err := s.writer.do(ctx, 0, true, func(t *tx) error {
		var r job.Run
		if r, answer = t.running(run); answer != nil {
			return databaseError(answer)
		}
		return t.leaveRunning(r, end)
	})
	if err == nil {
		err = answer
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (t *tx) leaveRunning(r job.Run, end func(*tx, job.Run, *queueRow) error) error {
	row, err := t.queue(r.Agent)
	if err != nil {
		return err
	}
	row.running--
	t.totals.running--
	return end(t, r, row)
}

func (t *tx) endRun(id string, state job.State, exitCode int, reason string, at time.Time) error {
	return t.prepare(`UPDATE runs SET state = ?, exit_code = ?, reason = ?, ended_at = ? WHERE id = ?`).
		text(string(state)).int(int64(exitCode)).text(reason).time(at).text(id).exec()
}

// Recover implements [store.Store].
func (s *Store) Recover(ctx context.Context, r store.Recovery) (store.Recovered, error) {
	var out store.Recovered
	err := s.writer.do(ctx, 0, true, func(t *tx) error {
		out = store.Recovered{}
		var lost []job.Run
		q := t.prepare(`SELECT ` + runColumns + ` FROM runs WHERE state = 'running' AND lease_until < ? ORDER BY lease_until`).
			time(r.LeaseEndedBefore)
		for q.next() {
			if run := q.runAt(); !slices.Contains(r.Living, run.Host) {
				lost = append(lost, run)
			}
		}
		if err := q.done(); err != nil {
			return err
		}
		for i := range lost {
			dead, err := t.giveUp(&lost[i], r)
			if err != nil {
				return err
			}
			if dead {
				out.Dead = append(out.Dead, lost[i].Job)
			}
		}
		out.Lost = lost
		return nil
	})
	if err != nil {
		return store.Recovered{}, fmt.Errorf("recover: %w", err)
	}
	return out, nil
}

// giveUp ends a run whose host is gone, and says whether its job is dead.
func (t *tx) giveUp(lost *job.Run, rec store.Recovery) (dead bool, err error) {
	j, err := t.job(lost.Job)
	if err != nil {
		return false, err
	}
	crashes := j.Crashes + 1
	dead = crashes >= rec.MaxAttempts

	lost.EndedAt, lost.ExitCode = rec.At.UTC(), noExit
	lost.Reason = fmt.Sprintf("the host %s stopped while it ran", lost.Host)
	lost.State = job.Waiting
	if dead {
		lost.State = job.Failed
	}
	err = t.leaveRunning(*lost, func(t *tx, r job.Run, row *queueRow) error {
		if err := t.endRun(r.ID, r.State, r.ExitCode, r.Reason, r.EndedAt); err != nil {
			return err
		}
		if !dead {
			row.pushBack(j.ID)
			return t.prepare(`UPDATE jobs SET state = 'waiting', crashes = ? WHERE id = ?`).
				int(int64(crashes)).int(j.ID).exec()
		}
		reason := fmt.Sprintf("given up: its host stopped %d times while it ran", crashes)
		if crashes == 1 {
			reason = "given up: its host stopped while it ran"
		}
		if err := t.prepare(`UPDATE jobs SET crashes = ? WHERE id = ?`).int(int64(crashes)).int(j.ID).exec(); err != nil {
			return err
		}
		return t.endJob(row, j.ID, job.Dead, reason, rec.At)
	})
	return dead, err
}
