package groupcommit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/store"
)

// ledger is a database that records words, and can be made to wait or to fail.
type ledger struct {
	mu    sync.Mutex
	down  error
	gate  chan struct{} // a transaction waits for it, unless it is nil
	made  [][]string
	begun chan struct{}
}

func (l *ledger) commit(batch []*Op[string]) error {
	l.begun <- struct{}{}
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down != nil {
		return l.down
	}
	var words []string
	for _, o := range batch {
		if o.Work == "refused" {
			o.Answer = errors.New("not that")
			continue
		}
		words = append(words, o.Work)
	}
	l.made = append(l.made, words)
	return nil
}

func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = err
}

func start(t *testing.T, l *ledger) *Writer[string] {
	l.begun = make(chan struct{}, 1000)
	w := New(Options[string]{Log: hclog.NewNullLogger(), Commit: l.commit})
	go w.Run()
	return w
}

func TestWhoeverWaitsSharesTheNextTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan struct{})}
		w := start(t, l)
		answers := make(chan error, 4)
		do := func(word string) { go func() { answers <- w.Do(t.Context(), word, 1, false) }() }
		do("first")
		<-l.begun
		for _, word := range []string{"a", "b", "refused"} {
			do(word)
		}
		w.Note("note", 1)
		synctest.Wait()
		close(l.gate)
		refused := 0
		for range 4 {
			if err := <-answers; err != nil {
				refused++
			}
		}
		w.Stop()
		if refused != 1 {
			t.Errorf("%d were refused, want the one", refused)
		}
		if len(l.made) != 2 || len(l.made[0]) != 1 || len(l.made[1]) != 3 || !slices.Contains(l.made[1], "note") {
			t.Errorf("transactions: %v", l.made)
		}
	})
}

// Who has left before the work was taken up knows that nothing is recorded. Who
// leaves later may wait for the outcome.
func TestWhoLeavesEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan struct{})}
		w := start(t, l)
		type call struct {
			word    string
			patient bool
			answer  chan error
		}
		ctx, leave := context.WithCancel(t.Context())
		do := func(word string, patient bool) call {
			c := call{word, patient, make(chan error, 1)}
			go func() { c.answer <- w.Do(ctx, word, 1, patient) }()
			return c
		}
		patient := do("patient", true)
		<-l.begun
		late := do("late", false)
		synctest.Wait()
		leave()
		if err := <-late.answer; !errors.Is(err, context.Canceled) {
			t.Errorf("who was not taken up: %v", err)
		}
		close(l.gate)
		if err := <-patient.answer; err != nil {
			t.Errorf("who waits for the outcome: %v", err)
		}
		w.Stop()
		if len(l.made) != 1 || !slices.Equal(l.made[0], []string{"patient"}) {
			t.Errorf("transactions: %v", l.made)
		}
	})
}

// A failure is everybody's, notes are kept and written when it is over.
func TestNotesOutliveAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("disk full")
		l := &ledger{down: down}
		w := start(t, l)
		if !w.Note("one", 1) || !w.Note("two", 1) {
			t.Fatal("notes are not taken")
		}
		if err := w.Do(t.Context(), "word", 1, false); !errors.Is(err, down) {
			t.Errorf("while it fails: %v", err)
		}
		<-l.begun
		<-l.begun // it is tried again without being asked
		l.fail(nil)
		<-l.begun
		w.Stop()
		if len(l.made) != 1 || !slices.Equal(l.made[0], []string{"one", "two"}) {
			t.Errorf("transactions: %v", l.made)
		}
	})
}

func TestNotesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan struct{})}
		w := start(t, l)
		if !w.Note("larger than the bound", 2*MaxNoteBytes) {
			t.Error("one alone has to be taken")
		}
		if w.Note("more", 1) {
			t.Error("more than the bound is kept")
		}
		close(l.gate)
		<-l.begun
		synctest.Wait()
		taken := 0
		l.fail(errors.New("down"))
		for w.Note("small", 0) {
			taken++
		}
		if taken != MaxNotes {
			t.Errorf("%d notes are kept, want %d", taken, MaxNotes)
		}
		l.fail(nil)
		w.Stop()
	})
}

func TestAtTheEndNothingIsTaken(t *testing.T) {
	l := &ledger{}
	w := start(t, l)
	w.Stop()
	w.Stop()
	if err := w.Do(t.Context(), "word", 1, true); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Do: %v", err)
	}
	if w.Note("word", 1) {
		t.Error("a note was taken")
	}
}
