package runner

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// procStat is what the kernel says of a process without looking into its
// memory, which could make us wait.
type procStat struct {
	pid   int
	group int
	start uint64
	dead  bool // a zombie: it holds its number and nothing else
}

func readStat(pid int) (procStat, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(pid, raw)
}

// parseStat reads a line of /proc/<pid>/stat. The second field is a name in
// parentheses that may contain anything, so counting starts after the last.
func parseStat(pid int, raw []byte) (procStat, error) {
	bad := fmt.Errorf("/proc/%d/stat is not what proc(5) says", pid)
	i := bytes.LastIndexByte(raw, ')')
	if i < 0 {
		return procStat{}, bad
	}
	fields := strings.Fields(string(raw[i+1:])) // from the third field on
	if len(fields) < 20 {
		return procStat{}, bad
	}
	group, err1 := strconv.Atoi(fields[2])
	start, err2 := strconv.ParseUint(fields[19], 10, 64)
	if err1 != nil || err2 != nil {
		return procStat{}, bad
	}
	dead := fields[0] == "Z" || fields[0] == "X"
	return procStat{pid: pid, group: group, start: start, dead: dead}, nil
}

func bootID() (string, error) {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(raw)), err
}

func newRecord(pid int) (record, error) {
	var child procStat
	if pid > 0 {
		var err error
		if child, err = readStat(pid); err != nil {
			return record{}, err
		}
	}
	host, err := readStat(os.Getpid())
	if err != nil {
		return record{}, err
	}
	boot, err := bootID()
	if err != nil {
		return record{}, err
	}
	return record{PID: pid, Start: child.start, Boot: boot, HostPID: host.pid, HostStart: host.start}, nil
}

func hostAlive(r record) bool {
	boot, err := bootID()
	if err != nil || boot != r.Boot {
		return false
	}
	host, err := readStat(r.HostPID)
	return err == nil && host.start == r.HostStart && !host.dead
}

const (
	// killPasses is how often the processes are looked through: what is being
	// killed may have had time to start another.
	killPasses = 5
	// dieWithin is what one process has to die of SIGKILL. Most take a
	// millisecond; one that hangs in the kernel must not keep the host from
	// starting.
	dieWithin = 2 * time.Second
)

// killRuns kills what is left of the given runs and returns how many had
// somebody to kill.
func killRuns(left map[string]record) (int, error) {
	boot, err := bootID()
	if err != nil {
		return 0, err
	}
	maps.DeleteFunc(left, func(_ string, r record) bool { return r.Boot != boot })
	hit := make(map[string]bool)
	var errs []error
	for range killPasses {
		all, err := processes()
		if err != nil {
			return len(hit), err
		}
		found := leftProcesses(all, left)
		for _, f := range found {
			hit[f.run] = true
			if err := killProcess(f.procStat); err != nil {
				errs = append(errs, err)
			}
		}
		if len(found) == 0 {
			break
		}
	}
	return len(hit), errors.Join(errs...)
}

// leftProcess is one of a run whose host died.
type leftProcess struct {
	procStat
	run string
}

// leftProcesses picks those that belong to the runs. While the harness is
// there, its start time says that all of its group do. It usually is not, as it
// dies with the host; then each has to prove it by AL_RUN_ID in its
// environment. That also tells those that have left the group, as coding agents
// make the commands that they run.
func leftProcesses(all []procStat, left map[string]record) []leftProcess {
	groups := make(map[int]string, len(left)) // runs by groups of which all members are theirs
	for run, r := range left {
		if slices.ContainsFunc(all, func(p procStat) bool { return p.pid == r.PID && p.group == r.PID && p.start == r.Start }) {
			groups[r.PID] = run
		}
	}
	var found []leftProcess
	for _, p := range all {
		if p.dead || p.pid == os.Getpid() || p.pid <= 1 {
			continue
		}
		run, sure := groups[p.group]
		if !sure || p.start < left[run].Start {
			run = runOf(p.pid)
		}
		if r, ok := left[run]; ok && p.start >= r.HostStart {
			found = append(found, leftProcess{p, run})
		}
	}
	return found
}

// killProcess holds on to the process by a descriptor before it looks again, so
// that the one that is killed is the one that was picked, and waits for its
// end: its job is about to run again.
func killProcess(p procStat) error {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", p.pid, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if !stillThere(p) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process %d: %w", p.pid, err)
	}
	for deadline := time.Now().Add(dieWithin); ; {
		wait := time.Until(deadline).Milliseconds()
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(max(wait, 0)))
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("process %d: %w", p.pid, err)
		case n == 0:
			return fmt.Errorf("process %d did not die of SIGKILL within %s", p.pid, dieWithin)
		default:
			return nil
		}
	}
}

func stillThere(m procStat) bool {
	now, err := readStat(m.pid)
	return err == nil && now.start == m.start && now.group == m.group
}

// runOf returns the run that a process says it belongs to, or "".
func runOf(pid int) string {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return "" // not ours to read, so not ours
	}
	for v := range bytes.SplitSeq(raw, []byte{0}) {
		if run, ok := bytes.CutPrefix(v, []byte("AL_RUN_ID=")); ok {
			return string(run)
		}
	}
	return ""
}

// processes lists those of this machine.
func processes() ([]procStat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []procStat
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil { // else it ended just now
			out = append(out, s)
		}
	}
	return out, nil
}
