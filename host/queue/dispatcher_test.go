package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/scrape"
	"github.com/action-llama/gateway/host/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bench struct {
	*Dispatcher
	t     *testing.T
	mem   *memory
	log   *bytes.Buffer // read it only while nothing runs
	reg   *scrape.Board
	ended chan error
}

// setup starts a dispatcher inside a synctest bubble. Every test has to stop it.
func setup(t *testing.T, mem *memory, execute func(context.Context, store.Claimed) Result, change ...func(*Options)) *bench {
	t.Helper()
	own := prometheus.NewRegistry()
	b := &bench{t: t, mem: mem, log: new(bytes.Buffer), reg: scrape.New(own), ended: make(chan error, 1)}
	o := Options{
		Store: mem, Execute: execute, Host: "here", Registerer: own, Board: b.reg,
		Log: hclog.New(&hclog.LoggerOptions{Output: b.log, Level: hclog.Debug, DisableTime: true}),
	}
	for _, f := range change {
		f(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Dispatcher = d
	go func() { b.ended <- d.Run(t.Context()) }()
	synctest.Wait()
	return b
}

func (b *bench) stop(grace time.Duration) error {
	b.t.Helper()
	b.Stop(grace)
	return <-b.ended
}

func ok(context.Context, store.Claimed) Result { return Result{State: job.Done} }

// untilCancelled is a harness that works until it is told to end.
func untilCancelled(ctx context.Context, _ store.Claimed) Result {
	<-ctx.Done()
	if errors.Is(context.Cause(ctx), ErrShutdown) {
		return Result{State: job.Waiting}
	}
	return Result{State: job.Failed, ExitCode: 143}
}

func takes(d time.Duration) func(context.Context, store.Claimed) Result {
	return func(ctx context.Context, c store.Claimed) Result {
		select {
		case <-time.After(d):
			return Result{State: job.Done}
		case <-ctx.Done():
			return Result{State: job.Waiting}
		}
	}
}

func TestJobsRunWithinTheLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const agents, each, scale = 1000, 3, 50
		limits := make(map[string]int)
		for i := range agents {
			limits[fmt.Sprintf("agent-%d", i)] = 1 + i%2
		}
		mem := newMemory(scale, limits)
		for agent := range limits {
			mem.put(agent, each)
		}
		var now, most atomic.Int64
		b := setup(t, mem, func(ctx context.Context, c store.Claimed) Result {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return takes(time.Duration(c.Job.ID%7+1)*time.Second)(ctx, c)
		})
		for mem.state().running > 0 {
			pass(time.Second) // fake time: the next run ends
			synctest.Wait()
		}
		s := mem.state()
		if len(s.finished) != agents*each || s.waiting != 0 {
			t.Errorf("finished %d, waiting %d", len(s.finished), s.waiting)
		}
		if s.most != scale || s.mostOfOne > 2 || most.Load() > scale {
			t.Errorf("at once %d claimed, %d executed, %d of one agent; want %d, at most %d, at most 2", s.most, most.Load(), s.mostOfOne, scale, scale)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

func TestAWakeUpStartsTheJobAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(10, map[string]int{"a": 10})
		b := setup(t, mem, ok)
		began := time.Now()
		mem.put("a", 3)
		b.Wake()
		b.Wake() // more wake-ups than looks must not block
		b.Wake()
		synctest.Wait()
		if n := len(mem.state().finished); n != 3 {
			t.Errorf("%d jobs ran without the clock moving, want 3", n)
		}
		if !time.Now().Equal(began) {
			t.Error("the poll did it, not the wake-up")
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

// The bubble's clock moves only when everybody waits: for a poll, if for one.
func TestNoWakeUpIsLost(t *testing.T) {
	t.Parallel()
	t.Run("in a race", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			mem := newMemory(4, map[string]int{"a": 4})
			ran := make(chan int64, 1)
			b := setup(t, mem, func(_ context.Context, c store.Claimed) Result {
				ran <- c.Job.ID
				return Result{State: job.Done}
			})
			began := time.Now()
			for range 2000 {
				mem.put("a", 1)
				b.Wake()
				<-ran
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("waited %s for polls", took)
			}
			if err := b.stop(time.Minute); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("while a look comes back with nothing", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			mem := newMemory(1, map[string]int{"a": 1})
			slow := &slowAnswers{memory: mem, answering: make(chan struct{}), goOn: make(chan struct{})}
			b := setup(t, mem, ok, func(o *Options) { o.Store = slow })
			began := time.Now()
			<-slow.answering
			mem.put("a", 1)
			b.Wake()
			close(slow.goOn)
			<-slow.answering
			if took := time.Since(began); took != 0 {
				t.Errorf("waited %s for a poll", took)
			}
			go func() {
				for range slow.answering {
				}
			}()
			if err := b.stop(time.Minute); err != nil {
				t.Error(err)
			}
			close(slow.answering)
		})
	})
}

// slowAnswers has looked already when it lets the test go on.
type slowAnswers struct {
	*memory
	answering, goOn chan struct{}
}

func (s *slowAnswers) Claim(ctx context.Context, c store.Claim) (*store.Claimed, error) {
	claimed, err := s.memory.Claim(ctx, c)
	s.answering <- struct{}{}
	<-s.goOn
	return claimed, err
}

func TestThePollFindsWhatNobodyToldOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		b := setup(t, mem, ok)
		mem.put("a", 1)
		pass(pollEvery)
		synctest.Wait()
		if n := len(mem.state().finished); n != 1 {
			t.Errorf("%d jobs ran, want 1", n)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	const grace = 30 * time.Second
	for _, test := range []struct {
		name     string
		execute  func(context.Context, store.Claimed) Result
		took     time.Duration
		finished int
		released int
	}{
		{"runs that end within the grace are done", takes(10 * time.Second), 10 * time.Second, 2, 0},
		{"runs that do not are released", takes(time.Hour), grace, 0, 2},
		{"a run that needs its time to die is released", func(ctx context.Context, _ store.Claimed) Result {
			<-ctx.Done()
			pass(12 * time.Second)
			return Result{State: job.Failed, ExitCode: 137}
		}, grace + 12*time.Second, 0, 2},
		{"a run that ends well at the last moment is done", func(ctx context.Context, _ store.Claimed) Result {
			<-ctx.Done()
			return Result{State: job.Done}
		}, grace, 2, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := newMemory(2, map[string]int{"a": 2})
				mem.put("a", 5)
				b := setup(t, mem, test.execute)
				began := time.Now()
				if err := b.stop(grace); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("stop took %s, want %s", took, test.took)
				}
				s := mem.state()
				if len(s.finished) != test.finished || len(s.released) != test.released || s.running != 0 || s.waiting != 5-test.finished {
					t.Errorf("got %+v", s)
				}
				if len(b.Active()) != 0 {
					t.Errorf("still active: %v", b.Active())
				}
			})
		})
	}
}

func TestStopIsBoundedWhenARunDoesNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(2, map[string]int{"a": 2})
		mem.put("a", 2)
		hold := make(chan struct{})
		b := setup(t, mem, func(ctx context.Context, c store.Claimed) Result {
			<-hold
			return Result{State: job.Done}
		})
		began := time.Now()
		err := b.stop(30 * time.Second)
		if err == nil || !strings.Contains(err.Error(), "2 runs did not end") {
			t.Errorf("err = %v", err)
		}
		if took := time.Since(began); took > 30*time.Second+endWithin+giveUpWithin {
			t.Errorf("stop took %s", took)
		}
		if s := mem.state(); s.running != 2 || len(s.released) != 0 {
			t.Errorf("a job was given back while its run lives: %+v", s)
		}
		close(hold)
	})
}

func TestStopIsBoundedWhenTheStoreIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(2, map[string]int{"a": 2})
		mem.put("a", 2)
		b := setup(t, mem, takes(time.Hour))
		mem.hang = map[string]bool{"release": true, "renew": true, "claim": true, "recover": true}
		b.Wake()
		synctest.Wait()
		began := time.Now()
		if err := b.stop(0); err == nil {
			t.Error("no error though nothing was recorded")
		}
		if took := time.Since(began); took > endWithin+giveUpWithin {
			t.Errorf("stop took %s", took)
		}
	})
}

func TestASecondStopShortensTheGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		b := setup(t, mem, takes(time.Hour))
		began := time.Now()
		go b.Stop(10 * time.Minute)
		synctest.Wait()
		pass(time.Second)
		if err := b.stop(time.Second); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s, want 2s", took)
		}
	})
}

func TestACancelledContextStopsWithoutGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		d, err := New(Options{Store: mem, Execute: untilCancelled})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if s := mem.state(); len(s.released) != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestAJobClaimedWhileStoppingIsReleasedUnstarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		claiming, goOn := make(chan struct{}), make(chan struct{})
		slow := &slowClaims{memory: mem, claiming: claiming, goOn: goOn}
		b := setup(t, mem, func(context.Context, store.Claimed) Result {
			t.Error("executed")
			return Result{State: job.Done}
		}, func(o *Options) { o.Store = slow })
		<-claiming // the look at the start
		goOn <- struct{}{}
		synctest.Wait()
		mem.put("a", 1)
		b.Wake()
		<-claiming
		go b.Stop(time.Minute)
		synctest.Wait()
		goOn <- struct{}{}
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
		if s := mem.state(); len(s.released) != 1 || s.waiting != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

type slowClaims struct {
	*memory
	claiming, goOn chan struct{}
}

func (s *slowClaims) Claim(ctx context.Context, c store.Claim) (*store.Claimed, error) {
	s.claiming <- struct{}{}
	<-s.goOn
	return s.memory.Claim(ctx, c)
}

func TestKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(10, map[string]int{"a": 2, "b": 2})
		mem.put("a", 2)
		mem.put("b", 2)
		b := setup(t, mem, untilCancelled)
		kill := func(whom string, want int) {
			t.Helper()
			if ids, err := b.Kill(t.Context(), whom, "killed by operator"); err != nil || len(ids) != want {
				t.Errorf("killed %v of %s, want %d (error %v)", ids, whom, want, err)
			}
		}
		kill("nobody", 0)
		kill("a", 2)
		synctest.Wait()
		left := b.Active()
		if len(left) != 2 || left[0].Agent != "b" {
			t.Fatalf("left are %+v", left)
		}
		kill(left[0].ID, 1)
		synctest.Wait()
		s := mem.state()
		if len(s.finished) != 3 {
			t.Fatalf("finished %d, want 3", len(s.finished))
		}
		for _, f := range s.finished {
			if f.State != job.Failed || f.Reason != "killed by operator" || f.ExitCode != 143 {
				t.Errorf("recorded %+v", f)
			}
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
		if n := testutil.ToFloat64(b.metrics.of("a").runs.WithLabelValues("webhook", "killed")); n != 2 {
			t.Errorf("killed counted %v", n)
		}
	})
}

func TestAPanicFailsOneJobOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 2)
		b := setup(t, mem, func(_ context.Context, c store.Claimed) Result {
			if c.Job.ID == 1 {
				panic("s3cret in a message")
			}
			return Result{State: job.Done}
		})
		s := mem.state()
		if len(s.finished) != 2 || s.finished[0].State != job.Failed || s.finished[1].State != job.Done {
			t.Errorf("got %+v", s.finished)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
		if log := b.log.String(); !strings.Contains(log, "execute panicked") || strings.Contains(log, "s3cret") {
			t.Errorf("log: %s", log)
		}
	})
}

func TestAResultThatIsNoneFails(t *testing.T) {
	t.Parallel()
	for _, state := range []job.State{"", job.Waiting, job.Running} {
		r, outcome := judge(Result{State: state}, nil)
		if r.State != job.Failed || outcome != outcomeFailed || r.Reason == "" {
			t.Errorf("%q became %+v, %s", state, r, outcome)
		}
	}
}

