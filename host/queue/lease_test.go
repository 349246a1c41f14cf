package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

func TestLeasesAreKeptWhileRunsLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(2, map[string]int{"a": 2})
		mem.put("a", 2)
		b := setup(t, mem, takes(time.Hour))
		for range 50 * 60 {
			pass(time.Second)
			for _, run := range b.Active() {
				mem.mu.Lock()
				left := time.Until(mem.running[run.ID].Run.LeaseUntil)
				mem.mu.Unlock()
				if left < defaultLease/2 {
					t.Fatalf("only %s left of a lease", left)
				}
			}
		}
		// One call for both runs, three times per lease.
		if s := mem.state(); s.renewals > 50*60/10 {
			t.Errorf("%d renewals", s.renewals)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

func TestALostRunIsCancelledAndRecordsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		var cause error
		b := setup(t, mem, func(ctx context.Context, _ store.Claimed) Result {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return Result{State: job.Done}
		})
		mem.lose(b.Active()[0].ID)
		pass(defaultLease / 3)
		synctest.Wait()
		if !errors.Is(cause, ErrLost) {
			t.Errorf("cause = %v", cause)
		}
		if s := mem.state(); len(s.finished)+len(s.released) != 0 {
			t.Errorf("recorded %+v", s)
		}
		if len(b.Active()) != 0 {
			t.Error("still active")
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
		if !strings.Contains(b.log.String(), "outcome=lost") {
			t.Errorf("log: %s", b.log)
		}
	})
}

func TestAResultIsKeptUntilTheStoreIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		b := setup(t, mem, takes(time.Minute))
		down := fmt.Errorf("disk full: %w", store.ErrUnavailable)
		mem.fail("finish", down)
		mem.fail("claim", down)
		pass(10 * time.Minute)
		synctest.Wait()
		if n := len(b.Active()); n != 1 {
			t.Fatalf("%d active, the result is forgotten", n)
		}
		ended := mem.state()
		mem.fail("finish", nil)
		mem.fail("claim", nil)
		mem.put("a", 1)
		pass(backoffMax) // both retries are due by then
		synctest.Wait()
		s := mem.state()
		if len(s.finished) != 1 || s.finished[0].State != job.Done || s.running != 1 {
			t.Errorf("got %+v", s)
		}
		if took := s.finished[0].At; time.Since(took) < 9*time.Minute {
			t.Errorf("recorded as ended at %s, when the store came back", took)
		}
		if ended.renewals < 50 {
			t.Errorf("%d renewals while the result waited", ended.renewals)
		}
		if ended.claims > 200 {
			t.Errorf("%d claims while the store was down", ended.claims)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
		for _, line := range []string{"run not recorded yet", "run recorded at last", "jobs can not be claimed", "jobs can be claimed again"} {
			if n := strings.Count(b.log.String(), line); n != 1 {
				t.Errorf("%q logged %d times", line, n)
			}
		}
	})
}

func TestALostRunGivesUpRecording(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		b := setup(t, mem, untilCancelled)
		mem.fail("finish", store.ErrUnavailable)
		if _, err := b.Kill(t.Context(), "a", "enough"); err != nil { // the cause is taken; the loss must show nevertheless
			t.Fatal(err)
		}
		synctest.Wait()
		mem.lose(b.Active()[0].ID)
		pass(defaultLease / 3)
		synctest.Wait()
		if len(b.Active()) != 0 {
			t.Error("still trying")
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

func TestAMissedRenewalIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		b := setup(t, mem, takes(time.Hour))
		mem.fail("renew", store.ErrUnavailable)
		pass(25 * time.Second)
		mem.fail("renew", nil)
		pass(backoffMax)
		synctest.Wait()
		mem.mu.Lock()
		left := time.Until(mem.running[b.Active()[0].ID].Run.LeaseUntil)
		mem.mu.Unlock()
		if left < defaultLease-backoffMax {
			t.Errorf("lease ends in %s", left)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
		if n := strings.Count(b.log.String(), "leases can not be kept"); n != 1 {
			t.Errorf("complained %d times", n)
		}
	})
}

