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
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/sqlite"
)

const (
	crashFor     = 20 * time.Second // of `make e2e`
	crashSoakFor = time.Hour        // of `make soak`, unless AL_SOAK_FOR says otherwise
	leastKills   = 10

	crashMaxAttempts = 2 // the default of maxAttempts
)

// A 2xx is a promise. The gateway is killed at random moments under load, again
// and again; whatever it answered 2xx is waiting, running or finished
// afterwards, once; its counts are right; and no run is beside what an earlier
// one left.
func TestKillLosesNothingThatWasAccepted(t *testing.T) {
	limit := crashFor
	if os.Getenv("AL_SOAK") != "" {
		limit = crashSoakFor
		if text := os.Getenv("AL_SOAK_FOR"); text != "" {
			var err error
			if limit, err = time.ParseDuration(text); err != nil {
				t.Fatalf("AL_SOAK_FOR: %v", err)
			}
		}
	}
	c := newCrashTest(t)
	for began := time.Now(); !t.Failed() && (time.Since(began) < limit || c.kills < leastKills); {
		c.round()
	}
	if !t.Failed() {
		c.calm()
	}
	c.report()
}

// crashTest is a project whose gateway is killed, and all that is known of it.
type crashTest struct {
	*project
	began  time.Time
	ledger *crashLedger
	marks  *crashMarks
	now    *gateway
	after  int64          // all jobs up to this one have ended and were checked
	seen   map[int64]bool // those after it of which the same is true

	rounds, kills, early, stopped int
	ended                         map[string]int // jobs by their last state
	runs                          int
	slowest                       time.Duration // from exec to ready
}

func newCrashTest(t *testing.T) *crashTest {
	p := newProject(t, crashFiles())
	c := &crashTest{
		project: p, began: time.Now(), ledger: newCrashLedger(),
		marks: newCrashMarks(t, filepath.Join(p.dir, "marks")), ended: map[string]int{}, seen: map[int64]bool{},
	}
	t.Cleanup(func() {
		if c.now != nil {
			c.now.kill()
			c.marks.killAll()
		}
	})
	return c
}

// round is one life of a gateway.
func (c *crashTest) round() {
	c.rounds++
	switch n := rand.IntN(100); {
	case c.rounds%25 == 0:
		c.calm()
	case n < 15:
		c.launch()
		pauseFor(c.t.Context(), rand.N(250*time.Millisecond))
		c.early++
		c.kill()
	case n < 25:
		c.start()
		c.under(func() {
			pauseFor(c.t.Context(), rand.N(200*time.Millisecond))
			_ = c.now.cmd.Process.Signal(syscall.SIGTERM)
			pauseFor(c.t.Context(), rand.N(400*time.Millisecond))
			c.kill()
		})
	default:
		c.start()
		c.under(func() {
			pauseFor(c.t.Context(), rand.N(400*time.Millisecond))
			c.kill()
		})
	}
	if c.rounds%2 == 0 {
		// In the others the next gateway finds the files as the kill left them,
		// looked at by nobody.
		c.checkStopped()
	}
}

func (c *crashTest) launch() {
	c.now = c.project.launch()
	c.marks.newHost(c.now.cmd.Process.Pid)
	clear(c.ledger.codes)
}

// start starts a gateway, and looks at what it made of what it found.
func (c *crashTest) start() {
	began := time.Now()
	c.launch()
	c.now.awaitReady()
	c.slowest = max(c.slowest, time.Since(began))
	c.marks.checkLeft()
	c.checkRecord()
	c.checkMetrics()
}

// under does something while deliveries are sent.
func (c *crashTest) under(something func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	sent := c.ledger.start(ctx, c.now, someCrashLoad())
	something()
	cancel()
	<-sent
}

func (c *crashTest) kill() {
	select {
	case <-c.now.exited: // by itself, after SIGTERM
		c.stopped++
	default:
		c.kills++
	}
	c.now.kill()
	if text := c.now.log.String(); crashFaults.MatchString(text) {
		c.t.Errorf("the gateway's log:\n%s", text)
	}
}

// crashFaults are what no gateway says here, however it is treated.
var crashFaults = regexp.MustCompile(`panic|internal error|store can not write|could not be ended|corrupt|malformed`)