// A job that was claimed in the moment in which its agent went is as it was.
func TestAJobThatWasNotBegunGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(2, map[string]int{"a": 1})
		mem.put("a", 2)
		b := setup(t, mem, func(context.Context, store.Claimed) Result {
			mem.mu.Lock()
			defer mem.mu.Unlock()
			mem.limits["a"] = 0
			return Result{State: job.Waiting, Unstarted: true, Reason: "gone"}
		})
		synctest.Wait()
		if len(mem.released) != 1 || len(mem.waiting) != 2 || len(mem.finished) != 0 {
			t.Errorf("released %v, waiting %d, finished %v", mem.released, len(mem.waiting), mem.finished)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

func TestLogLinesAndMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		pass(2 * time.Second)
		b := setup(t, mem, func(ctx context.Context, c store.Claimed) Result {
			pass(90 * time.Second)
			return Result{State: job.Failed, ExitCode: 124, Reason: "timed out"}
		})
		b.SetAgents([]string{"a", "gone"})
		b.SetAgents([]string{"a"})
		if err := b.stop(time.Hour); err != nil {
			t.Fatal(err)
		}
		run := mem.state().finished[0].Run
		want := fmt.Sprintf(`[INFO]  run started: agent=a attempt=1 job=1 run=%s trigger=webhook waited=2s
[INFO]  run ended: agent=a attempt=1 job=1 run=%s trigger=webhook outcome=failed duration=1m30s exit_code=124 reason="timed out"
`, run, run)
		if got := b.log.String(); got != want {
			t.Errorf("log:\n%s\nwant:\n%s", got, want)
		}
		err := testutil.GatherAndCompare(b.reg, strings.NewReader(`
# HELP al_runs_total Runs that ended, by outcome: done, failed, killed, released or lost.
# TYPE al_runs_total counter
al_runs_total{agent="a",outcome="done",trigger="manual"} 0
al_runs_total{agent="a",outcome="done",trigger="schedule"} 0
al_runs_total{agent="a",outcome="done",trigger="webhook"} 0
al_runs_total{agent="a",outcome="failed",trigger="manual"} 0
al_runs_total{agent="a",outcome="failed",trigger="schedule"} 0
al_runs_total{agent="a",outcome="failed",trigger="webhook"} 1
# HELP al_run_duration_seconds How long runs took, whatever their outcome.
# TYPE al_run_duration_seconds histogram
al_run_duration_seconds_bucket{agent="a",le="1"} 0
al_run_duration_seconds_bucket{agent="a",le="5"} 0
al_run_duration_seconds_bucket{agent="a",le="15"} 0
al_run_duration_seconds_bucket{agent="a",le="30"} 0
al_run_duration_seconds_bucket{agent="a",le="60"} 0
al_run_duration_seconds_bucket{agent="a",le="120"} 1
al_run_duration_seconds_bucket{agent="a",le="300"} 1
al_run_duration_seconds_bucket{agent="a",le="600"} 1
al_run_duration_seconds_bucket{agent="a",le="900"} 1
al_run_duration_seconds_bucket{agent="a",le="1800"} 1
al_run_duration_seconds_bucket{agent="a",le="3600"} 1
al_run_duration_seconds_bucket{agent="a",le="+Inf"} 1
al_run_duration_seconds_sum{agent="a"} 90
al_run_duration_seconds_count{agent="a"} 1
# HELP al_run_start_seconds Time from taking a job out of its queue to the first process of its run.
# TYPE al_run_start_seconds histogram
al_run_start_seconds_bucket{le="0.001"} 0
al_run_start_seconds_bucket{le="0.0025"} 0
al_run_start_seconds_bucket{le="0.005"} 0
al_run_start_seconds_bucket{le="0.01"} 0
al_run_start_seconds_bucket{le="0.025"} 0
al_run_start_seconds_bucket{le="0.05"} 0
al_run_start_seconds_bucket{le="0.1"} 0
al_run_start_seconds_bucket{le="0.25"} 0
al_run_start_seconds_bucket{le="0.5"} 0
al_run_start_seconds_bucket{le="1"} 0
al_run_start_seconds_bucket{le="2.5"} 0
al_run_start_seconds_bucket{le="5"} 0
al_run_start_seconds_bucket{le="+Inf"} 0
al_run_start_seconds_sum 0
al_run_start_seconds_count 0
# HELP al_queue_wait_seconds How long jobs waited for their first run.
# TYPE al_queue_wait_seconds histogram
al_queue_wait_seconds_bucket{agent="a",le="0.01"} 0
al_queue_wait_seconds_bucket{agent="a",le="0.1"} 0
al_queue_wait_seconds_bucket{agent="a",le="1"} 0
al_queue_wait_seconds_bucket{agent="a",le="5"} 1
al_queue_wait_seconds_bucket{agent="a",le="15"} 1
al_queue_wait_seconds_bucket{agent="a",le="60"} 1
al_queue_wait_seconds_bucket{agent="a",le="300"} 1
al_queue_wait_seconds_bucket{agent="a",le="900"} 1
al_queue_wait_seconds_bucket{agent="a",le="3600"} 1
al_queue_wait_seconds_bucket{agent="a",le="+Inf"} 1
al_queue_wait_seconds_sum{agent="a"} 2
al_queue_wait_seconds_count{agent="a"} 1
# HELP al_jobs_accepted_total Jobs asked for and recorded, by what became of them at once: queued, merged into one that waits, duplicate, skipped for a busy key, limited by a budget.
# TYPE al_jobs_accepted_total counter
al_jobs_accepted_total{agent="a",outcome="duplicate"} 0
al_jobs_accepted_total{agent="a",outcome="limited"} 0
al_jobs_accepted_total{agent="a",outcome="merged"} 0
al_jobs_accepted_total{agent="a",outcome="queued"} 0
al_jobs_accepted_total{agent="a",outcome="skipped"} 0
# HELP al_jobs_dropped_total Jobs that this host dropped since its start, by reason: queue_full (the oldest), newer_event (with the same key), busy_key or budget.
# TYPE al_jobs_dropped_total counter
al_jobs_dropped_total{agent="a",reason="budget"} 0
al_jobs_dropped_total{agent="a",reason="busy_key"} 0
al_jobs_dropped_total{agent="a",reason="newer_event"} 0
al_jobs_dropped_total{agent="a",reason="queue_full"} 0
# HELP al_jobs_ended_total Jobs that ended after their last run, by outcome: done, failed or dead.
# TYPE al_jobs_ended_total counter
al_jobs_ended_total{agent="a",outcome="dead"} 0
al_jobs_ended_total{agent="a",outcome="done"} 0
al_jobs_ended_total{agent="a",outcome="failed"} 1
`))
		if err != nil {
			t.Error(err)
		}
		if problems, err := testutil.GatherAndLint(b.reg); err != nil || len(problems) > 0 {
			t.Errorf("lint: %v %v", problems, err)
		}
	})
}

