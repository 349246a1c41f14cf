package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/pgtest"
)

// vendorDeadline is the shortest that a vendor has.
const vendorDeadline = time.Second

// deliver is what a delivery asks for, within what a vendor waits.
func deliver(t *testing.T, s *Store, id string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), vendorDeadline)
	defer cancel()
	began := time.Now()
	now := s.Now()
	r := job.Receipt{ID: job.NewID(now), Provider: "github", ReceivedAt: now, Outcome: job.Queued}
	_, err := s.Accept(ctx, store.Acceptance{Receipt: &r, Jobs: []store.NewJob{{Agent: "dev", Source: "one", Key: id}}, At: now})
	if took := time.Since(began); took > vendorDeadline+10*time.Second { // the machine may be busy
		t.Errorf("the answer came after %s", took)
	}
	return err
}

// eventually waits until something works.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: never: %v", what, err)
		}
	}
}

func setup(t *testing.T, url string) *Store {
	t.Helper()
	s := openStore(t, url, Options{})
	t.Cleanup(func() { _ = s.Close() })
	err := s.SetLimits(t.Context(), store.Limits{Agents: []store.AgentLimits{{Agent: "dev", Scale: 3, Capacity: 10_000}}, At: s.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Store) claimForTest(t *testing.T, run string) *store.Claimed {
	t.Helper()
	now := s.Now()
	c, err := s.Claim(t.Context(), store.Claim{Host: "host", At: now, Until: now.Add(time.Minute), Run: run})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A database that crashes costs nothing that was promised; deliveries are
// refused meanwhile, and all goes on without a restart.
func TestTheDatabaseCrashes(t *testing.T) {
	t.Parallel()
	own := pgtest.Start() // others go on with theirs
	t.Cleanup(own.Stop)
	s := setup(t, own.URL(t))
	woken := make(chan struct{}, 1)
	other := openStore(t, own.URLAgain(t), Options{OnWork: func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}})
	t.Cleanup(func() { _ = other.Close() })

	var accepted []string
	try := func(id string) {
		if err := deliver(t, s, id); err == nil {
			accepted = append(accepted, id)
		} else if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for i := range 20 {
		try(fmt.Sprint("before-", i))
	}
	running := s.claimForTest(t, "run-1")
	own.Restart(t, func() {
		for i := range 3 {
			try(fmt.Sprint("while-", i))
		}
		if _, err := s.Queues(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("queues of a database that is down: %v", err)
		}
	})
	if len(accepted) != 20 {
		t.Fatalf("accepted %q", accepted)
	}
	eventually(t, "accept", func() error { return deliver(t, s, "after") })
	accepted = append(accepted, "after")
	if err := s.Finish(t.Context(), store.Finish{Run: running.Run.ID, State: job.Done, At: s.Now()}); err != nil {
		t.Errorf("a run that went on: %v", err)
	}
	jobs, err := s.Jobs(t.Context(), store.Query{Limit: 1000})
	if err != nil || len(jobs) != len(accepted) {
		t.Errorf("%d jobs, %d were accepted: %v", len(jobs), len(accepted), err)
	}

	// The other host hears again.
	for heard := true; heard; { // of before
		select {
		case <-woken:
		default:
			heard = false
		}
	}
	for i := 0; ; i++ {
		if err := deliver(t, s, fmt.Sprint("heard-", i)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-woken:
			return
		case <-time.After(100 * time.Millisecond):
		}
		if i == 600 {
			t.Fatal("the other host was never told of work")
		}
	}
}

// What a database refuses is told as what it is, and passes with its cause.
func TestTheDatabaseRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault, cure, says string
	}{
		"it is read-only": {
			"ALTER ROLE %s SET default_transaction_read_only = on", "ALTER ROLE %s RESET default_transaction_read_only", "takes no writes",
		},
		"it is out of connections": {"ALTER ROLE %s CONNECTION LIMIT 0", "ALTER ROLE %s CONNECTION LIMIT -1", "no connection to spare"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := server.URL(t)
			admin := connect(t, address)
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			role := "of_" + q.Get("search_path")
			for _, sql := range []string{
				"CREATE ROLE %s LOGIN", "GRANT ALL ON SCHEMA " + q.Get("search_path") + " TO %s",
			} {
				run(t, admin, fmt.Sprintf(sql, role))
			}
			t.Cleanup(func() {
				run(t, admin, fmt.Sprintf("DROP OWNED BY %s CASCADE", role))
				run(t, admin, fmt.Sprintf("DROP ROLE %s", role))
			})
			q.Set("user", role)
			u.User, u.RawQuery = nil, q.Encode()
			s := setup(t, u.String())
			if err := deliver(t, s, "before"); err != nil {
				t.Fatal(err)
			}
			run(t, admin, fmt.Sprintf(c.fault, role))
			run(t, admin, fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '%s'", role))
			eventually(t, "it is refused for what it is", func() error {
				err := deliver(t, s, "while")
				switch {
				case err == nil:
					t.Fatal("accepted")
				case !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded):
					t.Fatalf("a delivery: %v", err)
				case !strings.Contains(err.Error(), c.says):
					return err // of the connection that ended
				}
				return nil
			})
			run(t, admin, fmt.Sprintf(c.cure, role))
			eventually(t, "accept", func() error { return deliver(t, s, "while") })
			jobs, err := s.Jobs(t.Context(), store.Query{})
			if err != nil || len(jobs) != 2 {
				t.Errorf("%d jobs, %v", len(jobs), err)
			}
		})
	}
}

