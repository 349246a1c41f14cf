//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/store/pgtest"
)

// pair is two hosts whose only agent runs until it is let go or told to end.
type pair struct {
	t      *testing.T
	db     *pgtest.Cluster
	hosts  []*fleetHost
	shared string
}

// newPair starts them; prepare is told of each before.
func newPair(t *testing.T, lease time.Duration, prepare ...func(i int, h *fleetHost)) *pair {
	p := &pair{t: t, db: newFleetDatabase(t), shared: t.TempDir()}
	files := map[string]string{
		"config.toml": fmt.Sprintf(`
scale = 4
maxAttempts = 5
[gateway]
shutdownGrace = "1s"
[store]
lease = "%s"
[runner]
command = ["sh", "harness.sh"]
[webhooks.main]
type = "github"
credential = "main"
`, lease),
		"harness.sh": strings.ReplaceAll(strings.TrimLeft(`
cd @shared@ || exit 99
trap 'echo "end $AL_RUN_ID 143" >>marks; exit 143' TERM
echo "start $AL_RUN_ID $PPID $$" >>marks
until [ -e go ]; do sleep 0.05; done
echo "end $AL_RUN_ID 0" >>marks
`, "\n"), "@shared@", p.shared),
		"agents/dev/SKILL.md":    "Wait.\n",
		"agents/dev/config.toml": "scale = 1\nmaxWorkQueueSize = 1000\n[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\n",
	}
	for i := range 2 {
		h := newFleetHost(t, strconv.Itoa(i+1), p.db, files)
		p.hosts = append(p.hosts, h)
		for _, f := range prepare {
			f(i, h)
		}
		h.up(func(*gateway) {})
	}
	return p
}

func (p *pair) marks() (lines [][]string) {
	raw, _ := os.ReadFile(filepath.Join(p.shared, "marks")) // before the first there is none
	for line := range strings.Lines(string(raw)) {
		if strings.HasSuffix(line, "\n") {
			lines = append(lines, strings.Fields(line))
		}
	}
	return lines
}

// mark finds the line of a run.
func (p *pair) mark(what, run string) []string {
	i := slices.IndexFunc(p.marks(), func(w []string) bool { return w[0] == what && (run == "" || w[1] == run) })
	if i < 0 {
		return nil
	}
	return p.marks()[i]
}

// begun waits for the n-th run, and tells its id, its process and its host.
func (p *pair) begun(n int) (run string, pid int, by, other *fleetHost) {
	p.t.Helper()
	var starts [][]string
	await(p.t, fmt.Sprintf("run %d has begun", n), func() bool {
		starts = slices.DeleteFunc(p.marks(), func(w []string) bool { return w[0] != "start" })
		return len(starts) >= n
	}, p.logs)
	at := starts[n-1]
	for _, h := range p.hosts {
		if at[2] == strconv.Itoa(h.now.cmd.Process.Pid) {
			by = h
		} else {
			other = h
		}
	}
	pid, err := strconv.Atoi(at[3])
	if err != nil || by == nil {
		p.t.Fatalf("mark %v is of no host", at)
	}
	return at[1], pid, by, other
}

func (p *pair) logs() (text string) {
	for _, h := range p.hosts {
		text += "host " + h.name + ":\n" + tail(h.now)
	}
	return text
}