// calm lets a gateway work off everything, compares all there is to compare,
// and stops it in order.
func (c *crashTest) calm() {
	c.start()
	sent := c.ledger.start(c.t.Context(), c.now, someCrashLoad())
	<-sent
	for deadline := time.Now().Add(crashPatience); !c.workedOff(); pauseFor(c.t.Context(), 20*time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("not worked off: %+v\n%s", c.stat().Agents, c.now.log)
		}
	}
	if n := len(c.ledger.toRepeat()); n > 0 {
		c.t.Errorf("%d deliveries are still not accepted", n)
	}
	c.checkRequests()
	c.now.stop()
	c.now = nil
	c.marks.read()
	record := c.checkStopped()
	c.marks.checkEnded()
	c.checkEnds(record)
	// What ended long ago is deleted after days.
	if err := os.RemoveAll(filepath.Join(c.dir, ".al", "runs")); err != nil {
		c.t.Fatal(err)
	}
}

// crashPatience is for a machine that has much else to do while many jobs wait.
const crashPatience = 10 * time.Minute

func (c *crashTest) workedOff() bool {
	for _, a := range c.stat().Agents {
		if a.Name != "clock" && a.Waiting+a.Running > 0 {
			return false
		}
	}
	return true
}

// checkRecord reads the store's file and looks for each delivery that was
// accepted.
func (c *crashTest) checkRecord() *crashRecord {
	c.t.Helper()
	r := readCrashRecord(c.t, c.dir, c.after)
	r.check(c.t, crashMaxAttempts)
	c.ledger.check(c.t, r)
	return r
}

// checkStopped does the same while no gateway runs, when al stat has to say it
// too.
func (c *crashTest) checkStopped() *crashRecord {
	c.t.Helper()
	r := c.checkRecord()
	for _, a := range c.stat().Agents {
		if got := (crashDepth{int64(a.Waiting), int64(a.Running)}); got != r.depths[a.Name] {
			c.t.Errorf("al stat says %+v of %s, and the record %+v", got, a.Name, r.depths[a.Name])
		}
		if int64(a.Dropped) != r.dropped[a.Name] {
			c.t.Errorf("al stat says that %d jobs of %s were dropped, and the record %d", a.Dropped, a.Name, r.dropped[a.Name])
		}
	}
	return r
}

// checkMetrics waits for a moment in which the metrics and the record say the
// same: they can not be read at once, but a count that is wrong stays wrong.
func (c *crashTest) checkMetrics() {
	var metric, stored map[string]crashDepth
	c.now.await("the metrics say what the record says", func() bool {
		metric = map[string]crashDepth{}
		for series, v := range c.now.metrics() {
			if agent, ok := labelled(series, "al_queue_depth", "agent"); ok {
				d := metric[agent]
				d.waiting = int64(v)
				metric[agent] = d
			}
			if agent, ok := labelled(series, "al_runs_active", "agent"); ok {
				d := metric[agent]
				d.running = int64(v)
				metric[agent] = d
			}
		}
		stored = readCrashRecord(c.t, c.dir, maxJob).depths
		return maps.Equal(metric, stored)
	})
}

const maxJob = 1 << 62

// checkRequests compares what was sent to the gateway that runs with what it
// counted: every request was answered, and every answer is counted.
func (c *crashTest) checkRequests() {
	counted := map[int]int{}
	for series, v := range c.now.metrics() {
		if code, ok := labelled(series, "al_webhook_requests_total", "code"); ok && v > 0 {
			n, err := strconv.Atoi(code)
			if err != nil {
				c.t.Fatal(err)
			}
			counted[n] += int(v)
		}
	}
	if !maps.Equal(counted, c.ledger.codes) {
		c.t.Errorf("answers by status, as they were received: %v; as the metrics count them: %v", c.ledger.codes, counted)
	}
}

