package postgres

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

func benchStore(b *testing.B, agents int) *Store {
	b.Helper()
	s := openStore(b, server.URL(b), Options{})
	b.Cleanup(func() { _ = s.Close() })
	l := store.Limits{Scale: 50, At: time.Now()}
	for i := range agents {
		l.Agents = append(l.Agents, store.AgentLimits{Agent: "agent-" + strconv.Itoa(i), Scale: 50, Capacity: 1 << 30})
	}
	began := time.Now()
	if err := s.SetLimits(context.Background(), l); err != nil {
		b.Fatal(err)
	}
	b.Logf("limits of %d agents were set in %s", agents, time.Since(began))
	return s
}

func delivery(agent int, key string) store.Acceptance {
	now := time.Now()
	r := job.Receipt{ID: job.NewID(now), Provider: "github", ReceivedAt: now, Body: make([]byte, 10_000), Outcome: job.Queued}
	return store.Acceptance{Receipt: &r, At: now, Jobs: []store.NewJob{{
		Agent: "agent-" + strconv.Itoa(agent), Source: "one", Key: key, Context: []byte(`{"event":"issues"}`),
	}}}
}

// BenchmarkJob is the way of one job through the store, one after the other:
// what a caller waits for, without anybody else, at several depths of its queue
// and among many agents.
func BenchmarkJob(b *testing.B) {
	for _, c := range []struct{ waiting, agents int }{{1, 1}, {100_000, 1}, {1, 10_000}} {
		b.Run(fmt.Sprintf("waiting=%d,agents=%d", c.waiting, c.agents), func(b *testing.B) {
			ctx := context.Background()
			s := benchStore(b, c.agents)
			deepen(b, s, c.waiting)
			var accepts, claims, finishes time.Duration
			for i := 0; b.Loop(); i++ {
				now := time.Now()
				if _, err := s.Accept(ctx, delivery(i%c.agents, strconv.Itoa(i))); err != nil {
					b.Fatal(err)
				}
				accepts += time.Since(now)
				now = time.Now()
				claimed, err := s.Claim(ctx, store.Claim{Host: "host", At: now, Until: now.Add(time.Minute), Run: job.NewID(now)})
				if err != nil || claimed == nil {
					b.Fatalf("claimed %v: %v", claimed, err)
				}
				claims += time.Since(now)
				now = time.Now()
				if err := s.Finish(ctx, store.Finish{Run: claimed.Run.ID, State: job.Done, At: now}); err != nil {
					b.Fatal(err)
				}
				finishes += time.Since(now)
			}
			n := float64(b.N)
			b.ReportMetric(accepts.Seconds()*1000/n, "ms/accept")
			b.ReportMetric(claims.Seconds()*1000/n, "ms/claim")
			b.ReportMetric(finishes.Seconds()*1000/n, "ms/finish")
		})
	}
}

// deepen puts jobs into the queue of the first agent.
func deepen(b *testing.B, s *Store, depth int) {
	b.Helper()
	err := s.alone(context.Background(), func(batch *pgx.Batch) {
		batch.Queue(`INSERT INTO jobs (id, agent, trigger, receipt, source, provider, event, delivery_id, key, state, attempt, crashes, failures, merged,
				concurrency_key, blocked, burst, entity, sender, chain, queued_at, reason, sensitive, codec, context)
			SELECT nextval('job_ids'), 'agent-0', 'webhook', '', 'one', 'github', 'issues', '', 'deep-' || n, 'waiting', 0, 0, 0, 0, '', false, '', '', '', 0,
				al_now(), '', '', 0, '' FROM generate_series(1, $1::bigint) AS n`, depth)
		batch.Queue(`UPDATE queues SET waiting = waiting + $1, head = al_head('agent-0', 0) WHERE agent = 'agent-0'`, depth)
	}, func(results pgx.BatchResults) error {
		if _, err := results.Exec(); err != nil {
			return err
		}
		_, err := results.Exec()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAccept has many callers, for one agent and for many, on one host and
// on several.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct{ hosts, agents int }{{1, 1}, {1, 100}, {3, 1}, {3, 100}} {
		b.Run(fmt.Sprintf("hosts=%d,agents=%d", c.hosts, c.agents), func(b *testing.B) {
			ctx := context.Background()
			hosts := []*Store{benchStore(b, c.agents)}
			for range c.hosts - 1 {
				s := openStore(b, hosts[0].pools.config.ConnString(), Options{})
				b.Cleanup(func() { _ = s.Close() })
				hosts = append(hosts, s)
			}
			var n atomic.Int64
			b.SetParallelism(64 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := int(n.Add(1))
					if _, err := hosts[i%c.hosts].Accept(ctx, delivery(i%c.agents, strconv.Itoa(i))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}
