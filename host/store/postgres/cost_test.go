package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// A claim finds the agent whose turn it is without a look at all the others.
func TestClaimsAreNoDearerWithManyAgents(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const agents, claims = 3000, 20
	url := server.URL(t)
	s := openStore(t, url, Options{})
	var l store.Limits
	var a store.Acceptance
	for n := range agents {
		name := fmt.Sprint("agent", n)
		l.Agents = append(l.Agents, store.AgentLimits{Agent: name, Scale: claims, Capacity: 10})
		a.Jobs = append(a.Jobs, store.NewJob{Agent: name, Trigger: job.Manual})
	}
	if err := s.SetLimits(ctx, l); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(ctx, a); err != nil {
		t.Fatal(err)
	}
	// What a session has looked at is known when it has ended.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := lookedAt(t, url)
	s = openStore(t, url, Options{})
	for range claims {
		now := time.Now()
		c, err := s.Claim(ctx, store.Claim{Host: "host", At: now, Until: now.Add(time.Minute), Run: job.NewID(now)})
		if err != nil || c == nil {
			t.Fatalf("claimed %v: %v", c, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if each := (lookedAt(t, url) - before) / claims; each > 20 {
		t.Errorf("a claim looked at the queues of %d agents of %d", each, agents)
	}
}

// lookedAt is how many rows of the table of queues were ever looked at, when no
// session is about to add to that.
func lookedAt(t *testing.T, url string) (n int64) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for same := 0; same < 10; {
		var now int64
		if err := c.QueryRow(t.Context(), `SELECT coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0)
				FROM pg_stat_user_tables WHERE relid = 'queues'::regclass`).Scan(&now); err != nil {
			t.Fatal(err)
		}
		if same++; now != n {
			n, same = now, 0
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the statistics do not settle")
		}
	}
	return n
}
