//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/sqlite"
)

const (
	crashFor    = 20 * time.Second // of `make e2e`
	soakUsually = time.Hour        // of `make soak`, unless AL_SOAK_FOR says otherwise
	leastKills  = 10

	crashMaxAttempts = 2 // the default of maxAttempts
)

// A 2xx is a promise. The gateway is killed at random moments under load, again
// and again; whatever it answered 2xx is waiting, running or finished
// afterwards, once; its counts are right; and no run is beside what an earlier
// one left.
func TestKillLosesNothingThatWasAccepted(t *testing.T) {
	c := newCrashTest(t)
	for began := time.Now(); !t.Failed() && (time.Since(began) < soakFor(t, crashFor) || c.kills < leastKills); {
		c.round()
	}
	if !t.Failed() {
		c.calm()
	}
	c.report()
}

// soakFor is how long a test of faults at random goes on: so long of `make e2e`,
// and as AL_SOAK_FOR says of `make soak`.
func soakFor(t *testing.T, short time.Duration) time.Duration {
	t.Helper()
	if !soaking() {
		return short
	}
	text := os.Getenv("AL_SOAK_FOR")
	if text == "" {
		return soakUsually
	}
	limit, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("AL_SOAK_FOR: %v", err)
	}
	return limit
}

// soaking says whether this is `make soak`.
func soaking() bool { return os.Getenv("AL_SOAK") != "" }

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
	takeovers, handed             int            // tried, and those that came to their end
	lingered                      int            // looks at locks that outlived their gateway
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
		if c.rounds%500 == 0 {
			c.report()
		}
	case n < 15:
		c.launch()
		pauseFor(c.t.Context(), rand.N(250*time.Millisecond))
		c.early++
		c.kill()
	case n < 45:
		c.takeover()
	case n < 55:
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
	c.marks.dying(c.now.cmd.Process.Pid)
	c.now.kill()
	await(c.t, "nothing is left of the gateway", func() bool { return len(c.processes("al")) == 0 }, c.now.log.String)
	await(c.t, "its locks are gone", func() bool { return c.unlocked() }, c.now.log.String)
	if text := c.now.log.String(); crashFaults.MatchString(text) {
		c.t.Errorf("the gateway's log:\n%s", text)
	}
}

// unlocked tells whether nobody has the index of the store's log open. That of a
// killed gateway may be for a moment longer than the gateway: whoever looks into
// its memory by /proc holds on to what was mapped there. While it is, a reader
// takes it as it is, without the last commit when the gateway was killed between
// that and the index, which nobody was answered; and the next reader, who makes
// it anew, sees that commit. Both are right, and not the same.
func (c *crashTest) unlocked() bool {
	f, err := os.OpenFile(filepath.Join(c.dir, ".al", "al.db-shm"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	const getLock, firstLock, locks = 36, 120, 9 // F_OFD_GETLK, and where SQLite has its locks
	l := syscall.Flock_t{Type: syscall.F_WRLCK, Start: firstLock, Len: locks}
	if err := syscall.FcntlFlock(f.Fd(), getLock, &l); err != nil {
		c.t.Fatal(err)
	}
	if l.Type != syscall.F_UNLCK {
		c.lingered++
		return false
	}
	return true
}

// crashFaults are what no gateway says here, however it is treated.
var crashFaults = regexp.MustCompile(`panic|internal error|store can not write|could not be ended|corrupt|malformed`)

// calm lets a gateway work off everything, compares all there is to compare,
// and stops it in order.
func (c *crashTest) calm() {
	before := readCrashRecord(c.t, c.dir, maxJob)
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
	c.checkJobs(before)
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

func (c *crashTest) report() {
	c.t.Logf("record: %s; %d kills (%d of them while starting), %d orderly stops, %d takeovers, of which %d were not killed before their end; slowest start %s; %d looks at locks that outlived their gateway",
		time.Since(c.began).Round(time.Second), c.kills, c.early, c.stopped, c.takeovers, c.handed, c.slowest.Round(time.Millisecond), c.lingered)
	l := c.ledger
	c.t.Logf("record: %d deliveries, sent %d times: %d accepted, refused %v, %d unanswered; jobs %v; %d runs, %d harnesses began",
		l.last, l.sent, l.accepted, l.refused, l.unanswered, c.ended, c.runs, c.marks.started)
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
