package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// month is a store whose days pass as fast as it can work.
type month struct {
	t    *testing.T
	path string
	*Store
	day time.Time
	n   atomic.Int64
}

func newMonth(t *testing.T) *month {
	t.Helper()
	m := &month{t: t, path: filepath.Join(t.TempDir(), "al.db"), day: noon}
	m.Store = openStore(t, m.path, Options{})
	t.Cleanup(func() { closeStore(t, m.Store) })
	err := m.SetLimits(t.Context(), store.Limits{Agents: []store.AgentLimits{
		{Agent: "dev", Scale: 1000, Capacity: 1 << 20}, {Agent: "narrow", Scale: 1000, Capacity: 5},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// callers are many at once, so that they share commits.
func (m *month) callers(times int, f func(i int) error) {
	m.t.Helper()
	const callers = 32
	failed := make(chan error, callers)
	var next atomic.Int64
	for range callers {
		go func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= times {
					failed <- nil
					return
				}
				if err := f(i); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	for range callers {
		if err := <-failed; err != nil {
			m.t.Fatal(err)
		}
	}
}

// pass is a day with so many deliveries: most start a job that runs, some are
// dropped, some start nothing, and a few wait for longer.
func (m *month) pass(deliveries int) {
	m.t.Helper()
	m.day = m.day.AddDate(0, 0, 1)
	ctx := m.t.Context()
	m.callers(deliveries, func(i int) error {
		n := m.n.Add(1)
		at := m.day.Add(time.Duration(i) * time.Second)
		r := job.Receipt{ID: fmt.Sprintf("r%09d", n), ReceivedAt: at, Body: noise(500 + rand.IntN(6000))}
		if i%5 == 0 {
			m.Note(r)
			return nil
		}
		agent := "dev"
		if i%5 == 1 {
			agent = "narrow"
		}
		_, err := m.Accept(ctx, store.Acceptance{Receipt: &r, At: at, Jobs: []store.NewJob{{
			Agent: agent, Trigger: job.Webhook, Source: "main", Provider: "fake", Event: "issues",
			Key: r.ID, DeliveryID: r.ID, Context: noise(600),
		}}})
		return err
	})
	m.callers(deliveries*3/5, func(int) error {
		at := m.day.Add(time.Hour)
		c, err := m.Claim(ctx, store.Claim{Host: "here", At: at, Until: at.Add(time.Minute), Run: fmt.Sprintf("run%09d", m.n.Add(1))})
		if err != nil || c == nil {
			return err
		}
		return m.Finish(ctx, store.Finish{Run: c.Run.ID, State: job.Done, At: at.Add(time.Minute)})
	})
}

// prune is what the gateway does now and then.
func (m *month) prune(p store.Prune) (steps int) {
	m.t.Helper()
	p.Step = store.PruneStep
	steps, err := store.PruneAll(m.t.Context(), m.Store, p)
	if err != nil {
		m.t.Fatal(err)
	}
	return steps
}

// size is that of the file, with the log folded in.
func (m *month) size() int64 {
	m.t.Helper()
	closeStore(m.t, m.Store)
	info, err := os.Stat(m.path)
	if err != nil {
		m.t.Fatal(err)
	}
	m.Store = openStore(m.t, m.path, Options{})
	return info.Size()
}

func (m *month) one(sql string) (n int64) {
	m.t.Helper()
	err := m.read(context.Background(), func(c *conn) error {
		q := c.prepare(sql)
		if q.next() {
			n = q.ColumnInt64(0)
		}
		return q.done()
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

// The file of a gateway that is always at work grows until its oldest history
// is old enough to go, and no further: what is freed is used again.
func TestAMonthOfTrafficDoesNotGrowTheFileWithoutEnd(t *testing.T) {
	t.Parallel()
	const retention, perDay = 7, 120
	m := newMonth(t)
	sizes := map[int]int64{}
	for day := 1; day <= 31; day++ {
		m.pass(perDay)
		m.prune(store.Prune{Before: m.day.AddDate(0, 0, -retention)})
		switch day {
		case 3, 14, 21, 31:
			sizes[day] = m.size()
		}
	}
	t.Logf("size by day: %v", sizes)
	if sizes[14] < 2*sizes[3] {
		t.Errorf("sizes %v: too little was written for this to tell anything", sizes)
	}
	if sizes[31] > sizes[21]*11/10 {
		t.Errorf("the file was %d bytes after three weeks and is %d after a month", sizes[21], sizes[31])
	}
	if n := m.one(`SELECT count(*) FROM receipts`); n > (retention+2)*perDay {
		t.Errorf("%d receipts are kept of %d a day for %d days", n, perDay, retention)
	}
	for _, table := range []string{"jobs WHERE ended_at", "runs WHERE ended_at"} {
		if n := m.one(fmt.Sprintf(`SELECT count(*) FROM %s < %d`, table, m.day.AddDate(0, 0, -retention).UnixNano())); n > 0 {
			t.Errorf("%d old %s are left", n, table)
		}
	}
	checkCounts(t, m.Store)
}

// The bound in bytes holds whatever the retention, and the newest stay.
func TestHistoryMaxBytesHolds(t *testing.T) {
	t.Parallel()
	const most = 400 << 10
	m := newMonth(t)
	var sizes []int64
	for day := range 10 {
		m.pass(100)
		m.prune(store.Prune{Before: m.day.AddDate(-1, 0, 0), MaxBytes: most})
		stored := m.one(`SELECT sum(size) FROM receipts`)
		if total := m.one(`SELECT receipt_bytes FROM totals`); stored > most || total != stored {
			t.Fatalf("%d bytes of receipts are stored, the totals say %d, and the bound is %d", stored, total, most)
		}
		if day > 1 && stored < most*9/10 {
			t.Errorf("only %d of %d bytes are used", stored, most)
		}
		sizes = append(sizes, m.size())
	}
	newest, err := m.Receipts(t.Context(), store.Query{Limit: 1})
	if err != nil || len(newest) != 1 || newest[0].ReceivedAt.Before(m.day) {
		t.Errorf("the newest receipt is %+v, %v; want one of the last day", newest, err)
	}
	// Jobs and runs have no such bound and are kept for a year here.
	receipts := m.one(`SELECT count(*) FROM receipts`)
	t.Logf("sizes %v, %d receipts", sizes, receipts)
}

// Deleting goes in steps of a transaction each, and a delivery that comes
// meanwhile waits for one of them at most, however much there is to delete.
func TestDeliveriesDoNotWaitForPruning(t *testing.T) {
	t.Parallel()
	m := newMonth(t)
	for range 4 {
		m.pass(250)
	}
	const step = 20
	before := m.one(`SELECT count(*) FROM receipts`)

	// While the writer is held up, both queue up behind each other.
	held, release := make(chan struct{}), make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		err := m.writer.do(context.Background(), 0, true, func(*tx) error {
			close(held)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	steps := 0
	waiting.Go(func() {
		var err error
		steps, err = store.PruneAll(context.Background(), m.Store, store.Prune{Before: m.day.AddDate(0, 1, 0), Step: step})
		if err != nil {
			t.Error(err)
		}
	})
	m.queued(1)
	left := int64(0)
	waiting.Go(func() { // as Accept does it
		err := m.writer.do(context.Background(), 0, false, func(t *tx) error {
			q := t.prepare(`SELECT count(*) FROM receipts`)
			if _, err := q.one(); err != nil {
				return err
			}
			left = q.ColumnInt64(0)
			return q.Reset()
		})
		if err != nil {
			t.Error(err)
		}
	})
	m.queued(2)
	close(release)
	waiting.Wait()
	if gone := before - left; gone != step {
		t.Errorf("a delivery waited until %d receipts were gone, want one step of %d", gone, step)
	}
	if steps < int(before)/step {
		t.Errorf("%d receipts went in %d steps of %d at most", before, steps, step)
	}
	if n := m.one(`SELECT count(*) FROM receipts WHERE id NOT IN (SELECT receipt FROM jobs)`); n > 0 {
		t.Errorf("%d receipts are left that nobody needs", n)
	}
}

// queued waits until so many operations wait for the writer.
func (m *month) queued(n int) {
	m.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for m.writer.group.Waiting() < n {
		select {
		case <-tick.C:
		case <-deadline.C:
			m.t.Fatalf("%d operations wait, want %d", m.writer.group.Waiting(), n)
		}
	}
}
