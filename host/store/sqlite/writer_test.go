package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/internal/groupcommit"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func accept(s *Store, agent, key string) (store.Accepted, error) {
	return s.Accept(context.Background(), store.Acceptance{Jobs: []store.NewJob{{Agent: agent, Key: key}}, At: noon})
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// gate holds up the writer inside a transaction until it is opened.
type gate struct {
	entered, open chan struct{}
	done          chan error
}

func hold(s *Store) *gate {
	g := &gate{entered: make(chan struct{}), open: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		g.done <- s.writer.do(context.Background(), 0, true, func(*tx) error {
			close(g.entered)
			<-g.open
			return nil
		})
	}()
	return g
}

func (g *gate) pass(t *testing.T) {
	t.Helper()
	close(g.open)
	if err := <-g.done; err != nil {
		t.Fatal(err)
	}
}

// queued waits until n operations wait for the writer.
func queued(s *Store, n int) {
	for s.writer.group.Waiting() < n {
		runtime.Gosched()
	}
}

func TestCallersShareACommit(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var commits []int
	s := openStore(t, filepath.Join(t.TempDir(), "al.db"), Options{OnCommit: func(took time.Duration, ops int) {
		mu.Lock()
		defer mu.Unlock()
		if took <= 0 {
			t.Errorf("a commit took %s", took)
		}
		commits = append(commits, ops)
	}})
	defer closeStore(t, s)

	g := hold(s)
	<-g.entered
	const callers = 64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			if _, err := accept(s, "dev", fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	queued(s, callers)
	g.pass(t)
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	// The gate's own transaction wrote nothing, so it is no commit.
	if got := fmt.Sprint(commits); got != fmt.Sprintf("[%d]", callers) {
		t.Errorf("operations by commit: %s, want %d together", got, callers)
	}
}

func TestCallerWhoLeaves(t *testing.T) {
	t.Parallel()
	s := openStore(t, filepath.Join(t.TempDir(), "al.db"), Options{})
	defer closeStore(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	acceptUntil := func(ctx context.Context, key string) chan error {
		done := make(chan error, 1)
		go func() {
			_, err := s.Accept(ctx, store.Acceptance{Jobs: []store.NewJob{{Agent: "dev", Key: key}}, At: noon})
			done <- err
		}()
		return done
	}

	// Before its turn: nothing is recorded.
	g := hold(s)
	<-g.entered
	left := acceptUntil(ctx, "left")
	queued(s, 1)
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	g.pass(t)
	if got := mustAccept(t, s, "dev", "left").Verdicts[0]; got != store.Enqueued {
		t.Fatal("what a caller gave up before its turn was recorded")
	}

	// In the middle of it: the caller is free at once, and the repeat is known.
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	first := hold(s)
	<-first.entered
	second := hold(s)
	queued(s, 1)
	late := acceptUntil(ctx, "late")
	queued(s, 2)
	first.pass(t)
	<-second.entered
	cancel()
	if err := <-late; !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	second.pass(t)
	if got := mustAccept(t, s, "dev", "late").Verdicts[0]; got != store.Duplicate {
		t.Fatal("what a caller gave up while it was recorded is not there")
	}
}

// unavailableAs checks an error that asks to try again.
func unavailableAs(t *testing.T, err error, path, advice string) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("error is %v, want one that says unavailable", err)
	}
	for _, want := range []string{path, advice} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "al.db")
	s := openStore(t, path, Options{})
	defer closeStore(t, s)
	mustAccept(t, s, "dev", "before")
	// What a full disk answers, without filling one.
	bound := func(pages int) {
		t.Helper()
		err := s.writer.do(context.Background(), 0, true, func(t *tx) error {
			return t.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	big := func(id string) error {
		_, err := s.Accept(context.Background(), store.Acceptance{
			Receipt: &job.Receipt{ID: id, ReceivedAt: noon, Body: noise(1 << 20)},
			Jobs:    []store.NewJob{{Agent: "dev", Key: id}}, At: noon,
		})
		return err
	}
	bound(100)
	unavailableAs(t, big("01a"), path, "make room")
	unavailableAs(t, big("01a"), path, "make room")
	queues, err := s.Queues(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if queues[0].Waiting != 1 {
		t.Errorf("%d jobs wait, want the one that was accepted", queues[0].Waiting)
	}
	if got := mustAccept(t, s, "dev", "before").Verdicts[0]; got != store.Duplicate {
		t.Error("what was accepted before the disk was full is gone")
	}

	bound(1 << 20)
	if err := big("01a"); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	checkCounts(t, s)
}

func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "al.db")
	var log bytes.Buffer
	s := openStore(t, path, Options{Log: hclog.New(&hclog.LoggerOptions{Output: &log})})
	other := stranger(t, path)
	execute(t, other, "BEGIN IMMEDIATE")
	start := time.Now()
	_, err := accept(s, "dev", "key")
	unavailableAs(t, err, path, "another process holds its lock")
	if took := time.Since(start); took < busyTimeout/2 {
		t.Errorf("gave up after %s without waiting for the lock", took)
	}

	// Notes are kept up to a bound while they can not be written.
	body := noise(1 << 20)
	taken := 0
	for taken <= groupcommit.MaxNoteBytes/len(body) && s.Note(job.Receipt{ID: fmt.Sprintf("01%03d", taken), ReceivedAt: noon, Body: body}) {
		taken++
	}
	if taken == 0 || taken > groupcommit.MaxNoteBytes/len(body) {
		t.Errorf("%d notes of 1 MiB were taken, the bound is %d bytes", taken, groupcommit.MaxNoteBytes)
	}

	execute(t, other, "ROLLBACK")
	if _, err := accept(s, "dev", "key"); err != nil {
		t.Fatalf("without the lock: %v", err)
	}
	closeStore(t, s)
	s = openStore(t, path, Options{})
	defer closeStore(t, s)
	receipts, err := s.Receipts(context.Background(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if len(receipts) != taken {
		t.Errorf("%d notes were written of the %d that were taken", len(receipts), taken)
	}
	if !strings.Contains(log.String(), "store can not write") || !strings.Contains(log.String(), "store writes again") {
		t.Errorf("the log tells nothing of it:\n%s", log.String())
	}
}

// After an I/O error neither the connection nor what it has in memory can be
// trusted, so it is replaced.
func TestReopensAfterIOError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "al.db")
	s := openStore(t, path, Options{})
	defer closeStore(t, s)
	mustAccept(t, s, "dev", "before")
	var broken *conn
	err := s.writer.do(context.Background(), 0, true, func(t *tx) error {
		broken = t.conn
		if err := t.insertReceipt(&storedReceipt{Receipt: job.Receipt{ID: "01a", ReceivedAt: noon}}); err != nil {
			return err
		}
		return sqlite3.IOERR
	})
	unavailableAs(t, err, path, "check its disk")
	mustAccept(t, s, "dev", "after")
	if s.writer.conn == broken { // written before the answer that we have
		t.Error("the connection with the error is still in use")
	}
	if _, err := s.Receipt(context.Background(), "01a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what failed was recorded: %v", err)
	}
	checkCounts(t, s)
}

