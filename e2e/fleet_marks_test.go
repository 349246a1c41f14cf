//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fleetMarks is what the harnesses of all hosts wrote down, and in between them
// the test of what it did to the hosts: all in one file, whose order is the order
// in which things happened.
type fleetMarks struct {
	t      *testing.T
	file   string
	offset int64
	line   int
	agents map[string]crashAgent

	writing sync.Mutex
	hosts   map[int]*markedHost  // by process
	runs    map[string]*fleetRun // since the last forget
	running map[string]*fleetRun
	started int // ever
	excused int // runs that were beside another, of a host that was stopped then
	most    int // at once
}

type markedHost struct {
	frozen  bool // by SIGSTOP
	settled bool // it has had the time to notice what it missed
}

type fleetRun struct {
	id, agent, thing string
	host             int
	attempt, events  int
	pid              int
	ended            bool
	code             int
	from, to         int // lines
	// stopped says that its host was stopped while it ran: its lease may have
	// ended without anybody who could end it.
	stopped bool
}

func newFleetMarks(t *testing.T, file string) *fleetMarks {
	m := &fleetMarks{t: t, file: file, hosts: map[int]*markedHost{}, agents: map[string]crashAgent{}, runs: map[string]*fleetRun{}, running: map[string]*fleetRun{}}
	for _, a := range fleetAgents() {
		m.agents[a.name] = a
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// say writes down what the test does: up, dead, frozen, thawed, settled.
func (m *fleetMarks) say(what string, pid int) {
	m.writing.Lock()
	defer m.writing.Unlock()
	f, err := os.OpenFile(m.file, os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(f, "%s %d\n", what, pid)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		m.t.Error(err)
	}
}

// read takes in what was written since.
func (m *fleetMarks) read() {
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
		m.line++
		if err := m.take(strings.Fields(line)); err != nil {
			m.t.Errorf("mark %d %q: %v", m.line, strings.TrimSpace(line), err)
		}
	}
}

func (m *fleetMarks) take(word []string) error {
	if len(word) == 2 {
		pid, err := strconv.Atoi(word[1])
		if err != nil {
			return err
		}
		return m.hostChanged(word[0], pid)
	}
	switch {
	case len(word) == 8 && word[0] == "start":
		attempt, err1 := strconv.Atoi(word[3])
		host, err2 := strconv.Atoi(word[4])
		pid, err3 := strconv.Atoi(word[5])
		events, err4 := strconv.Atoi(word[7])
		if errors.Join(err1, err2, err3, err4) != nil {
			return fmt.Errorf("not understood")
		}
		return m.begin(&fleetRun{id: word[1], agent: word[2], host: host, attempt: attempt, pid: pid, thing: word[6], events: events})
	case len(word) == 3 && word[0] == "end":
		code, err := strconv.Atoi(word[2])
		r := m.runs[word[1]]
		switch {
		case err != nil:
		case r == nil && code == exitTerminated:
			return nil // it was told to end before it could say that it began
		case r != nil:
			if !r.ended { // else it was told to end while it said so
				r.ended, r.code, r.to = true, code, m.line
			}
			delete(m.running, r.id)
			return nil
		}
	}
	return fmt.Errorf("not understood")
}

func (m *fleetMarks) hostChanged(what string, pid int) error {
	h := m.hosts[pid]
	if what == "up" {
		m.hosts[pid] = &markedHost{settled: true}
		return nil
	}
	if h == nil {
		return fmt.Errorf("no such host")
	}
	switch what {
	case "dead":
		delete(m.hosts, pid)
		for id, r := range m.running {
			if r.host == pid {
				r.to = m.line
				delete(m.running, id)
			}
		}
	case "frozen":
		h.frozen, h.settled = true, false
		for _, r := range m.running {
			if r.host == pid {
				r.stopped = true
			}
		}
	case "thawed":
		h.frozen = false
	case "settled":
		h.settled = true
	default:
		return fmt.Errorf("not understood")
	}
	return nil
}

// begin sees to it that a run has no other beside it that it may not have. Runs
// that were under way while their host was stopped do not count: nobody could
// end them when their leases did. Nor do those count that begin in the moments
// after it woke up.
func (m *fleetMarks) begin(r *fleetRun) error {
	m.started++
	if m.runs[r.id] != nil {
		return fmt.Errorf("the run began twice")
	}
	r.from = m.line
	m.runs[r.id] = r
	h := m.hosts[r.host]
	if h == nil { // written while its gateway was being killed
		r.to = m.line
		return nil
	}
	r.stopped = h.frozen || !h.settled
	total, same, beside := 0, 0, ""
	for _, other := range m.running {
		if other.stopped {
			continue
		}
		total++
		if other.agent != r.agent {
			continue
		}
		same++
		if m.agents[r.agent].keyed && other.thing == r.thing {
			beside = other.id
		}
	}
	m.running[r.id] = r
	m.most = max(m.most, total+1)
	var err error
	switch limit := m.agents[r.agent].scale; {
	case beside != "":
		err = fmt.Errorf("begins beside run %s with the same key", beside)
	case same+1 > limit:
		err = fmt.Errorf("%d runs of %s at once, its scale is %d", same+1, r.agent, limit)
	case total+1 > fleetScale:
		err = fmt.Errorf("%d runs at once, the scale of the project is %d", total+1, fleetScale)
	}
	if err != nil && r.stopped {
		m.excused++
		return nil
	}
	return err
}

// checkJobs sees to it that no two runs of a job were beside each other.
func (m *fleetMarks) checkJobs(record *crashRecord) {
	by := map[int64][]*fleetRun{}
	for id, r := range m.runs {
		if run, ok := record.runs[id]; ok {
			by[run.job] = append(by[run.job], r)
		}
	}
	for id, runs := range by {
		for i, a := range runs {
			for _, b := range runs[:i] {
				first, second := a, b
				if b.from < a.from {
					first, second = b, a
				}
				switch {
				case first.to != 0 && first.to <= second.from:
				case first.stopped || second.stopped:
					m.excused++
				default:
					m.t.Errorf("job %d ran twice at the same time: %+v and %+v", id, *first, *second)
				}
			}
		}
	}
}

// forget drops what was read of some runs.
func (m *fleetMarks) forget(run func(id string) bool) {
	maps.DeleteFunc(m.runs, func(id string, _ *fleetRun) bool { return run(id) })
}
