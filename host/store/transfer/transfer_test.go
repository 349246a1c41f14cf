package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/pgtest"
	"github.com/action-llama/gateway/host/store/postgres"
	"github.com/action-llama/gateway/host/store/sqlite"
	"github.com/action-llama/gateway/host/store/transfer"
)

var server *pgtest.Server

func TestMain(m *testing.M) {
	server = pgtest.Start()
	code := m.Run()
	server.Stop()
	os.Exit(code)
}

// fill leaves something of every kind in a store.
func fill(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	now := time.Now().Add(-time.Hour).UTC()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.SetLimits(ctx, store.Limits{Scale: 4, Budget: store.Budget{PerDay: 500}, At: now, Agents: []store.AgentLimits{
		{Agent: "dev", Scale: 3, Capacity: 20, Budget: store.Budget{PerHour: 6}}, {Agent: "ops", Scale: 1, Capacity: 3},
	}}))
	for i := range 700 { // more than one step
		now = now.Add(time.Second)
		r := job.Receipt{
			ID: job.NewID(now), Provider: "github", Sources: []string{"one", "two"}, DeliveryID: fmt.Sprint("d", i), ReceivedAt: now, Method: "POST",
			Path: "/webhooks/github", Query: "a=\xff&b=\x00", Header: map[string][]string{"X": {"\u0000", "ü"}}, Outcome: job.Queued,
			Body: bytes.Repeat([]byte{byte(i), 0, 255}, i%400), Event: "issues.opened", Events: 1, Matched: 1,
		}
		if i%3 == 0 {
			r.Outcome = job.Unmatched
			if !s.Note(r) {
				t.Fatal("a note was not taken")
			}
			continue
		}
		j := store.NewJob{
			Agent: []string{"dev", "ops"}[i%2], Source: "one", Provider: "github", Event: "issues", DeliveryID: r.DeliveryID,
			Context: []byte(`{"title":"` + strings.Repeat("x", i) + `"}`), Sensitive: []string{"extra.token"}, Key: fmt.Sprintf("key \xff\x00 %d", i),
			Concurrency: store.Concurrency{Key: fmt.Sprint(i % 7), OnBusy: []store.OnBusy{store.BusyQueue, store.BusySkip, store.BusyLatest, store.BusyCancel}[i%4]},
			Loop:        store.Loop{Entity: "e", Sender: "s", Limit: 1000, Window: time.Minute},
		}
		if i%11 == 0 {
			j.Debounce = store.Debounce{Group: fmt.Sprint("g", i%2), Quiet: time.Hour, Max: 3 * time.Hour}
		}
		_, err := s.Accept(ctx, store.Acceptance{Receipt: &r, Jobs: []store.NewJob{j}, At: now})
		must(err)
		c, err := s.Claim(ctx, store.Claim{Host: "host", At: now, Until: now.Add(time.Minute), Run: job.NewID(now)})
		must(err)
		if c == nil || i%5 == 0 {
			continue
		}
		end := store.Finish{Run: c.Run.ID, State: job.Done, ExitCode: i % 3, Reason: "why", At: now}
		if i%4 == 0 {
			end.State, end.RetryAt = job.Failed, now.Add(time.Hour)
		}
		must(s.Finish(ctx, end))
	}
	must(s.SetPaused(ctx, store.Pause{Agent: "ops", Paused: true, Reason: "holidays", At: now}))
	_, err := s.Cancel(ctx, "dev", "killed")
	must(err)
}

// seen is all that can be read of a store.
type seen struct {
	Queues   []store.Queue
	Project  store.Project
	Jobs     []job.Job
	Runs     []job.Run
	Receipts []job.Receipt
	Bodies   [][]byte
	Tally    []store.Tally
}

type reader interface {
	store.History
	Queues(context.Context) ([]store.Queue, error)
	Project(context.Context) (store.Project, error)
	Jobs(context.Context, store.Query) ([]job.Job, error)
	Runs(context.Context, store.Query) ([]job.Run, error)
	Receipts(context.Context, store.Query) ([]job.Receipt, error)
	Receipt(context.Context, string) (job.Receipt, error)
}

func look(t *testing.T, r reader) (s seen) {
	t.Helper()
	var errs [6]error
	all := store.Query{Limit: 1000}
	s.Queues, errs[0] = r.Queues(t.Context())
	s.Project, errs[1] = r.Project(t.Context())
	s.Jobs, errs[2] = r.Jobs(t.Context(), all)
	s.Runs, errs[3] = r.Runs(t.Context(), all)
	s.Receipts, errs[4] = r.Receipts(t.Context(), all)
	for _, one := range s.Receipts {
		whole, err := r.Receipt(t.Context(), one.ID)
		if err != nil {
			t.Fatal(err)
		}
		s.Bodies = append(s.Bodies, whole.Body)
	}
	s.Tally, errs[5] = r.Tally(t.Context(), "", time.Unix(0, 0))
	for i := range s.Tally {
		s.Tally[i].Durations, s.Tally[i].Waits = nil, nil // in no order
	}
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return s
}

