//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// crashRecord is what the store's file says, read past the store's own code and
// in one transaction.
type crashRecord struct {
	jobs     map[int64]*crashJob       // since the given one
	byID     map[string][]*crashJob    // the same by agent and delivery id, joined events included
	depths   map[string]crashDepth     // as the queues have them
	counted  map[string]crashDepth     // as the jobs are
	running  int                       // as the totals have it
	underWay int                       // runs that have not ended
	runs     map[string]crashRunRecord // of those jobs
	last     int64                     // highest job id ever
	dropped  map[string]int64          // ever, by agent
}

type crashDepth struct{ waiting, running int64 }

type crashJob struct {
	id                          int64
	agent, trigger, key, state  string
	delivery                    string
	attempt, crashes, failures  int64
	merged                      int64
	line                        string // its concurrency key
	events                      int64  // that joined it
	done, failed, back, ongoing int64  // its runs
	lastRun                     string // id
	lastState                   string
}

type crashRunRecord struct {
	job   int64
	state string
	code  int64
}

// readCrashRecord reads the jobs after one, and what holds for all. It neither
// needs the gateway nor minds it, and leaves the files as they are.
func readCrashRecord(t *testing.T, dir string, after int64) *crashRecord {
	t.Helper()
	uri := url.URL{Scheme: "file", Path: filepath.Join(dir, ".al", "al.db")}
	c, err := sqlite3.OpenFlags(uri.String(), sqlite3.OPEN_READONLY|sqlite3.OPEN_URI)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("PRAGMA busy_timeout = 10000; BEGIN"); err != nil {
		t.Fatal(err)
	}
	r := &crashRecord{
		jobs: map[int64]*crashJob{}, byID: map[string][]*crashJob{}, runs: map[string]crashRunRecord{},
		depths: map[string]crashDepth{}, counted: map[string]crashDepth{}, dropped: map[string]int64{},
	}
	rows(t, c, `SELECT running, last_job FROM totals`, 0, func(s *sqlite3.Stmt) {
		r.running, r.last = s.ColumnInt(0), s.ColumnInt64(1)
	})
	rows(t, c, `SELECT agent, waiting, running, dropped FROM queues`, 0, func(s *sqlite3.Stmt) {
		r.depths[s.ColumnText(0)] = crashDepth{s.ColumnInt64(1), s.ColumnInt64(2)}
		r.dropped[s.ColumnText(0)] = s.ColumnInt64(3)
	})
	rows(t, c, `SELECT agent, sum(state = 'waiting'), sum(state = 'running') FROM jobs
		WHERE state IN ('waiting', 'running') GROUP BY agent`, 0, func(s *sqlite3.Stmt) {
		r.counted[s.ColumnText(0)] = crashDepth{s.ColumnInt64(1), s.ColumnInt64(2)}
	})
	rows(t, c, `SELECT count(*) FROM runs WHERE state = 'running'`, 0, func(s *sqlite3.Stmt) { r.underWay = s.ColumnInt(0) })
	rows(t, c, `SELECT id, agent, trigger, key, state, delivery_id, attempt, crashes, failures, merged, concurrency_key
		FROM jobs WHERE id > ? ORDER BY id`, after, func(s *sqlite3.Stmt) {
		j := &crashJob{
			id: s.ColumnInt64(0), agent: s.ColumnText(1), trigger: s.ColumnText(2), key: s.ColumnText(3), state: s.ColumnText(4),
			delivery: s.ColumnText(5), attempt: s.ColumnInt64(6), crashes: s.ColumnInt64(7), failures: s.ColumnInt64(8),
			merged: s.ColumnInt64(9), line: s.ColumnText(10),
		}
		r.jobs[j.id] = j
		r.add(j, j.delivery)
	})
	rows(t, c, `SELECT job, delivery_id FROM job_events WHERE job > ? ORDER BY job, seq`, after, func(s *sqlite3.Stmt) {
		if j := r.jobs[s.ColumnInt64(0)]; j != nil {
			j.events++
			r.add(j, s.ColumnText(1))
		} else {
			t.Errorf("event of job %d, which there is not", s.ColumnInt64(0))
		}
	})
	r.readRuns(t, c, after)
	if err := c.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *crashRecord) readRuns(t *testing.T, c *sqlite3.Conn, after int64) {
	t.Helper()
	turn := map[string]int64{}
	rows(t, c, `SELECT id, job, state, exit_code, attempt FROM runs WHERE job > ? ORDER BY id`, after, func(s *sqlite3.Stmt) {
		r.addRun(t, turn, s.ColumnText(0), s.ColumnInt64(4), crashRunRecord{s.ColumnInt64(1), s.ColumnText(2), s.ColumnInt64(3)})
	})
}