// checkCounts compares what is counted with what is there.
func checkCounts(t *testing.T, s *Store) {
	t.Helper()
	err := s.read(context.Background(), func(c *conn) error {
		for _, sql := range []string{
			`SELECT agent, waiting, (SELECT count(*) FROM jobs j WHERE j.agent = q.agent AND j.state = 'waiting') AS n FROM queues q WHERE waiting <> n`,
			`SELECT agent, running, (SELECT count(*) FROM jobs j WHERE j.agent = q.agent AND j.state = 'running') AS n FROM queues q WHERE running <> n`,
			`SELECT agent, running, (SELECT count(*) FROM runs r WHERE r.agent = q.agent AND r.state = 'running') AS n FROM queues q WHERE running <> n`,
			`SELECT agent, head, (SELECT min(id) FROM jobs j WHERE j.agent = q.agent AND j.state = 'waiting') AS n FROM queues q WHERE head IS NOT n`,
			`SELECT 'all', running, (SELECT sum(running) FROM queues) AS n FROM totals WHERE running <> n`,
			`SELECT 'all', last_job, (SELECT max(id) FROM jobs) AS n FROM totals WHERE last_job < n`,
			`SELECT 'all', receipt_bytes, (SELECT coalesce(sum(size), 0) FROM receipts) AS n FROM totals WHERE receipt_bytes <> n`,
			`SELECT integrity_check, 0, 0 FROM pragma_integrity_check WHERE integrity_check <> 'ok'`,
		} {
			q := c.prepare(sql)
			for q.next() {
				t.Errorf("%s: %s has %d, there are %d", sql, q.ColumnText(0), q.ColumnInt64(1), q.ColumnInt64(2))
			}
			if err := q.done(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
