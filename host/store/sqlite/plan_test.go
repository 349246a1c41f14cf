package sqlite

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// No statement may read a table from end to end: it would get slower with every
// job that waits and every delivery that is remembered.
func TestNoStatementWalksATable(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := openStore(t, filepath.Join(t.TempDir(), "al.db"), Options{})
	defer closeStore(t, s)

	// Every statement there is, by using them.
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.SetLimits(ctx, store.Limits{Agents: []store.AgentLimits{{Agent: "dev", Scale: 2, Capacity: 2}}}))
	for i := range 4 {
		_, err := s.Accept(ctx, store.Acceptance{
			Receipt: &job.Receipt{ID: fmt.Sprint("01", i), ReceivedAt: noon},
			Jobs:    []store.NewJob{{Agent: "dev", Key: fmt.Sprint(i / 2), OnlyIfFree: i > 2}}, At: noon,
		})
		must(err)
	}
	for i, end := range []func(run string) error{
		func(run string) error { return s.Release(ctx, run, "", noon) },
		func(run string) error { return s.Finish(ctx, store.Finish{Run: run, State: job.Done, At: noon}) },
		func(run string) error {
			if _, err := s.Renew(ctx, []string{run}, noon); err != nil {
				return err
			}
			_, err := s.Recover(ctx, store.Recovery{At: noon, LeaseEndedBefore: noon.AddDate(1, 0, 0), MaxAttempts: 1})
			return err
		},
	} {
		run := fmt.Sprint("run", i)
		c, err := s.Claim(ctx, store.Claim{Run: run, At: noon, Until: noon})
		must(err)
		if c == nil {
			t.Fatalf("nothing to claim for run %d", i)
		}
		must(end(run))
	}
	for _, agent := range []string{"", "dev"} {
		for _, state := range []job.State{"", job.Waiting, job.Running, job.Done, job.Failed, job.Dropped, job.Dead} {
			_, err := s.Jobs(ctx, store.Query{Agent: agent, State: state})
			must(err)
			_, err = s.Runs(ctx, store.Query{Agent: agent, State: state})
			must(err)
		}
		_, err := s.Tally(ctx, agent, noon)
		must(err)
	}
	_, err := s.Job(ctx, 1)
	must(err)
	_, err = s.Run(ctx, "run0")
	must(err)
	_, err = s.RunsOf(ctx, 1)
	must(err)
	for _, outcome := range []job.Outcome{"", job.Queued, job.Unmatched, job.Unparseable} {
		for mask := range 16 {
			q := store.Query{Outcome: outcome, Dead: mask&1 != 0}
			if mask&2 != 0 {
				q.Provider = "fake"
			}
			if mask&4 != 0 {
				q.Source = "one"
			}
			if mask&8 != 0 {
				q.Since = noon
			}
			_, err = s.Receipts(ctx, q)
			must(err)
		}
	}
	_, err = s.Taken(ctx, []string{"010"})
	must(err)
	_, err = s.Accept(ctx, store.Acceptance{Jobs: []store.NewJob{{Agent: "dev", Key: "0", Again: true}}, At: noon})
	must(err)
	_, err = s.Receipt(ctx, "010")
	must(err)
	_, err = s.Prune(ctx, store.Prune{Before: noon.AddDate(1, 0, 0), MaxBytes: 1, Step: 10})
	must(err)

	var texts []string
	must(s.writer.do(ctx, 0, true, func(t *tx) error {
		for sql := range maps.Keys(t.stmts) {
			texts = append(texts, sql)
		}
		return nil
	}))
	must(s.read(ctx, func(c *conn) error {
		for sql := range maps.Keys(c.stmts) {
			texts = append(texts, sql)
		}
		for _, sql := range texts {
			if strings.HasPrefix(sql, "BEGIN") || strings.HasPrefix(sql, "COMMIT") || strings.HasPrefix(sql, "PRAGMA") {
				continue
			}
			plan := c.prepare("EXPLAIN QUERY PLAN " + sql)
			for plan.next() {
				step := plan.ColumnText(3)
				switch {
				case strings.Contains(sql, "state = 'waiting'") && strings.Contains(step, "jobs_by_agent"):
					// Past every job of the agent that has ended.
					t.Errorf("%s\n  %s", sql, step)
				case strings.HasPrefix(step, "SCAN totals"), // one row
					strings.HasPrefix(step, "SCAN queues"),                               // a row for each agent
					strings.HasPrefix(step, "SCAN receipts USING INDEX receipts_by_age"), // in order, until enough are found
					strings.HasPrefix(step, "SCAN CONSTANT"):
				case strings.Contains(step, "SCAN"), strings.Contains(step, "TEMP B-TREE"):
					t.Errorf("%s\n  %s", sql, step)
				}
			}
			if err := plan.done(); err != nil {
				return err
			}
		}
		return nil
	}))
	if len(texts) < 30 {
		t.Errorf("only %d statements were looked at", len(texts))
	}
}
