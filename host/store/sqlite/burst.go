package sqlite

import (
	"time"

	"github.com/action-llama/gateway/host/store"
)

// join puts an event into the job that waits for the end of its burst, and
// returns that job, or 0 when there is none.
func (t *tx) join(o *acceptOp, i int) (int64, error) {
	j := &o.Jobs[i]
	if j.Debounce.Group == "" {
		return 0, nil
	}
	q := t.prepare(`SELECT id, merged, burst_end, blocked FROM jobs WHERE agent = ? AND burst = ? AND burst <> ''`).
		text(j.Agent).text(j.Debounce.Group)
	ok, err := q.one()
	if !ok {
		return 0, err
	}
	id, merged, end, blocked := q.ColumnInt64(0), q.ColumnInt64(1)+1, q.timeAt(2), q.ColumnInt64(3) != 0
	if err := q.Reset(); err != nil {
		return 0, err
	}
	err = t.prepare(`INSERT INTO job_events (job, seq, agent, receipt, source, provider, event, delivery_id, key, sensitive, codec, context)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).
		int(id).int(merged).text(j.Agent).text(o.receiptID()).text(j.Source).text(j.Provider).text(j.Event).
		text(j.DeliveryID).text(j.Key).text(o.sensitive[i]).int(o.contexts[i].codec).blob(o.contexts[i].bytes).exec()
	if err != nil {
		return 0, err
	}
	if merged < store.MaxMerged {
		ready := o.At.Add(j.Debounce.Quiet)
		if ready.After(end) {
			ready = end
		}
		return id, t.prepare(`UPDATE jobs SET merged = ?, ready_at = ? WHERE id = ?`).int(merged).time(ready).int(id).exec()
	}
	// Full: it need not wait any longer, and the next event begins another.
	err = t.prepare(`UPDATE jobs SET merged = ?, ready_at = NULL, burst = '', burst_end = NULL WHERE id = ?`).int(merged).int(id).exec()
	if err != nil || blocked {
		return id, err
	}
	row, err := t.queue(j.Agent)
	if err != nil {
		return id, err
	}
	row.ready(id)
	return id, nil
}

// burstTimes returns until when a new job waits for further events, and until
// when at most; zero for one that waits for none.
func burstTimes(d store.Debounce, at time.Time) (ready, end time.Time) {
	if d.Group == "" {
		return ready, end
	}
	ready, end = at.Add(d.Quiet), at.Add(max(d.Max, d.Quiet))
	return ready, end
}
