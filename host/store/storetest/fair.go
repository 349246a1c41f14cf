package storetest

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// exerciseFairness floods one agent under a binding scale of the project and
// watches the jobs of another: whatever comes after them, no more runs start
// before them than jobs waited when they came.
func exerciseFairness(t *testing.T, fresh func(t *testing.T) Place) {
	rapid.Check(t, func(r *rapid.T) {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		s := fresh(t)(t)
		defer func() { _ = s.Close() }()
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		must := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		slots := rapid.IntRange(1, 3).Draw(r, "scale of the project")
		must(s.SetLimits(ctx, store.Limits{Scale: slots, Agents: []store.AgentLimits{
			agent("busy", 10, 1000), agent("quiet", slots, 1000),
		}}))

		patience := map[int64]int{} // of the quiet agent's jobs: runs that may still start before them
		waiting := 0
		var running []string
		enqueue := func(name string, n int) {
			var jobs []store.NewJob
			for range n {
				jobs = append(jobs, store.NewJob{Agent: name})
			}
			a, err := s.Accept(ctx, store.Acceptance{Jobs: jobs, At: now})
			must(err)
			for _, id := range a.IDs {
				if name == "quiet" {
					patience[id] = waiting
				}
				waiting++
			}
		}
		claim := func() {
			c, err := s.Claim(ctx, store.Claim{At: now, Until: now.Add(lease), Run: job.NewID(now)})
			must(err)
			if c == nil {
				if waiting > 0 && len(running) < slots {
					r.Fatalf("%d jobs wait, %d of %d slots are taken, and nothing starts", waiting, len(running), slots)
				}
				return
			}
			running = append(running, c.Run.ID)
			waiting--
			delete(patience, c.Job.ID)
			for id := range patience {
				if patience[id]--; patience[id] < 0 {
					r.Fatalf("job %d of %s started before job %d, which waited longer", c.Job.ID, c.Job.Agent, id)
				}
			}
		}
		for range rapid.IntRange(5, 15).Draw(r, "rounds") {
			now = now.Add(time.Second)
			enqueue("busy", rapid.IntRange(1, 5).Draw(r, "flood"))
			if rapid.Bool().Draw(r, "a quiet one") {
				enqueue("quiet", 1)
			}
			for range slots + 1 {
				claim()
			}
			for range min(len(running), rapid.IntRange(1, slots).Draw(r, "ends")) {
				must(s.Finish(ctx, store.Finish{Run: running[0], State: job.Done, At: now}))
				running = running[1:]
			}
		}
	})
}
