//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// crashMarks is what the harnesses of the crash test wrote down, checked as it
// is read: never more runs at once than allowed, and no run beside the rest of
// an earlier one.
type crashMarks struct {
	t      *testing.T
	file   string
	offset int64
	agents map[string]crashAgent

	hosts   map[int]bool         // the processes of gateways that run, which during a takeover are two
	runs    map[string]*crashRun // since the last forget
	running map[string]*crashRun // of those gateways
	left    []*crashRun          // of earlier ones, without an end
	started int                  // ever
}

type crashRun struct {
	id, agent, thing string
	host             int
	attempt, events  int
	pids             []int
	ended            bool
	code             int
}

func newCrashMarks(t *testing.T, file string) *crashMarks {
	m := &crashMarks{t: t, file: file, hosts: map[int]bool{}, agents: map[string]crashAgent{}, runs: map[string]*crashRun{}, running: map[string]*crashRun{}}
	for _, a := range crashAgents() {
		m.agents[a.name] = a
	}
	return m
}

// newHost tells of a gateway that was started.
func (m *crashMarks) newHost(pid int) { m.hosts[pid] = true }

// dying tells of one that is about to be killed, or has left: what it does from
// here on is seen, and does not count.
func (m *crashMarks) dying(pid int) {
	m.read()
	delete(m.hosts, pid)
	for id, r := range m.running {
		if r.host == pid {
			m.left = append(m.left, r)
			delete(m.running, id)
		}
	}
}

// read takes in what was written since.
func (m *crashMarks) read() {
	f, err := os.Open(m.file)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		m.t.Fatal(err)
	}
	raw := make([]byte, info.Size()-m.offset)
	if _, err := f.ReadAt(raw, m.offset); err != nil && len(raw) > 0 {
		m.t.Fatal(err)
	}
	whole := bytes.LastIndexByte(raw, '\n') + 1
	m.offset += int64(whole)
	for line := range strings.Lines(string(raw[:whole])) {
		if err := m.take(strings.Fields(line)); err != nil {
			m.t.Errorf("mark %q: %v", strings.TrimSpace(line), err)
		}
	}
}

// exitTerminated is what a harness ends with that was told to.
const exitTerminated = 143

func (m *crashMarks) take(word []string) error {
	switch {
	case len(word) == 8 && word[0] == "start":
		attempt, err1 := strconv.Atoi(word[3])
		host, err2 := strconv.Atoi(word[4])
		pid, err3 := strconv.Atoi(word[5])
		events, err4 := strconv.Atoi(word[7])
		if errors.Join(err1, err2, err3, err4) != nil {
			return fmt.Errorf("not understood")
		}
		return m.begin(&crashRun{id: word[1], agent: word[2], host: host, attempt: attempt, pids: []int{pid}, thing: word[6], events: events})
	case len(word) == 3 && word[0] == "child":
		pid, err := strconv.Atoi(word[2])
		if r := m.runs[word[1]]; r != nil && err == nil {
			r.pids = append(r.pids, pid)
			return nil
		}
	case len(word) == 3 && word[0] == "end":
		code, err := strconv.Atoi(word[2])
		r := m.runs[word[1]]
		if r != nil && err == nil {
			r.ended, r.code = true, code
			delete(m.running, r.id)
			return nil
		}
		if r == nil && code == exitTerminated {
			return nil // it was told to end before it could say that it began
		}
	case len(word) == 4 && word[0] == "alive":
		return fmt.Errorf("a run began beside a process of an earlier one that had to be over")
	}
	return fmt.Errorf("not understood")
}

func (m *crashMarks) begin(r *crashRun) error {
	m.started++
	if m.runs[r.id] != nil {
		return fmt.Errorf("the run began twice")
	}
	m.runs[r.id] = r
	if !m.hosts[r.host] { // written while its gateway was being killed
		m.left = append(m.left, r)
		return nil
	}
	same := 0
	for _, other := range m.running {
		if other.agent != r.agent {
			continue
		}
		same++
		if m.agents[r.agent].keyed && other.thing == r.thing {
			return fmt.Errorf("begins beside run %s with the same key", other.id)
		}
	}
	m.running[r.id] = r
	if limit := m.agents[r.agent].scale; same+1 > limit {
		return fmt.Errorf("%d runs of %s at once, its scale is %d", same+1, r.agent, limit)
	}
	if len(m.running) > crashScale {
		return fmt.Errorf("%d runs at once, the scale of the project is %d", len(m.running), crashScale)
	}
	return nil
}

// checkLeft sees to it that nothing is alive of the runs of gateways before
// this one, which is ready.
func (m *crashMarks) checkLeft() {
	m.read()
	for _, r := range m.left {
		for _, pid := range r.pids {
			if ofRun(pid, r.id) {
				m.t.Errorf("process %d of run %s of %s outlived its gateway and the start of the next", pid, r.id, r.agent)
			}
		}
	}
	m.left = nil
}

// checkEnded sees to it that nothing is alive of any run, none of which runs.
func (m *crashMarks) checkEnded() {
	m.read()
	for _, r := range m.runs {
		for _, pid := range r.pids {
			if ofRun(pid, r.id) {
				m.t.Errorf("process %d of run %s of %s is still there after its end", pid, r.id, r.agent)
			}
		}
	}
}

// killAll leaves nothing behind on the machine.
func (m *crashMarks) killAll() {
	m.read()
	for _, r := range m.runs {
		for _, pid := range r.pids {
			if ofRun(pid, r.id) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// forget drops what was read of some runs.
func (m *crashMarks) forget(run func(id string) bool) {
	maps.DeleteFunc(m.runs, func(id string, _ *crashRun) bool { return run(id) })
}

// ofRun tells whether a process belongs to a run. The environment of one that
// is dead and not yet collected is empty.
func ofRun(pid int, run string) bool {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err == nil && bytes.Contains(raw, []byte("AL_RUN_ID="+run+"\x00"))
}
