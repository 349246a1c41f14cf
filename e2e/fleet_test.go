//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/store/pgtest"
)

const (
	fleetFor    = 25 * time.Second // of `make e2e`; what follows takes some more
	fleetHosts  = 3
	leastFaults = 6
	calmEvery   = 15 // rounds
)

// Several hosts on one database promise what one does. Hosts and database are
// killed, stopped, cut off and started again at random, under load; whatever was
// answered 2xx ends, once, and no limit is broken on the way.
func TestFleetKeepsItsPromises(t *testing.T) {
	limit := soakFor(t, fleetFor)
	f := newFleet(t)
	stop := f.load()
	for began := time.Now(); !t.Failed() && (time.Since(began) < limit || f.count() < leastFaults); {
		f.round()
		if f.rounds%calmEvery == 0 && !t.Failed() {
			stop()
			f.calm()
			f.report()
			stop = f.load()
		}
	}
	stop()
	if !t.Failed() {
		f.calm()
	}
	f.report()
	for _, h := range f.hosts {
		if t.Failed() && h.now != nil {
			t.Logf("the end of the log of host %s:\n%s", h.name, tail(h.now))
		}
	}
}

// fleet is several hosts, their database, and all that is known of them.
type fleet struct {
	t        *testing.T
	db       *pgtest.Cluster
	hosts    []*fleetHost
	balancer *balancer
	sent     *fleetLoad
	marks    *fleetMarks
	began    time.Time

	after  int64 // all jobs up to this one have ended and were checked
	rounds int
	calms  int
	ended  map[string]int
	runs   int
	lost   int // runs that were given up for another
	ticks  int

	hostFaults, databaseFaults deck

	mu     sync.Mutex
	faults map[string]int
}

func newFleet(t *testing.T) *fleet {
	shared, err := os.MkdirTemp("", "al-fleet-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("AL_SOAK") != "" {
			t.Logf("left for a look at it: %s", shared)
			return
		}
		_ = os.RemoveAll(shared)
	})
	f := &fleet{t: t, began: time.Now(), ended: map[string]int{}, faults: map[string]int{}}
	f.hostFaults.of, f.databaseFaults.of = 10, 8
	f.db = newFleetDatabase(t)
	f.marks = newFleetMarks(t, filepath.Join(shared, "marks"))
	f.balancer = newBalancer(t)
	f.sent = newFleetLoad(f.balancer.URL, f.balancer.ready)
	var starting sync.WaitGroup
	for i := range fleetHosts {
		h := newFleetHost(t, fmt.Sprint(i+1), f.db, fleetFiles(shared))
		f.hosts = append(f.hosts, h)
		starting.Go(func() { f.up(h) }) // all at once: one of them makes the tables
	}
	starting.Wait()
	return f
}

func (f *fleet) up(h *fleetHost) {
	h.up(func(g *gateway) { f.marks.say("up", g.cmd.Process.Pid) })
	f.balancer.add(h.now.url)
}

// down ends a host.
func (f *fleet) down(h *fleetHost) {
	h.now.kill()
	f.gone(h)
}

func (f *fleet) gone(h *fleetHost) {
	f.marks.say("dead", h.now.cmd.Process.Pid)
	f.balancer.remove(h.now.url)
	if text := h.now.log.String(); fleetFaults.MatchString(text) {
		f.t.Errorf("the log of host %s:\n%s", h.name, tail(h.now))
	}
}

// fleetFaults are what no host says here, however it is treated.
var fleetFaults = regexp.MustCompile(`panic|internal error|SQLSTATE (XX|42|22|23)|corrupt|malformed`)

// load has deliveries sent until the function that it returns is called.
func (f *fleet) load() (stop func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	backlog, longer := fleetBacklog, fleetLong
	if !soaking() { // it is all to be worked off soon
		backlog, longer = fleetBacklog/4, fleetLong/2
	}
	var sending sync.WaitGroup
	sending.Go(func() { f.sent.run(ctx) })
	sending.Go(func() {
		for ctx.Err() == nil {
			if n, long, err := f.waiting(ctx); err == nil {
				f.sent.busy.Store(n > backlog)
				f.sent.noLong.Store(long > longer)
			}
			pauseFor(ctx, fleetLook)
		}
	})
	return func() { cancel(); sending.Wait() }
}