func TestNewRefusesWhatCanNotWork(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{}); err == nil {
		t.Error("no error without store and execute")
	}
	reg := prometheus.NewRegistry()
	for i, wantErr := range []bool{false, true} {
		if _, err := New(Options{Store: newMemory(1, nil), Execute: ok, Registerer: reg}); (err != nil) != wantErr {
			t.Errorf("call %d on one registry: %v", i, err)
		}
	}
}

// Another host was told to kill a run of this one.
func TestKilledElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		b := setup(t, mem, untilCancelled)
		if _, err := mem.Cancel(t.Context(), "a", "killed from afar"); err != nil {
			t.Fatal(err)
		}
		pass(defaultLease / 3)
		synctest.Wait()
		if s := mem.state(); len(s.finished) != 1 || s.finished[0].Reason != "killed from afar" {
			t.Errorf("recorded %+v", s.finished)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		var runs []time.Time
		b := setup(t, mem, func(context.Context, store.Claimed) Result {
			runs = append(runs, time.Now())
			return Result{State: job.Failed, ExitCode: 1, Reason: "no luck"}
		}, func(o *Options) {
			o.Retry = func(j job.Job, failedAt time.Time) time.Time {
				if j.Failures == 2 {
					return time.Time{}
				}
				return failedAt.Add(time.Duration(j.Failures+1) * time.Second)
			}
		})
		pass(time.Minute)
		synctest.Wait()
		if len(runs) != 3 {
			t.Fatalf("%d runs, want 3", len(runs))
		}
		for i, want := range []time.Duration{time.Second, 2 * time.Second} {
			if got := runs[i+1].Sub(runs[i]); got != want {
				t.Errorf("attempt %d came after %s, want %s: not before, and not with the next poll", i+2, got, want)
			}
		}
		finished := mem.state().finished
		if n := len(finished); n != 3 || finished[0].RetryAt.IsZero() || !finished[2].RetryAt.IsZero() {
			t.Errorf("recorded %+v", finished)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}

func TestAKilledRunIsNotRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory(1, map[string]int{"a": 1})
		mem.put("a", 1)
		b := setup(t, mem, untilCancelled, func(o *Options) {
			o.Retry = func(_ job.Job, failedAt time.Time) time.Time { return failedAt.Add(time.Second) }
		})
		if _, err := b.Kill(t.Context(), "a", "enough"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := mem.state(); len(s.finished) != 1 || !s.finished[0].RetryAt.IsZero() {
			t.Errorf("recorded %+v", s.finished)
		}
		if err := b.stop(0); err != nil {
			t.Error(err)
		}
	})
}
