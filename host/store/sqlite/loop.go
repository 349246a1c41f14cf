package sqlite

import (
	"fmt"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// chain counts how many events in a row, up to and with this one, came of the
// agent's own runs: each while a run for the one before it was under way, or
// within the window after its end. Events that came while the one before still
// waited prove nothing, and leave the count as it is.
func (t *tx) chain(row *queueRow, j *store.NewJob, at int64) (int64, error) {
	if j.Loop.Limit <= 0 || j.Loop.Entity == "" {
		return 0, nil
	}
	q := t.prepare(`SELECT chain, state, ended_at FROM jobs
		WHERE agent = ? AND entity = ? AND entity <> '' AND sender = ? AND id > ? ORDER BY id DESC LIMIT 1`).
		text(row.agent).text(j.Loop.Entity).text(j.Loop.Sender).int(row.resumedAfter)
	ok, err := q.one()
	if !ok {
		return 0, err
	}
	chain, state, ended := q.ColumnInt64(0), job.State(q.ColumnText(1)), q.ColumnInt64(2)
	if err := q.Reset(); err != nil {
		return 0, err
	}
	switch state {
	case job.Waiting, job.Dropped:
		return chain, nil
	case job.Running:
		return chain + 1, nil
	case job.Done, job.Failed, job.Dead:
		if at <= ended+int64(j.Loop.Window) {
			return chain + 1, nil
		}
	}
	return 0, nil
}

// trip pauses an agent that keeps starting itself.
func (o *acceptOp) trip(row *queueRow, j *store.NewJob, chain int64) {
	if j.Loop.Limit <= 0 || chain <= int64(j.Loop.Limit) || row.paused {
		return
	}
	row.paused = true
	row.pausedReason = fmt.Sprintf("it keeps starting itself: %d events in a row about %q by %q came of its own runs",
		chain, j.Loop.Entity, j.Loop.Sender)
	o.out.Tripped = append(o.out.Tripped, store.Trip{Agent: row.agent, Reason: row.pausedReason})
}
