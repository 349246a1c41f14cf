package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

const (
	runColumns = `id, job, agent, trigger, attempt, host, started_at, ended_at, state, exit_code, reason, lease_until`
	jobColumns = `id, agent, trigger, receipt, source, provider, event, delivery_id, state, attempt, crashes,
		queued_at, ended_at, reason, sensitive, codec, context`
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
	}
	context, err := unpack(s.ColumnInt(15), s.ColumnBlob(16, nil))
	if err != nil {
		return j, fmt.Errorf("job %d: context: %w", j.ID, err)
	}
	if len(context) > 0 {
		j.Context = context
	}
	if j.Sensitive, err = decodeStrings(s.ColumnText(14)); err != nil {
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
	if t.totals.scale > 0 && t.totals.running >= t.totals.scale {
		return nil, nil
	}
	q := t.prepare(`SELECT agent FROM queues WHERE waiting > 0 AND running < scale ORDER BY head LIMIT 1`)
	ok, err := q.one()
	if !ok {
		return nil, err
	}
	agent := q.ColumnText(0)
	if err := q.Reset(); err != nil {
		return nil, err
	}
	row, err := t.queue(agent)
	if err != nil {
		return nil, err
	}

	j, err := t.job(row.head)
	if err != nil {
		return nil, err
	}
	j.State = job.Running
	j.Attempt++
	err = t.prepare(`UPDATE jobs SET state = 'running', attempt = ? WHERE id = ?`).int(int64(j.Attempt)).int(j.ID).exec()
	if err != nil {
		return nil, err
	}
	r := job.Run{
		ID: c.Run, Job: j.ID, Agent: agent, Trigger: j.Trigger, Attempt: j.Attempt, Host: c.Host,
		StartedAt: c.At.UTC(), State: job.Running, LeaseUntil: c.Until.UTC(),
	}
	err = t.prepare(`INSERT INTO runs (` + runColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 'running', 0, '', ?)`).
		text(r.ID).int(r.Job).text(r.Agent).text(string(r.Trigger)).int(int64(r.Attempt)).text(r.Host).
		time(r.StartedAt).time(r.LeaseUntil).exec()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", r.ID, err)
	}

	row.running++
	t.totals.running++
	if err := t.popHead(&row); err != nil {
		return nil, err
	}
	return &store.Claimed{Job: j, Run: r}, t.saveQueue(&row)
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
func (s *Store) Renew(ctx context.Context, runs []string, until time.Time) ([]string, error) {
	if len(runs) == 0 {
		return nil, nil
	}
	var lost []string
	err := s.writer.do(ctx, 0, true, func(t *tx) error {
		lost = nil
		for _, id := range runs {
			err := t.prepare(`UPDATE runs SET lease_until = ? WHERE id = ? AND state = 'running'`).time(until).text(id).exec()
			if err != nil {
				return err
			}
			if t.Changes() == 0 {
				lost = append(lost, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("renew: %w", err)
	}
	return lost, nil
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
		return t.prepare(`UPDATE jobs SET state = ?, ended_at = ?, reason = ? WHERE id = ?`).
			text(string(f.State)).time(f.At).text(f.Reason).int(r.Job).exec()
	})
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
	if err := end(t, r, &row); err != nil {
		return err
	}
	return t.saveQueue(&row)
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
			lost = append(lost, q.runAt())
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
		return t.prepare(`UPDATE jobs SET state = 'dead', crashes = ?, ended_at = ?, reason = ? WHERE id = ?`).
			int(int64(crashes)).time(rec.At).text(reason).int(j.ID).exec()
	})
	return dead, err
}
