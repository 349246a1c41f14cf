//go:build e2e

package e2e

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// readFleetRecord reads what the database says, past the store's own code and in
// one transaction: the jobs after one, and what holds for all.
func readFleetRecord(t *testing.T, url string, after int64) *crashRecord {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var c *pgx.Conn
	var err error
	await(t, "the database answers", func() bool {
		c, err = pgx.Connect(ctx, url)
		return err == nil
	}, func() string { return err.Error() })
	defer func() { _ = c.Close(ctx) }()
	tx, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	r := &crashRecord{
		jobs: map[int64]*crashJob{}, byID: map[string][]*crashJob{}, runs: map[string]crashRunRecord{},
		depths: map[string]crashDepth{}, counted: map[string]crashDepth{}, dropped: map[string]int64{},
	}
	var agent string
	var waiting, running, dropped int64
	each := func(sql string, args []any, into []any, row func()) {
		t.Helper()
		rows, err := tx.Query(ctx, sql, args...)
		if err == nil {
			_, err = pgx.ForEachRow(rows, into, func() error { row(); return nil })
		}
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	each(`SELECT agent, waiting, running, dropped FROM queues`, nil, []any{&agent, &waiting, &running, &dropped}, func() {
		r.depths[agent] = crashDepth{waiting, running}
		r.dropped[agent] = dropped
	})
	each(`SELECT agent, count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'running') FROM jobs
		WHERE state IN ('waiting', 'running') GROUP BY agent`, nil, []any{&agent, &waiting, &running}, func() {
		r.counted[agent] = crashDepth{waiting, running}
	})
	each(`SELECT count(*) FROM runs WHERE state = 'running'`, nil, []any{&r.underWay}, func() {})
	r.running = r.underWay // the store keeps no total of its own
	var j crashJob
	each(`SELECT id, agent, trigger, key, state, delivery_id, attempt, crashes, failures, merged, concurrency_key
		FROM jobs WHERE id > $1 ORDER BY id`, []any{after},
		[]any{&j.id, &j.agent, &j.trigger, &j.key, &j.state, &j.delivery, &j.attempt, &j.crashes, &j.failures, &j.merged, &j.line}, func() {
			one := j
			r.jobs[one.id] = &one
			r.last = one.id
			r.add(&one, one.delivery)
		})
	var id int64
	var delivery string
	each(`SELECT job, delivery_id FROM job_events WHERE job > $1 ORDER BY job, seq`, []any{after}, []any{&id, &delivery}, func() {
		if j := r.jobs[id]; j != nil {
			j.events++
			r.add(j, delivery)
		} else {
			t.Errorf("event of job %d, which there is not", id)
		}
	})
	turn := map[string]int64{}
	var run crashRunRecord
	var name string
	var attempt int64
	// By the database's clock: the ids are by those of the hosts.
	each(`SELECT id, job, state, exit_code, attempt FROM runs WHERE job > $1 ORDER BY started_at, id`, []any{after},
		[]any{&name, &run.job, &run.state, &run.code, &attempt}, func() { r.addRun(t, turn, name, attempt, run) })
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}