// A database that does not come to an end holds nobody beyond a deadline.
func TestTheDatabaseIsSlow(t *testing.T) {
	t.Parallel()
	address := server.URL(t)
	s := setup(t, address)
	blocker := connect(t, address)
	tx, err := blocker.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT 1 FROM queues WHERE agent = 'dev' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if err := deliver(t, s, fmt.Sprint(i)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("delivery %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What was asked for too late may or may not be there; a repeat tells.
	for i := range 10 {
		eventually(t, "a repeat", func() error { return deliver(t, s, fmt.Sprint(i)) })
	}
	if jobs, err := s.Jobs(t.Context(), store.Query{}); err != nil || len(jobs) != 10 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
}

// What was recorded by a transaction whose answer got lost counts, and is not
// done again.
func TestAnAnswerGetsLost(t *testing.T) {
	t.Parallel()
	address := server.URL(t)
	wire := newWire(t, address)
	s := setup(t, wire.url)
	if err := deliver(t, s, "1"); err != nil {
		t.Fatal(err)
	}

	wire.cut()
	claimed := s.claimForTest(t, "run-1")
	if claimed == nil || claimed.Run.ID != "run-1" || claimed.Job.Attempt != 1 {
		t.Fatalf("claimed %+v", claimed)
	}

	wire.cut()
	end := store.Finish{Run: "run-1", State: job.Failed, ExitCode: 3, Reason: "why", At: s.Now()}
	err := s.Finish(t.Context(), end)
	if !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("a finish whose answer got lost: %v", err)
	}
	if err := s.Finish(t.Context(), end); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := s.Finish(t.Context(), end); !errors.Is(err, store.ErrLost) {
		t.Errorf("once more, though the answer was heard: %v", err)
	}

	wire.cut()
	if err := deliver(t, s, "2"); err == nil {
		t.Error("a delivery whose answer got lost is accepted")
	}
	eventually(t, "the same again", func() error { return deliver(t, s, "2") })
	jobs, err := s.Jobs(t.Context(), store.Query{})
	if err != nil || len(jobs) != 2 {
		t.Errorf("%d jobs, want the two that were asked for: %v", len(jobs), err)
	}
}

// A host's clock decides nothing.
func TestClocksOfHosts(t *testing.T) {
	t.Parallel()
	s := setup(t, server.URL(t))
	if err := deliver(t, s, "1"); err != nil {
		t.Fatal(err)
	}
	for name, off := range map[string]time.Duration{"slow": -10 * time.Minute, "fast": 10 * time.Minute} {
		wrong := time.Now().Add(off)
		c, err := s.Claim(t.Context(), store.Claim{Host: name, At: wrong, Until: wrong.Add(time.Minute), Run: "run-" + name})
		if err != nil || c == nil {
			t.Fatalf("%s: claimed %v, %v", name, c, err)
		}
		near := func(what string, got, want time.Time) {
			t.Helper()
			if d := got.Sub(want).Abs(); d > time.Minute/2 { // the machine may be busy
				t.Errorf("%s: %s is %s, by the database's clock it is %s", name, what, got, want)
			}
		}
		near("the start", c.Run.StartedAt, s.Now())
		near("the lease", c.Run.LeaseUntil, s.Now().Add(time.Minute))
		if _, err := s.Renew(t.Context(), []string{c.Run.ID}, time.Now().Add(off+time.Minute)); err != nil {
			t.Fatal(err)
		}
		renewed, err := s.Run(t.Context(), c.Run.ID)
		if err != nil {
			t.Fatal(err)
		}
		near("the lease when it was renewed", renewed.LeaseUntil, s.Now().Add(time.Minute))

		// A fast one takes nobody's run.
		r, err := s.Recover(t.Context(), store.Recovery{At: time.Now().Add(off), LeaseEndedBefore: time.Now().Add(10 * time.Minute), MaxAttempts: 2})
		if err != nil || len(r.Lost) != 0 {
			t.Errorf("%s: recovered %v, %v", name, r.Lost, err)
		}
		at := time.Now().Add(off)
		if err := s.Finish(t.Context(), store.Finish{Run: c.Run.ID, State: job.Failed, At: at, RetryAt: at.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		due, err := s.Due(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		near("the next attempt", due, s.Now().Add(time.Hour))
		if err := deliver(t, s, name); err != nil {
			t.Fatal(err)
		}
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func run(t *testing.T, c *pgx.Conn, sql string) {
	t.Helper()
	if _, err := c.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// wire is a way to a server that can be cut when a question is through and the
// answer is not.
type wire struct {
	url    string
	target string
	loss   atomic.Bool
}

func newWire(t *testing.T, address string) *wire {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if !filepath.IsAbs(q.Get("host")) {
		t.Skip("the server of " + pgtest.Env + " has no socket")
	}
	dir, err := os.MkdirTemp("", "alwire")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &wire{target: filepath.Join(q.Get("host"), ".s.PGSQL.5432")}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { w.carry(c) })
		}
	})
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	w.url = u.String()
	return w
}

// cut loses the next answer that is about the agent or the run, with its
// connection.
func (w *wire) cut() { w.loss.Store(true) }

func (w *wire) carry(c net.Conn) {
	defer func() { _ = c.Close() }()
	s, err := net.Dial("unix", w.target)
	if err != nil {
		return
	}
	defer func() { _ = s.Close() }()
	var asks atomic.Bool
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := c.Read(buf)
			if err != nil {
				_ = s.Close()
				return
			}
			for _, function := range []string{"run-1", "dev"} {
				if strings.Contains(string(buf[:n]), function) {
					asks.Store(true)
				}
			}
			if _, err := s.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := s.Read(buf)
		if err != nil {
			return
		}
		// 'Z' ends the answer to a transaction: it was committed.
		if n >= 6 && buf[n-6] == 'Z' && asks.Swap(false) && w.loss.CompareAndSwap(true, false) {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil && !errors.Is(err, io.EOF) {
			return
		}
	}
}
