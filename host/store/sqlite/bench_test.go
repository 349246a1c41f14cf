package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// spread runs b.N operations over a number of callers.
func spread(b *testing.B, callers int, f func(n int64) error) {
	b.Helper()
	var n atomic.Int64
	failed := make(chan error, callers)
	b.ReportAllocs()
	before := cpu(b)
	b.ResetTimer()
	for range callers {
		go func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
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
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpu is the processor time that was used so far. Unlike the time that passed
// it says something on a busy machine.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// filled opens a store where jobs wait, evenly spread over agents.
func filled(b *testing.B, agents, depth, capacity int) *Store {
	b.Helper()
	ctx := context.Background()
	s := openStore(b, filepath.Join(b.TempDir(), "al.db"), Options{})
	b.Cleanup(func() { closeStore(b, s) })
	var l store.Limits
	for i := range agents {
		l.Agents = append(l.Agents, store.AgentLimits{Agent: fmt.Sprintf("agent-%03d", i), Scale: 1000, Capacity: capacity})
	}
	if err := s.SetLimits(ctx, l); err != nil {
		b.Fatal(err)
	}
	for done := 0; done < depth; {
		var jobs []store.NewJob
		for ; len(jobs) < 1000 && done < depth; done++ {
			n := benchJob(int64(-done))
			n.Agent = l.Agents[done%agents].Agent
			jobs = append(jobs, n)
		}
		if _, err := s.Accept(ctx, store.Acceptance{Jobs: jobs, At: time.Now()}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func benchJob(n int64) store.NewJob {
	return store.NewJob{
		Agent: "agent-000", Trigger: job.Webhook, Source: "main", Provider: "fake", Event: "issues",
		DeliveryID: fmt.Sprint(n), Key: fmt.Sprint(n), Context: make([]byte, 600),
	}
}

func BenchmarkAccept(b *testing.B) {
	body := noise(4 << 10)
	for _, depth := range []int{0, 100_000} {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("depth=%d/callers=%d", depth, callers), func(b *testing.B) {
				s := filled(b, 1, depth, 1<<30)
				spread(b, callers, func(n int64) error {
					now := time.Now()
					_, err := s.Accept(context.Background(), store.Acceptance{
						Receipt: &job.Receipt{ID: job.NewID(now), ReceivedAt: now, Body: body},
						Jobs:    []store.NewJob{benchJob(n)}, At: now,
					})
					return err
				})
			})
		}
	}
}

// BenchmarkAcceptFull pushes a job out of a full queue for each that comes.
func BenchmarkAcceptFull(b *testing.B) {
	for _, depth := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("depth=%d/callers=64", depth), func(b *testing.B) {
			s := filled(b, 1, depth, depth)
			spread(b, 64, func(n int64) error {
				_, err := s.Accept(context.Background(), store.Acceptance{Jobs: []store.NewJob{benchJob(n)}, At: time.Now()})
				return err
			})
		})
	}
}

// BenchmarkRun claims a job and finishes its run.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct{ agents, depth int }{{1, 1000}, {1, 100_000}, {1000, 100_000}} {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("agents=%d/depth=%d/callers=%d", c.agents, c.depth, callers), func(b *testing.B) {
				s := filled(b, c.agents, c.depth+b.N, 1<<30)
				spread(b, callers, func(int64) error {
					now := time.Now()
					claimed, err := s.Claim(context.Background(), store.Claim{Run: job.NewID(now), At: now, Until: now.Add(time.Minute)})
					if err != nil {
						return err
					}
					return s.Finish(context.Background(), store.Finish{Run: claimed.Run.ID, State: job.Done, At: now})
				})
			})
		}
	}
}

// BenchmarkBareInsert is what to compare with: the driver alone, with the same
// settings, one insert and one fsync per transaction.
func BenchmarkBareInsert(b *testing.B) {
	path := filepath.Join(b.TempDir(), "al.db")
	if err := createFiles(path); err != nil {
		b.Fatal(err)
	}
	c, err := dialWriter(path, "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closeConn(b, c) })
	if err := c.Exec("PRAGMA wal_autocheckpoint = 1000; CREATE TABLE receipts (id TEXT PRIMARY KEY, body BLOB)"); err != nil {
		b.Fatal(err)
	}
	body := noise(4 << 10)
	spread(b, 1, func(n int64) error {
		return c.prepare("INSERT INTO receipts VALUES (?, ?)").text(job.NewID(time.Now())).blob(body).exec()
	})
}

func closeConn(b *testing.B, c *conn) {
	b.Helper()
	if err := c.close(); err != nil {
		b.Error(err)
	}
}

// BenchmarkOpen is the store's share of a gateway's start.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "al.db")
	closeStore(b, openStore(b, path, Options{}))
	for b.Loop() {
		closeStore(b, openStore(b, path, Options{}))
	}
}
