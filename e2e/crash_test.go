//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/sqlite"
)

// A 2xx is a promise. The gateway is killed at random moments under load, again
// and again; whatever it answered 2xx is there in the end, once.
func TestKillLosesNothingThatWasAccepted(t *testing.T) {
	kills := 12
	if os.Getenv("AL_SOAK") != "" {
		kills = 500
	}
	p := newProject(t, standard(anyIssue))
	accepted := map[string]bool{}
	for round := range kills {
		g := p.start()
		ids := loadUntilKilled(g, round)
		for _, id := range ids {
			accepted[id] = true
		}
		await(t, "providers of a killed host leave", func() bool {
			return len(p.processes("plugins/al-provider-github")) == 0
		}, g.log.String)
	}
	if len(accepted) < kills {
		t.Fatalf("only %d deliveries were accepted in %d rounds: this tested nothing", len(accepted), kills)
	}

	g := p.start()
	g.await("everything is worked off", func() bool {
		s := p.stat()
		return s.Agents[0].Waiting == 0 && s.Agents[0].Running == 0
	})
	g.stop()

	states := jobsByDelivery(t, p)
	lost, unfinished := 0, 0
	for id := range accepted {
		switch got := states[id]; {
		case len(got) == 0:
			lost++
		case len(got) > 1:
			t.Errorf("delivery %s became %d jobs", id, len(got))
		case got[0] != job.Done && got[0] != job.Dead:
			unfinished++
		}
	}
	if lost > 0 || unfinished > 0 {
		t.Fatalf("of %d accepted deliveries %d are lost and %d did not end", len(accepted), lost, unfinished)
	}
	t.Logf("%d kills, %d deliveries accepted, none lost", kills, len(accepted))
}

// loadUntilKilled sends deliveries from several clients, kills the gateway at a
// random moment, and returns the ids that were answered 2xx.
func loadUntilKilled(g *gateway, round int) []string {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var ids []string
	var clients sync.WaitGroup
	first := make(chan struct{}, 1)
	for client := range 8 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("r%d-c%d-n%d", round, client, n)
				a, err := g.send(issue(id))
				if err != nil {
					return
				}
				if a.code == http.StatusOK {
					mu.Lock()
					ids = append(ids, id)
					mu.Unlock()
					select {
					case first <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	<-first // under load, from here on at any moment
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(300 * time.Millisecond))))
	<-timer.C
	g.kill()
	cancel()
	clients.Wait()
	return ids
}

func jobsByDelivery(t *testing.T, p *project) map[string][]job.State {
	t.Helper()
	s, err := sqlite.OpenReadOnly(p.dir + "/.al/al.db")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	out := map[string][]job.State{}
	q := store.Query{Limit: 1000}
	for {
		jobs, err := s.Jobs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs {
			out[j.DeliveryID] = append(out[j.DeliveryID], j.State)
			q.Before = fmt.Sprint(j.ID)
		}
		if len(jobs) < q.Limit {
			return out
		}
	}
}