func open[T any](t *testing.T, how func() (T, error)) T {
	t.Helper()
	s, err := how()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// There and back again everything is as it was, also when the way was
// interrupted, and an unfinished copy is no store.
func TestCopy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := server.URL(t)
	file := filepath.Join(t.TempDir(), "al.db")
	s := open(t, func() (*sqlite.Store, error) { return sqlite.Open(ctx, file, sqlite.Options{}) })
	fill(t, s)
	closed(t, s)
	before := inSQLite(t, file)
	if len(before.Jobs) < 400 || len(before.Receipts) < 600 {
		t.Fatalf("too little to copy: %d jobs, %d receipts", len(before.Jobs), len(before.Receipts))
	}

	from := open(t, func() (*sqlite.Transfer, error) { return sqlite.TransferFrom(ctx, file) })
	var there []transfer.Copied
	for cuts := 1; len(there) == 0; cuts++ {
		to := open(t, func() (*postgres.Transfer, error) { return postgres.TransferTo(ctx, url, false) })
		if _, err := postgres.TransferTo(ctx, url, false); !errors.Is(err, postgres.ErrInUse) {
			t.Errorf("a second copy at the same time: %v", err)
		}
		cut, cancel := context.WithCancel(ctx)
		calls := 0
		copied, err := transfer.Copy(cut, from, to, func(p transfer.Progress) {
			if calls++; calls > cuts || cuts > 6 {
				return
			}
			if calls == cuts {
				cancel()
			}
			if p.Done > p.All {
				t.Errorf("progress %+v", p)
			}
		})
		cancel()
		if err == nil {
			there = copied
			if err := to.Finish(); err != nil {
				t.Fatal(err)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		closed(t, to)
		if _, err := postgres.Open(ctx, url, postgres.Options{}); err == nil || !strings.Contains(err.Error(), "not whole") {
			t.Fatalf("opened what is not whole: %v", err)
		}
	}
	closed(t, from)

	p := open(t, func() (*postgres.Store, error) { return postgres.Open(ctx, url, postgres.Options{}) })
	if diff := cmp.Diff(before, look(t, p)); diff != "" {
		t.Errorf("in PostgreSQL (-SQLite +PostgreSQL):\n%s", diff)
	}
	if _, err := postgres.TransferFrom(ctx, url); !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("copied beside a gateway: %v", err)
	}
	closed(t, p)
	if _, err := postgres.TransferTo(ctx, url, false); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("copied to what holds something: %v", err)
	}

	back := filepath.Join(t.TempDir(), "al.db")
	pFrom := open(t, func() (*postgres.Transfer, error) { return postgres.TransferFrom(ctx, url) })
	to := open(t, func() (*sqlite.Transfer, error) { return sqlite.TransferTo(ctx, back, false) })
	again, err := transfer.Copy(ctx, pFrom, to, func(transfer.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Finish(); err != nil {
		t.Fatal(err)
	}
	closed(t, pFrom)
	if diff := cmp.Diff(there, again); diff != "" {
		t.Errorf("digests there and back:\n%s", diff)
	}
	if diff := cmp.Diff(before, inSQLite(t, back)); diff != "" {
		t.Errorf("back again:\n%s", diff)
	}

	// And work goes on where it was, in a number that was not used yet.
	s = open(t, func() (*sqlite.Store, error) { return sqlite.Open(ctx, back, sqlite.Options{}) })
	a, err := s.Accept(ctx, store.Acceptance{Jobs: []store.NewJob{{Agent: "dev"}}, At: time.Now()})
	if err != nil || a.IDs[0] != before.Jobs[0].ID+1 {
		t.Errorf("the next job is %v, after %d: %v", a.IDs, before.Jobs[0].ID, err)
	}
	closed(t, s)
}

func inSQLite(t *testing.T, file string) seen {
	t.Helper()
	s := open(t, func() (*sqlite.Store, error) { return sqlite.Open(t.Context(), file, sqlite.Options{}) })
	defer closed(t, s)
	return look(t, s)
}

// A copy is compared with its source.
func TestACopyThatDiffers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := server.URL(t)
	file := filepath.Join(t.TempDir(), "al.db")
	s := open(t, func() (*sqlite.Store, error) { return sqlite.Open(ctx, file, sqlite.Options{}) })
	fill(t, s)
	closed(t, s)
	from := open(t, func() (*sqlite.Transfer, error) { return sqlite.TransferFrom(ctx, file) })
	defer closed(t, from)
	to := open(t, func() (*postgres.Transfer, error) { return postgres.TransferTo(ctx, url, false) })
	other, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(ctx) }()
	spoilt := false
	_, err = transfer.Copy(ctx, from, to, func(p transfer.Progress) {
		if p.Verifying && !spoilt {
			spoilt = true
			if _, err := other.Exec(ctx, `UPDATE jobs SET reason = reason || '.' WHERE id = (SELECT max(id) FROM jobs)`); err != nil {
				t.Error(err)
			}
		}
	})
	if !errors.Is(err, transfer.ErrDiffers) || !strings.Contains(err.Error(), "jobs") {
		t.Errorf("a row is another: %v", err)
	}
	closed(t, to)

	// From the beginning it comes right.
	to = open(t, func() (*postgres.Transfer, error) { return postgres.TransferTo(ctx, url, true) })
	if _, err := transfer.Copy(ctx, from, to, func(transfer.Progress) {}); err != nil {
		t.Error(err)
	}
	if err := to.Finish(); err != nil {
		t.Error(err)
	}
}
