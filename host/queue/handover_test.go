package queue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/action-llama/gateway/host/job"
)

func TestHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(3, map[string]int{"a": 3})
		mem.put("a", 1)
		b := setup(t, mem, takes(time.Hour))
		if err := b.Hold(t.Context()); err != nil {
			t.Fatal(err)
		}
		mem.put("a", 1)
		b.Wake()
		pass(10 * time.Minute)
		synctest.Wait()
		if s := mem.state(); s.running != 1 || s.waiting != 1 {
			t.Errorf("while it holds: %+v", s)
		}
		again, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := b.Hold(again); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("held twice: %v", err)
		}
		cancel()
		b.Resume()
		synctest.Wait()
		if s := mem.state(); s.running != 2 {
			t.Errorf("after it goes on: %+v", s)
		}
		if err := b.Hold(t.Context()); err != nil { // and a stop does not wait for its end
			t.Fatal(err)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
		b.Resume()
	})
}

// A claim that is under way is over when Hold returns, and its run counts.
func TestHoldWaitsForAClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.hang["claim"] = true
		b := setup(t, mem, takes(time.Hour))
		began := time.Now()
		if err := b.Hold(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != storeTimeout {
			t.Errorf("held after %s; the claim took %s", took, storeTimeout)
		}
		b.Resume()
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

// Who leaves starts nothing, lets its runs end, sees within a second which are
// to be ended, and takes nobody's for lost.
func TestLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(3, map[string]int{"a": 2, "b": 1})
		mem.put("a", 2)
		mem.put("b", 1)
		b := setup(t, mem, takes(5*time.Hour))
		left := make(chan struct{})
		go func() {
			b.Leave()
			close(left)
		}()
		synctest.Wait()
		mem.put("a", 5)
		mem.putRunning("of-another", "c", time.Now())
		pass(time.Hour)
		if _, err := mem.Cancel(t.Context(), "b", "killed by the next host"); err != nil {
			t.Fatal(err)
		}
		pass(renewWhileLeaving)
		synctest.Wait()
		s := mem.state()
		if len(s.released) != 0 || len(s.finished) != 1 || s.finished[0].Reason != "killed by the next host" {
			t.Errorf("a run that the next host killed: %+v", s)
		}
		pass(4 * time.Hour)
		<-left
		if s := mem.state(); len(s.finished) != 3 || s.waiting != 5 || s.running != 1 {
			t.Errorf("in the end: %+v", s)
		}
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

// A stop shortens the time of those that leave.
func TestLeaveAndStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		b := setup(t, mem, takes(5*time.Hour))
		go b.Leave()
		pass(time.Hour)
		began := time.Now()
		if err := b.stop(time.Minute); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("stopped after %s", took)
		}
		if s := mem.state(); len(s.released) != 1 {
			t.Errorf("recorded %+v", s)
		}
	})
}

// Runs of a host that lives are left alone however long it says nothing, and
// come back when it is known to be gone.
func TestRunsOfLivingHosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(2, map[string]int{"a": 2, "b": 1})
		mem.putRunning("old", "a", time.Now().Add(time.Second)) // its host is "dead"
		mem.put("b", 1)
		living := []string{"dead"}
		var unknown error
		b := setup(t, mem, takes(24*time.Hour), func(o *Options) {
			o.Exclusive = true
			o.Living = func() ([]string, error) { return living, unknown }
		})
		pass(time.Hour)
		synctest.Wait()
		if s := mem.state(); s.running != 2 || s.waiting != 0 {
			t.Errorf("while its host lives: %+v", s)
		}
		unknown = errors.New("can not be told")
		if err := b.Recover(t.Context()); !errors.Is(err, unknown) {
			t.Errorf("recovered without knowing who lives: %v", err)
		}
		living, unknown = nil, nil
		if err := b.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		ids := map[string]bool{}
		for _, run := range b.Active() {
			ids[run.Agent] = true
		}
		if s := mem.state(); s.running != 2 || !ids["a"] || !ids["b"] {
			t.Errorf("after its end: %+v, %v", s, ids)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
		if s := mem.state(); len(s.released) != 2 || len(s.finished) != 0 {
			t.Errorf("recorded %+v, and %s", s, job.Waiting)
		}
	})
}