func (p *pair) letGo() {
	if err := os.WriteFile(filepath.Join(p.shared, "go"), nil, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// awaitState waits until a run is recorded as having ended in a way.
func (p *pair) awaitState(run, state string) (reason string) {
	p.t.Helper()
	last := ""
	await(p.t, "run "+run+" is "+state, func() bool {
		last, reason = p.state(run)
		return last == state
	}, func() string { return last + " " + reason + "\n" + p.logs() })
	return reason
}

func (p *pair) state(run string) (state, reason string) {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, p.db.URL())
	if err == nil {
		err = c.QueryRow(ctx, `SELECT state, reason FROM runs WHERE id = $1`, run).Scan(&state, &reason)
		_ = c.Close(ctx)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return state, reason
}

func (h *fleetHost) command(args ...string) {
	h.t.Helper()
	if out, code := h.al(append(args, "-p", h.dir)...); code != 0 {
		h.t.Fatalf("al %s on host %s: exit code %d\n%s", strings.Join(args, " "), h.name, code, out)
	}
}

// A command reaches the runs of all hosts, whichever it is given on.
func TestCommandsReachTheRunsOfOtherHosts(t *testing.T) {
	t.Parallel()
	p := newPair(t, fleetLease)
	p.hosts[0].now.mustSend(issue("1"))
	run, pid, _, other := p.begun(1)

	other.command("pause", "dev")
	other.now.mustSend(issue("2"))
	other.command("kill", run)
	if reason := p.awaitState(run, "failed"); !strings.Contains(reason, "kill") {
		t.Errorf("the run ended because of %q", reason)
	}
	if ofRun(pid, run) {
		t.Error("its harness goes on")
	}
	for _, h := range p.hosts {
		s := h.stat()
		if a := s.Agents[0]; a.Waiting != 1 || a.Running != 0 {
			t.Errorf("al stat on host %s: %+v; the agent is paused and one job waits", h.name, a)
		}
	}
	other.command("resume", "dev")
	run, _, _, other = p.begun(2)
	other.command("kill", "dev") // all runs of the agent
	p.awaitState(run, "failed")
}

// A job runs where its agent's labels are, and waits while they are nowhere.
func TestAJobRunsOnAHostWithItsLabels(t *testing.T) {
	t.Parallel()
	p := newPair(t, fleetLease, func(i int, h *fleetHost) {
		h.write("agents/dev/config.toml", "scale = 4\nrunsOn = [\"gpu\"]\n[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\n")
		h.write("agents/free/config.toml", "[[webhooks]]\nsource = \"main\"\nevents = [\"push\"]\n")
		h.write("agents/free/SKILL.md", "Look at it.\n")
		if i == 1 {
			h.env = append(h.env, "AL_RUNNER_LABELS=gpu,vpn")
		}
	})
	without, with := p.hosts[0], p.hosts[1]
	for n := range 3 {
		without.now.mustSend(issue(strconv.Itoa(n)))
		if run, _, by, _ := p.begun(n + 1); by != with {
			t.Errorf("run %s began on host %s, which has not the label of its agent", run, by.name)
		}
	}
	p.letGo()
	without.now.await("these runs are over", func() bool { return without.stat().Agents[0].Running == 0 })
	with.now.stop()
	without.now.mustSend(issue("waits"))
	// It looks for work, and finds what came later and may run there.
	without.command("run", "free")
	if a := without.stat().Agents[0]; a.Waiting != 1 {
		t.Errorf("%+v: one job waits for a host with the label", a)
	}
	with.up(func(*gateway) {})
	without.now.await("it has run", func() bool {
		a := without.stat().Agents[0]
		return a.Waiting+a.Running == 0
	})
}

// A host that stands still for longer than its lease loses its run to another.
// When it goes on it ends its own, and records nothing.
func TestAHostThatWakesUpHasLostItsRun(t *testing.T) {
	t.Parallel()
	p := newPair(t, fleetLease)
	p.hosts[0].now.mustSend(issue("1"))
	first, pid, asleep, _ := p.begun(1)
	asleep.freeze(true)
	second, _, by, _ := p.begun(2)
	if by == asleep {
		t.Fatal("the host that stands still has begun a run")
	}
	asleep.signal(syscall.SIGCONT)
	asleep.now.await("its harness is gone", func() bool { return !ofRun(pid, first) })
	if end := p.mark("end", first); end == nil || end[2] != "143" {
		t.Errorf("the lost run ended with %v; it has to be told to end", end)
	}
	p.letGo()
	p.awaitState(second, "done")
	if state, reason := p.state(first); state != "waiting" || !strings.Contains(reason, "stopped while it ran") {
		t.Errorf("the lost run is recorded as %s, %q", state, reason)
	}
	if len(p.marks()) != 4 {
		t.Errorf("%v: two runs have begun and ended", p.marks())
	}
}

// A host that can not reach the database ends its runs before another may begin
// them.
func TestAHostThatIsCutOffEndsItsRuns(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*wire){
		"refused": (*wire).cut,
		"silent":  (*wire).silence,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, fleetLease)
			p.hosts[0].now.mustSend(issue("1"))
			first, _, by, other := p.begun(1)
			cut(by.wire)
			second, _, next, _ := p.begun(2)
			if next != other {
				t.Errorf("the next run began on host %s, which is cut off", next.name)
			}
			marks := p.marks()
			if len(marks) != 3 || marks[1][0] != "end" || marks[1][1] != first || marks[2][1] != second {
				t.Errorf("%v: the first run has to end before the second begins", marks)
			}
			by.wire.heal()
			by.now.await("it is ready again", func() bool { return by.now.get("/ready") == http.StatusOK })
			p.letGo()
			p.awaitState(second, "done")
			if state, _ := p.state(first); state != "waiting" {
				t.Errorf("the lost run is recorded as %s", state)
			}
		})
	}
}

