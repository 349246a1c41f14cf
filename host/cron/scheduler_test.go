package cron

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is the store as ticks see it.
type memory struct {
	mu      sync.Mutex
	down    error
	busy    map[string]bool
	paused  map[string]bool
	keys    map[string]bool // agent and key of what was accepted
	ticks   []string        // agent and tick of what was accepted
	calls   int
	jobs    []store.NewJob
	verdict []store.Verdict
}

func newMemory() *memory {
	return &memory{busy: make(map[string]bool), paused: make(map[string]bool), keys: make(map[string]bool)}
}

func (m *memory) Accept(_ context.Context, a store.Acceptance) (store.Accepted, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.down != nil {
		return store.Accepted{}, m.down
	}
	var out store.Accepted
	for _, j := range a.Jobs {
		v := store.Enqueued
		switch {
		case m.keys[j.Agent+" "+j.Key]:
			v = store.Duplicate
		case m.paused[j.Agent]:
			v = store.Paused
		case m.busy[j.Agent]:
			v = store.Busy
		default:
			m.keys[j.Agent+" "+j.Key] = true
			_, moment, _ := strings.Cut(j.Key, "T")
			m.ticks = append(m.ticks, j.Agent+" "+strings.TrimSuffix(moment, "Z"))
		}
		m.jobs = append(m.jobs, j)
		m.verdict = append(m.verdict, v)
		out.Verdicts = append(out.Verdicts, v)
	}
	return out, nil
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *memory) took() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ticks)
}

// clock is the wall clock, which may be set; timers do not see it.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Round(0).Add(c.offset)
}

func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

type bench struct {
	*Scheduler
	mem   *memory
	clock *clock
	log   *strings.Builder // read it after stop
	reg   *prometheus.Registry
	wakes int
	stop  func()
}

// setup runs a scheduler inside a synctest bubble, whose clock starts at
// midnight UTC.
func setup(t *testing.T, mem *memory, schedules map[string]string, change ...func(*Options)) *bench {
	t.Helper()
	return setupEntries(t, mem, entries(t, schedules), change...)
}

func setupEntries(t *testing.T, mem *memory, list []Entry, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{mem: mem, clock: new(clock), log: new(strings.Builder), reg: prometheus.NewRegistry()}
	o := Options{
		Accept: mem.Accept, Wake: func() { b.wakes++ }, Registerer: b.reg, Now: b.clock.now,
		Log: hclog.New(&hclog.LoggerOptions{Output: b.log, DisableTime: true}),
	}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Scheduler = s
	s.SetSchedules(list)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	synctest.Wait()
	return b
}

func entries(t *testing.T, schedules map[string]string) []Entry {
	t.Helper()
	var all []Entry
	for _, agent := range slices.Sorted(maps.Keys(schedules)) {
		s, err := Parse(schedules[agent], time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Entry{Agent: agent, Schedule: s, Source: schedules[agent]})
	}
	return all
}

func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock
	synctest.Wait()
}

func wantTicks(t *testing.T, mem *memory, want ...string) {
	t.Helper()
	if got := mem.took(); !slices.Equal(got, want) {
		t.Errorf("ticks:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (b *bench) counted(agent, outcome string) float64 {
	return testutil.ToFloat64(b.metrics.ticks.WithLabelValues(agent, outcome))
}

func TestTicksBecomeJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		b := setup(t, mem, map[string]string{"slow": "*/30 * * * *", "fast": "*/20 * * * *"})
		if next := b.Next("slow"); next.Format("15:04:05") != "00:30:00" {
			t.Errorf("next = %s", next)
		}
		if !b.Next("nobody").IsZero() {
			t.Error("nobody has a next tick")
		}
		pass(time.Hour)
		wantTicks(t, mem, "fast 00:20:00", "slow 00:30:00", "fast 00:40:00", "fast 01:00:00", "slow 01:00:00")
		first := mem.jobs[0]
		if first.Trigger != job.Schedule || !first.OnlyIfFree || first.Key != "tick/2000-01-01T00:20:00Z" || first.Source != "" {
			t.Errorf("job %+v", first)
		}
		if mem.calls != 4 || b.wakes != 4 {
			t.Errorf("%d commits and %d wake-ups for 4 moments", mem.calls, b.wakes)
		}
		if b.counted("fast", "started") != 3 {
			t.Error("started ticks are not counted")
		}
	})
}

func TestATickOfABusyAgentIsSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		mem.busy["a"] = true
		b := setup(t, mem, map[string]string{"a": "* * * * *", "b": "* * * * *"})
		pass(2 * time.Minute)
		wantTicks(t, mem, "b 00:01:00", "b 00:02:00")
		if b.counted("a", "skipped") != 2 || b.counted("a", "started") != 0 || b.counted("b", "skipped") != 0 {
			t.Error("counted wrong")
		}
		b.stop()
		if n := strings.Count(b.log.String(), "tick skipped"); n != 2 {
			t.Errorf("log: %s", b.log)
		}
	})
}

func TestATickOfAPausedAgentPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		mem.paused["a"] = true
		b := setup(t, mem, map[string]string{"a": "* * * * *"})
		pass(2 * time.Minute)
		wantTicks(t, mem)
		if b.counted("a", "paused") != 2 || b.counted("a", "skipped") != 0 {
			t.Error("ticks of a paused agent are not counted as such")
		}
	})
}

func TestTwoHostsFireATickOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		one := setup(t, mem, map[string]string{"a": "@every 90s"})
		pass(40 * time.Second) // the other starts off the beat
		two := setup(t, mem, map[string]string{"a": "@every 90s"})
		pass(3 * time.Minute)
		wantTicks(t, mem, "a 00:01:30", "a 00:03:00")
		if n := one.counted("a", "started") + two.counted("a", "started"); n != 2 {
			t.Errorf("counted %v starts for 2 ticks", n)
		}
		if n := one.counted("a", "skipped") + two.counted("a", "skipped"); n != 0 {
			t.Errorf("another host's ticks counted as skipped: %v", n)
		}
	})
}

func TestASleepOfTheMachine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		sleep time.Duration // from 00:05:40 on, while a timer for 00:10:00 runs
		want  []string      // within the next six minutes
	}{
		{"short, a tick is a little late", 4*time.Minute + 30*time.Second, []string{"a 00:10:00"}},
		{"long, missed ticks are not made up for", 39 * time.Minute, []string{"a 00:50:00"}},
		{"long, until just after a tick", 34*time.Minute + 30*time.Second, []string{"a 00:40:00"}},
		{"over days", 48 * time.Hour, []string{"a 00:10:00"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := newMemory()
				b := setup(t, mem, map[string]string{"a": "*/10 * * * *"})
				pass(5*time.Minute + 40*time.Second)
				b.clock.jump(test.sleep) // timers stood still meanwhile
				pass(6 * time.Minute)
				wantTicks(t, mem, test.want...)
			})
		})
	}
}

func TestTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		b := setup(t, mem, map[string]string{"a": "*/10 * * * *"})
		pass(10*time.Minute + time.Second)
		wantTicks(t, mem, "a 00:10:00")

		mem.keys = make(map[string]bool) // the store would help; do without
		b.clock.jump(-2 * time.Minute)   // 00:08:01
		b.SetSchedules(entries(t, map[string]string{"a": "*/10 * * * * "}))
		pass(11 * time.Minute)
		wantTicks(t, mem, "a 00:10:00") // not again
		pass(time.Minute)
		wantTicks(t, mem, "a 00:10:00", "a 00:20:00")
	})
}

func TestTheClockIsCorrected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		b := setup(t, mem, map[string]string{"a": "0 */12 * * *"})
		b.clock.jump(1000 * time.Hour) // wrong, as of a board without a battery
		pass(time.Minute)
		b.clock.jump(-1000 * time.Hour)
		pass(12 * time.Hour)
		wantTicks(t, mem, "a 12:00:00")
	})
}

func TestTheStoreIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		b := setup(t, mem, map[string]string{"a": "*/10 * * * *", "b": "0 1 * * *"})
		mem.set(func() { mem.down = store.ErrUnavailable })
		pass(10*time.Minute + 30*time.Second)
		mem.set(func() { mem.down = nil })
		pass(retryEvery)
		wantTicks(t, mem, "a 00:10:00") // late, but good

		mem.set(func() { mem.down = store.ErrUnavailable })
		pass(11 * time.Minute) // until 00:21:32, too late for 00:20
		mem.set(func() { mem.down = nil })
		pass(9 * time.Minute)
		wantTicks(t, mem, "a 00:10:00", "a 00:30:00")
		if b.counted("a", "started") != 2 {
			t.Error("counted wrong")
		}
		b.stop()
		for line, want := range map[string]int{"ticks can not be queued": 2, "it could not be queued in time": 1} {
			if n := strings.Count(b.log.String(), line); n != want {
				t.Errorf("%q logged %d times: %s", line, n, b.log)
			}
		}
	})
}

func TestNewSchedulesHoldAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		b := setup(t, mem, map[string]string{"stays": "0 1 * * *", "goes": "*/2 * * * *", "changes": "0 0 1 1 *"})
		pass(time.Minute)
		b.SetSchedules(entries(t, map[string]string{"stays": "0 1 * * *", "changes": "*/5 * * * *", "comes": "*/7 * * * *"}))
		pass(10 * time.Minute)
		wantTicks(t, mem, "changes 00:05:00", "comes 00:07:00", "changes 00:10:00")
		if next := b.Next("stays").Format("15:04"); next != "01:00" {
			t.Errorf("stays ticks next at %s", next)
		}
		if !b.Next("goes").IsZero() {
			t.Error("goes still ticks")
		}
		b.stop()
		err := testutil.GatherAndCompare(b.reg, strings.NewReader(`
# HELP al_cron_ticks_total Ticks of schedules, by outcome: started, skipped (every slot was busy) or paused.
# TYPE al_cron_ticks_total counter
al_cron_ticks_total{agent="changes",outcome="paused"} 0
al_cron_ticks_total{agent="changes",outcome="skipped"} 0
al_cron_ticks_total{agent="changes",outcome="started"} 2
al_cron_ticks_total{agent="comes",outcome="paused"} 0
al_cron_ticks_total{agent="comes",outcome="skipped"} 0
al_cron_ticks_total{agent="comes",outcome="started"} 1
al_cron_ticks_total{agent="stays",outcome="paused"} 0
al_cron_ticks_total{agent="stays",outcome="skipped"} 0
al_cron_ticks_total{agent="stays",outcome="started"} 0
`))
		if err != nil {
			t.Error(err)
		}
		if problems, err := testutil.GatherAndLint(b.reg); err != nil || len(problems) > 0 {
			t.Errorf("lint: %v %v", problems, err)
		}
	})
}

func TestAThousandAgents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		schedules := make(map[string]string)
		for i := range 1000 {
			schedules[fmt.Sprintf("agent-%d", i)] = "0 * * * *"
		}
		setup(t, mem, schedules)
		pass(3 * time.Hour)
		if n := len(mem.took()); n != 3000 || mem.calls != 3 {
			t.Errorf("%d ticks in %d commits, want 3000 in 3", n, mem.calls)
		}
	})
}

func TestAnOddStoreIsNoPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		b := setup(t, mem, map[string]string{"a": "* * * * *"}, func(o *Options) {
			o.Accept = func(context.Context, store.Acceptance) (store.Accepted, error) { return store.Accepted{}, nil }
		})
		pass(3 * time.Minute)
		b.stop()
		if !strings.Contains(b.log.String(), "judged 0 of 1") {
			t.Errorf("log: %s", b.log)
		}
	})
}

func TestNewRefusesWhatCanNotWork(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{}); err == nil {
		t.Error("no error without accept")
	}
	s, err := New(Options{Accept: newMemory().Accept})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := errors.Join(s.Run(ctx)); err != nil {
		t.Error(err)
	}
	if err := s.Run(ctx); err == nil {
		t.Error("ran twice")
	}
}
