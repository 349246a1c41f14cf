package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// looping is an event that an agent's own run may have caused.
func looping(entity, sender string) store.NewJob {
	j := newJob("dev", "")
	j.Loop = store.Loop{Entity: entity, Sender: sender, Limit: 3, Window: time.Minute}
	return j
}

var loopTests = map[string]func(*testing.T, *bench){
	"an agent that keeps starting itself is paused": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		var a store.Accepted
		for i := range 5 {
			a = b.accept(looping("acme/repo#1", "robot"))
			b.equal("verdict", a.Verdicts, []store.Verdict{store.Enqueued})
			if tripped := len(a.Tripped) > 0; tripped != (i == 4) {
				t.Fatalf("event %d: tripped %v", i, a.Tripped)
			}
			if i < 4 {
				b.finish(b.tryClaim().Run, job.Done)
			}
		}
		for _, want := range []string{"acme/repo#1", "robot"} {
			if !strings.Contains(a.Tripped[0].Reason, want) {
				t.Errorf("reason %q does not name %s", a.Tripped[0].Reason, want)
			}
		}
		b.claimNothing() // and the event is not lost
		b.counts("dev", 1, 0, 0)
		b.equal("paused", b.queue("dev").Paused, true)
		b.must(b.SetPaused(b.ctx, store.Pause{Agent: "dev", At: b.tick()}))
		b.finish(b.tryClaim().Run, job.Done)
		b.equal("tripped right after", len(b.accept(looping("acme/repo#1", "robot")).Tripped), 0)
	},

	"events that do not come of a run are no loop": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 100))
		for i := range 20 { // nobody runs
			b.equal("tripped while they wait", len(b.accept(looping("acme/repo#1", "ann")).Tripped), 0)
			b.equal("tripped by others", len(b.accept(looping("acme/repo#2", fmt.Sprint("user", i))).Tripped), 0)
		}
		for c := b.tryClaim(); c != nil; c = b.tryClaim() {
			b.finish(c.Run, job.Done)
		}
		for range 10 { // long after the run
			b.now = b.now.Add(time.Hour)
			b.equal("tripped long after", len(b.accept(looping("acme/repo#1", "ann")).Tripped), 0)
			b.finish(b.tryClaim().Run, job.Done)
		}
	},

	"without a limit": func(t *testing.T, b *bench) {
		b.limits(0, agent("dev", 1, 10))
		for range 10 {
			j := looping("acme/repo#1", "robot")
			j.Loop.Limit = 0
			b.equal("tripped", len(b.accept(j).Tripped), 0)
			b.finish(b.tryClaim().Run, job.Done)
		}
	},
}
