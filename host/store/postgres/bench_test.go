package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// BenchmarkJob is the way of one job through the store, one after the other:
// what a caller waits for, without anybody else.
func BenchmarkJob(b *testing.B) {
	ctx := context.Background()
	s := openStore(b, server.URL(b), Options{})
	defer func() { _ = s.Close() }()
	if err := s.SetLimits(ctx, store.Limits{Scale: 5, Agents: []store.AgentLimits{{Agent: "dev", Scale: 5, Capacity: 100}}}); err != nil {
		b.Fatal(err)
	}
	var accepts, claims, finishes time.Duration
	for i := 0; b.Loop(); i++ {
		now := time.Now()
		r := job.Receipt{ID: job.NewID(now), Provider: "github", ReceivedAt: now, Body: make([]byte, 10_000), Outcome: job.Queued}
		_, err := s.Accept(ctx, store.Acceptance{Receipt: &r, Jobs: []store.NewJob{{Agent: "dev", Source: "one", Key: fmt.Sprint(i), Context: []byte("{}")}}, At: now})
		if err != nil {
			b.Fatal(err)
		}
		accepts += time.Since(now)
		now = time.Now()
		c, err := s.Claim(ctx, store.Claim{Host: "host", At: now, Until: now.Add(time.Minute), Run: job.NewID(now)})
		if err != nil || c == nil {
			b.Fatalf("claimed %v: %v", c, err)
		}
		claims += time.Since(now)
		now = time.Now()
		if err := s.Finish(ctx, store.Finish{Run: c.Run.ID, State: job.Done, At: now}); err != nil {
			b.Fatal(err)
		}
		finishes += time.Since(now)
	}
	n := float64(b.N)
	b.ReportMetric(accepts.Seconds()*1000/n, "ms/accept")
	b.ReportMetric(claims.Seconds()*1000/n, "ms/claim")
	b.ReportMetric(finishes.Seconds()*1000/n, "ms/finish")
}