// A host that is killed loses its run to another, too.
func TestTheJobsOfADeadHostAreTakenOver(t *testing.T) {
	t.Parallel()
	p := newPair(t, fleetLease)
	p.hosts[0].now.mustSend(issue("1"))
	first, _, by, other := p.begun(1)
	by.now.kill()
	by.now = other.now // of the dead one nothing is asked any more
	second, _, _, _ := p.begun(2)
	p.letGo()
	p.awaitState(second, "done")
	if state, reason := p.state(first); state != "waiting" || !strings.Contains(reason, "stopped while it ran") {
		t.Errorf("the lost run is recorded as %s, %q", state, reason)
	}
}

// Whatever is wrong with the database, a delivery is refused in time and taken
// again when it is well; no host has to be started again, and no run of theirs
// ends if it is well before the leases end.
func TestTheDatabaseIsNotWellForAWhile(t *testing.T) {
	t.Parallel()
	const vendorWaits = 10 * time.Second // GitHub's
	p := newPair(t, 10*patience)
	f := &fleet{t: t, db: p.db, faults: map[string]int{}}
	p.hosts[0].now.mustSend(issue("running"))
	run, _, _, _ := p.begun(1)
	for name, fault := range map[string]func(ill func()){
		"down": func(ill func()) {
			if err := p.db.Stop(syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			ill()
			if err := p.db.Start(fleetSettings...); err != nil {
				t.Error(err)
			}
		},
		"standing still": func(ill func()) {
			p.db.Signal(syscall.SIGSTOP)
			ill()
			p.db.Signal(syscall.SIGCONT)
		},
		"read-only": func(ill func()) {
			f.must(`ALTER SYSTEM SET default_transaction_read_only = on`, `SELECT pg_reload_conf()`)
			ill()
			f.must(`SET default_transaction_read_only = off`, `ALTER SYSTEM RESET default_transaction_read_only`, `SELECT pg_reload_conf()`)
		},
		"without a connection to spare": func(ill func()) { f.exhaustedWhile(ill) },
	} {
		for _, h := range p.hosts {
			fault(func() {
				var a answer
				h.now.await("it refuses a delivery while the database is "+name, func() bool {
					began := time.Now()
					a = h.now.mustSend(issue(fmt.Sprint(name, h.name, began.UnixNano())))
					if took := time.Since(began); took > vendorWaits {
						t.Errorf("%s: the answer took %s", name, took)
					}
					return a.code != http.StatusOK
				})
				if a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
					t.Errorf("%s: answered %d %s, Retry-After %q", name, a.code, a.text, a.header.Get("Retry-After"))
				}
			})
			h.now.await("it takes deliveries again after the database was "+name, func() bool {
				a, err := h.now.send(issue("after " + name + h.name))
				return err == nil && a.code == http.StatusOK
			})
		}
	}
	p.letGo()
	p.awaitState(run, "done")
	// What reads may need a moment longer than what writes to notice that the
	// database is well again.
	p.hosts[0].now.await("all is worked off", func() bool {
		out, code := p.hosts[0].al("stat", "-p", p.hosts[0].dir, "--json")
		var s status
		if code != 0 || json.Unmarshal([]byte(out), &s) != nil {
			return false
		}
		return s.Agents[0].Waiting+s.Agents[0].Running == 0
	})
}