// checkEnds compares the record with what the harnesses did, when all work is
// over, and closes the book on it.
func (c *crashTest) checkEnds(r *crashRecord) {
	for id, run := range r.runs {
		mark := c.marks.runs[id]
		switch {
		case run.state == "done" && (mark == nil || !mark.ended || mark.code != 0):
			c.t.Errorf("run %s of job %d is done, and its harness says %+v", id, run.job, mark)
		case run.state == "failed" && run.code > 0 && run.code < 100 && (mark == nil || int64(mark.code) != run.code):
			c.t.Errorf("run %s of job %d failed with %d, and its harness says %+v", id, run.job, run.code, mark)
		}
		if j := r.jobs[run.job]; mark != nil && j != nil {
			if want := 1 + j.merged; j.trigger != "schedule" && int64(mark.events) != want {
				c.t.Errorf("run %s of job %d was told %d events of %d", id, run.job, mark.events, want)
			}
		}
	}
	for id := range c.marks.runs {
		if _, ok := r.runs[id]; !ok {
			c.t.Errorf("run %s was started, and there is no record of it", id)
		}
	}
	last, open := c.after, r.last
	for id, j := range r.jobs {
		last = max(last, id)
		switch j.state {
		case "waiting", "running":
			// A tick may have come just before the end.
			if open = min(open, id-1); j.agent != "clock" {
				c.t.Errorf("%+v: not worked off", *j)
			}
			continue
		case "failed":
			if j.agent != "newest" && (j.agent != "stubborn" || j.failures != crashRetries) {
				c.t.Errorf("%+v: no reason to fail", *j)
			}
		case "dropped":
			if j.agent != "narrow" && j.agent != "latest" && j.agent != "newest" {
				c.t.Errorf("%+v: no reason to be dropped", *j)
			}
		}
		if !c.seen[id] {
			c.seen[id] = true
			c.ended[j.state]++
			c.runs += int(j.attempt)
		}
	}
	if r.last != last {
		c.t.Errorf("the last job was %d, and the last in the record is %d", r.last, last)
	}
	c.after = open
	maps.DeleteFunc(c.seen, func(id int64, _ bool) bool { return id <= c.after })
	c.marks.forget(func(run string) bool { return r.runs[run].job <= c.after })
	c.ledger.close()
}

// check looks for every delivery that was sent.
func (l *crashLedger) check(t *testing.T, r *crashRecord) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, s := range l.open {
		found := 0
		for _, agent := range s.agents {
			jobs := r.byID[agent+" "+id]
			if len(jobs) > 0 {
				found++
			}
			active := 0
			for _, j := range jobs {
				if j.state == "waiting" || j.state == "running" || j.state == "done" {
					active++
				}
			}
			if len(jobs) > s.times || active > 1 {
				t.Errorf("delivery %s was sent %d times and became %d jobs of %s, %d of them at work or done", id, s.times, len(jobs), agent, active)
			}
			if s.accepted && len(jobs) == 0 {
				t.Errorf("delivery %s was accepted, and there is no job of %s for it", id, agent)
			}
		}
		if found != 0 && found != len(s.agents) {
			t.Errorf("delivery %s became jobs of %d of its %d agents", id, found, len(s.agents))
		}
	}
}

// close forgets what has ended.
func (l *crashLedger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.open)
}

func (c *crashTest) report() {
	c.t.Logf("record: %s; %d kills (%d of them while starting), %d orderly stops; slowest start %s",
		time.Since(c.began).Round(time.Second), c.kills, c.early, c.stopped, c.slowest.Round(time.Millisecond))
	l := c.ledger
	c.t.Logf("record: %d deliveries, sent %d times: %d accepted, %d refused, %d unanswered; jobs %v; %d runs, %d harnesses began",
		l.last, l.sent, l.accepted, l.refused, l.unanswered, c.ended, c.runs, c.marks.started)
}

// metrics reads the gateway's metrics.
func (g *gateway) metrics() map[string]float64 {
	g.t.Helper()
	out := map[string]float64{}
	for line := range strings.Lines(g.body("/metrics")) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.HasPrefix(line, "#") {
			out[series] = v
		}
	}
	return out
}

// labelled returns the value of a label of a series with the given name.
func labelled(series, name, label string) (string, bool) {
	rest, ok := strings.CutPrefix(series, name+"{")
	if !ok {
		return "", false
	}
	_, rest, ok = strings.Cut(rest, label+`="`)
	if !ok {
		return "", false
	}
	value, _, ok := strings.Cut(rest, `"`)
	return value, ok
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