func TestRecoveryAtStart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		exclusive bool
		ran       int // at once
		later     int // after the other lease has ended
	}{
		{"the only host takes every run back", true, 2, 2},
		{"one of several takes those whose lease has ended", false, 1, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := newMemory(5, map[string]int{"a": 5})
				mem.putRunning("ended", "a", time.Now().Add(-time.Second))
				mem.putRunning("not-ended", "a", time.Now().Add(20*time.Second))
				b := setup(t, mem, ok, func(o *Options) { o.Exclusive = test.exclusive })
				if n := len(mem.state().finished); n != test.ran {
					t.Errorf("%d jobs ran again at once, want %d", n, test.ran)
				}
				pass(time.Minute)
				synctest.Wait()
				if n := len(mem.state().finished); n != test.later {
					t.Errorf("%d jobs ran again in the end, want %d", n, test.later)
				}
				if err := b.stop(0); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestNothingIsClaimedBeforeRecovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		mem.fail("recover", store.ErrUnavailable)
		b := setup(t, mem, ok, func(o *Options) { o.Exclusive = true })
		b.Wake()
		pass(time.Minute)
		synctest.Wait()
		if s := mem.state(); s.claims != 0 {
			t.Errorf("%d claims", s.claims)
		}
		mem.fail("recover", nil)
		pass(backoffMax)
		synctest.Wait()
		if n := len(mem.state().finished); n != 1 {
			t.Errorf("%d jobs ran after the store came back", n)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

// After a sleep of the machine every lease has ended, our own ones too. They
// are renewed before anything is taken for lost, however long that takes.
func TestOwnRunsSurviveASleepOfTheMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		b := setup(t, mem, takes(time.Hour))
		run := b.Active()[0].ID
		mem.mu.Lock()
		for _, r := range mem.running {
			r.Run.LeaseUntil = time.Now().Add(-time.Hour)
		}
		mem.mu.Unlock()
		mem.fail("renew", store.ErrUnavailable)
		pass(2 * time.Minute)
		mem.fail("renew", nil)
		pass(2 * time.Minute)
		synctest.Wait()
		if left := b.Active(); len(left) != 1 || left[0].ID != run {
			t.Errorf("active are %+v, want the run %s", left, run)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

// Where another host could run its job, a run does not outlive its lease, and its
// job is not blamed for that.
func TestARunWhoseLeaseCanNotBeKeptIsEnded(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(*memory){
		"the store says so": func(m *memory) { m.fail("renew", store.ErrUnavailable) },
		"the store is silent": func(m *memory) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.hang["renew"] = true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := newMemory(1, map[string]int{"a": 1})
				mem.put("a", 1)
				var over time.Time
				b := setup(t, mem, func(ctx context.Context, _ store.Claimed) Result {
					<-ctx.Done()
					if cause := context.Cause(ctx); !errors.Is(cause, ErrUnkept) {
						t.Errorf("cause = %v", cause)
					}
					pass(10 * time.Second)
					over = time.Now()
					return Result{State: job.Failed}
				}, func(o *Options) { o.Fence, o.Lease = true, time.Minute })
				pass(10 * time.Minute)
				kept := mem.state().renewed
				broken(mem)
				mem.fail("claim", store.ErrUnavailable)
				pass(2 * time.Minute)
				synctest.Wait()
				if end := kept.Add(time.Minute); over.IsZero() || over.After(end) {
					t.Errorf("the run was over at %s; its lease ended at %s", over, end)
				}
				if s := mem.state(); len(s.finished) != 0 || len(s.released) != 1 {
					t.Errorf("recorded %+v", s)
				}
				if err := b.stop(0); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A short outage costs nobody a run.
func TestARunOutlivesAShortOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		b := setup(t, mem, takes(time.Hour), func(o *Options) { o.Fence, o.Lease = true, time.Minute })
		for range 20 {
			mem.fail("renew", store.ErrUnavailable)
			pass(20 * time.Second)
			mem.fail("renew", nil)
			pass(40 * time.Second)
		}
		pass(time.Hour)
		synctest.Wait()
		if s := mem.state(); len(s.finished) != 1 || s.finished[0].State != job.Done {
			t.Errorf("recorded %+v", s)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

// lateAnswer is a store whose answer to the first claim that succeeds is heard
// late, as by a machine that stood still meanwhile.
type lateAnswer struct {
	*memory
	by   time.Duration
	told bool
}

func (l *lateAnswer) Claim(ctx context.Context, c store.Claim) (*store.Claimed, error) {
	claimed, err := l.memory.Claim(ctx, c)
	if claimed != nil && !l.told {
		l.told = true
		pass(l.by)
	}
	return claimed, err
}

// A run is not even begun when its lease may be over by the time that its host
// hears of it.
func TestARunThatIsHeardOfTooLateIsNotBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		began := 0
		b := setup(t, mem, func(ctx context.Context, _ store.Claimed) Result {
			if ctx.Err() == nil { // else a renewal told in the same moment that it is lost
				began++
			}
			return Result{State: job.Done}
		}, func(o *Options) {
			o.Fence, o.Lease, o.Store = true, time.Minute, &lateAnswer{memory: mem, by: 2 * time.Minute}
		})
		pass(10 * time.Minute)
		synctest.Wait()
		// Its job went back when the lease ended, and was run then.
		if s := mem.state(); began != 1 || len(s.finished) != 1 {
			t.Errorf("begun %d times; recorded %+v", began, s)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}