// waiting counts the jobs that wait or run, but for the next tick's, and of these
// those of the agent "long".
func (f *fleet) waiting(ctx context.Context) (n, long int, err error) {
	err = f.ask(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT coalesce(sum(waiting + running), 0), coalesce(sum(waiting + running) FILTER (WHERE agent = 'long'), 0)
			FROM queues WHERE agent <> 'clock'`).Scan(&n, &long)
	})
	return n, long, err
}

// ask asks the database past all faults but its own.
func (f *fleet) ask(ctx context.Context, what func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, f.db.URL())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	return what(ctx, c)
}

// round is one fault or several at the same time, from their begin to their end.
func (f *fleet) round() {
	f.rounds++
	var all sync.WaitGroup
	plans := []struct {
		hosts    int
		database bool
	}{{1, false}, {1, false}, {2, false}, {0, true}, {0, true}, {2, true}}
	plan := plans[rand.IntN(len(plans))]
	for _, i := range rand.Perm(len(f.hosts))[:plan.hosts] {
		all.Go(func() { f.hurtHost(f.hosts[i]) })
	}
	if plan.database {
		all.Go(func() { f.hurtDatabase() })
	}
	all.Wait()
	pauseFor(f.t.Context(), rand.N(2*time.Second))
	f.marks.read()
	readFleetRecord(f.t, f.db.URL(), f.after).check(f.t, fleetMaxAttempts)
}

// aWhile is short, or about as long as a lease and longer.
func aWhile() time.Duration {
	if rand.IntN(3) == 0 {
		return rand.N(time.Second)
	}
	if !soaking() {
		return fleetLease + rand.N(fleetLease/2)
	}
	return fleetLease/2 + rand.N(2*fleetLease)
}

func (f *fleet) note(fault string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[fault]++
}

func (f *fleet) count() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, times := range f.faults {
		n += times
	}
	return n
}

func (f *fleet) pause(d time.Duration) { pauseFor(f.t.Context(), d) }

// calm lets all be well until everything is worked off, and compares all there
// is to compare. Nothing new is sent meanwhile.
func (f *fleet) calm() {
	f.calms++
	ctx, cancel := context.WithTimeout(f.t.Context(), crashPatience)
	defer cancel()
	f.sent.rest(ctx)
	for {
		n, _, err := f.waiting(ctx)
		if err == nil && n == 0 {
			break
		}
		if ctx.Err() != nil {
			f.t.Errorf("not worked off: %d left, %v", n, err)
			return
		}
		f.pause(50 * time.Millisecond)
	}
	if n := len(f.sent.toRepeat()); n > 0 {
		f.t.Errorf("%d deliveries are still not accepted", n)
	}
	for _, fault := range f.sent.faults {
		f.t.Error(fault)
	}
	f.marks.read()
	record := readFleetRecord(f.t, f.db.URL(), f.after)
	record.check(f.t, fleetMaxAttempts)
	f.sent.check(f.t, record)
	f.marks.read()
	f.checkEnds(record)
}

// checkEnds compares the record with what the harnesses did, when all work is
// over, and closes the book on it.
func (f *fleet) checkEnds(r *crashRecord) {
	f.marks.checkJobs(r)
	for id, run := range r.runs {
		mark := f.marks.runs[id]
		switch {
		case run.state == "running":
		case run.state == "done" && (mark == nil || !mark.ended || mark.code != 0):
			f.t.Errorf("run %s of job %d is done, and its harness says %+v", id, run.job, mark)
		case run.state == "failed" && run.code > 0 && run.code < 100 && (mark == nil || int64(mark.code) != run.code):
			f.t.Errorf("run %s of job %d failed with %d, and its harness says %+v", id, run.job, run.code, mark)
		}
		if j := r.jobs[run.job]; mark != nil && j != nil {
			if want := 1 + j.merged; j.trigger != "schedule" && int64(mark.events) != want {
				f.t.Errorf("run %s of job %d was told %d events of %d", id, run.job, mark.events, want)
			}
		}
		if mark != nil && run.state != "running" && ofRun(mark.pid, id) {
			f.t.Errorf("process %d of run %s is still there after its end", mark.pid, id)
		}
	}
	for id := range f.marks.runs {
		// A tick may have come since the record was read.
		if _, ok := r.runs[id]; !ok && f.marks.runs[id].agent != "clock" {
			f.t.Errorf("run %s was started, and there is no record of it", id)
		}
	}
	open := r.last
	for id, j := range r.jobs {
		switch j.state {
		case "waiting", "running":
			if open = min(open, id-1); j.agent != "clock" {
				f.t.Errorf("%+v: not worked off", *j)
			}
		case "failed":
			if j.agent != "newest" && (j.agent != "stubborn" || j.failures != fleetRetries) {
				f.t.Errorf("%+v: no reason to fail", *j)
			}
		case "dropped":
			if !f.marks.agents[j.agent].drops {
				f.t.Errorf("%+v: no reason to be dropped", *j)
			}
		}
	}
	for id, j := range r.jobs {
		if id > open {
			continue
		}
		f.ended[j.state]++
		f.runs += int(j.attempt)
		f.lost += int(j.back)
		if j.trigger == "schedule" {
			f.ticks++
		}
	}
	f.after = open
	f.marks.forget(func(run string) bool { return r.runs[run].job != 0 && r.runs[run].job <= f.after })
	f.sent.close()
}

func (f *fleet) report() {
	f.mu.Lock()
	faults := maps.Clone(f.faults)
	f.mu.Unlock()
	l := f.sent
	f.t.Logf("record: %s, %d rounds, %d faults %v, %d calms", time.Since(f.began).Round(time.Second), f.rounds, f.count(), faults, f.calms)
	f.t.Logf("record: %d deliveries, sent %d times (%d to two hosts at once): %d accepted, refused %v, %d unanswered, slowest answer of a host %s",
		l.last, l.sent, l.twice, l.accepted, l.counts(), l.unanswered, l.slowest.Round(time.Millisecond))
	f.t.Logf("record: jobs %v, %d of them ticks; %d runs, of which %d were given up or put back; %d harnesses began, %d at once at most, %d excused beside a run of a host that was stopped",
		f.ended, f.ticks, f.runs, f.lost, f.marks.started, f.marks.most, f.marks.excused)
}