// addRun takes in a run, in the order in which they began; turn tells whose it
// is, by agent and concurrency key.
func (r *crashRecord) addRun(t *testing.T, turn map[string]int64, id string, attempt int64, run crashRunRecord) {
	t.Helper()
	r.runs[id] = run
	j := r.jobs[run.job]
	if j == nil {
		t.Errorf("run %s of job %d, which there is not", id, run.job)
		return
	}
	switch run.state {
	case "done":
		j.done++
	case "failed":
		j.failed++
	case "waiting":
		j.back++
	case "running":
		j.ongoing++
	default:
		t.Errorf("run %s is %q", id, run.state)
	}
	if n := j.done + j.failed + j.back + j.ongoing; attempt != n {
		t.Errorf("run %s is attempt %d of job %d and its run number %d", id, attempt, j.id, n)
	}
	j.lastRun, j.lastState = id, run.state
	if j.line != "" {
		line := j.agent + " " + j.line
		if turn[line] > j.id {
			t.Errorf("job %d ran after job %d, before which it was in line %q", j.id, turn[line], j.line)
		}
		turn[line] = j.id
	}
}

func (r *crashRecord) add(j *crashJob, delivery string) {
	if delivery != "" {
		r.byID[j.agent+" "+delivery] = append(r.byID[j.agent+" "+delivery], j)
	}
}

func rows(t *testing.T, c *sqlite3.Conn, sql string, after int64, row func(*sqlite3.Stmt)) {
	t.Helper()
	s, _, err := c.Prepare(sql)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if s.BindCount() > 0 {
		if err := s.BindInt64(1, after); err != nil {
			t.Fatal(err)
		}
	}
	for s.Step() {
		row(s)
	}
	if err := s.Err(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// check tells what in the record can not be.
func (r *crashRecord) check(t *testing.T, maxAttempts int64) {
	t.Helper()
	running := int64(0)
	for agent, d := range r.depths {
		running += d.running
		if r.counted[agent] != d {
			t.Errorf("queue of %s: %+v, and its jobs are %+v", agent, d, r.counted[agent])
		}
		delete(r.counted, agent)
	}
	for agent, d := range r.counted {
		t.Errorf("%s has jobs %+v and no queue", agent, d)
	}
	if int64(r.running) != running || int64(r.underWay) != running {
		t.Errorf("%d jobs run, the totals say %d, and there are %d runs under way", running, r.running, r.underWay)
	}
	ticks := map[string]int64{}
	for _, j := range r.jobs {
		if err := j.check(maxAttempts); err != nil {
			t.Errorf("%+v: %v", *j, err)
		}
		if j.trigger == "schedule" {
			if other := ticks[j.agent+" "+j.key]; other != 0 {
				t.Errorf("jobs %d and %d of %s are for one tick, %s", other, j.id, j.agent, j.key)
			}
			ticks[j.agent+" "+j.key] = j.id
		}
	}
}

// check compares a job with its runs.
func (j *crashJob) check(maxAttempts int64) error {
	if n := j.done + j.failed + j.back + j.ongoing; j.attempt != n {
		return fmt.Errorf("it has %d runs", n)
	}
	if j.merged != j.events {
		return fmt.Errorf("%d events joined it", j.events)
	}
	if j.state != "running" && j.ongoing != 0 || j.state == "running" && (j.ongoing != 1 || j.lastState != "running") {
		return fmt.Errorf("%d of its runs are under way", j.ongoing)
	}
	if j.state != "dead" && j.crashes >= maxAttempts {
		return fmt.Errorf("it should be dead")
	}
	failures := j.failed
	switch j.state {
	case "waiting", "running", "dropped":
		if j.done != 0 {
			return fmt.Errorf("it was done")
		}
	case "done":
		if j.done != 1 || j.lastState != "done" {
			return fmt.Errorf("it was not done, or twice")
		}
	case "failed":
		if failures--; j.lastState != "failed" || j.done != 0 {
			return fmt.Errorf("its last run did not fail")
		}
	case "dead":
		if failures--; j.crashes < maxAttempts || j.done != 0 {
			return fmt.Errorf("it should not be dead")
		}
	default:
		return fmt.Errorf("no such state")
	}
	if j.failures != failures {
		return fmt.Errorf("%d of its runs failed and were retried", failures)
	}
	return nil
}
