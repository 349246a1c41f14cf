package runner

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

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
	child, err := readStat(pid)
	if err != nil {
		return record{}, err
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
	return err == nil && host.start == r.HostStart
}

// killPasses is how often the processes are looked through: what is being
// killed may have had time to start another.
const killPasses = 5

// killGroups kills the groups of the given runs and returns how many had
// somebody to kill.
func killGroups(left map[string]record) (int, error) {
	boot, err := bootID()
	if err != nil {
		return 0, err
	}
	hit := make(map[string]bool)
	var errs []error
	for range killPasses {
		groups, err := processGroups()
		if err != nil {
			return len(hit), err
		}
		alive := false
		for run, r := range left {
			if r.Boot != boot || r.PID <= 1 {
				continue
			}
			for _, m := range leftMembers(groups[r.PID], r, run) {
				if err := killMember(m); err != nil {
					errs = append(errs, err)
					continue
				}
				alive, hit[run] = true, true
			}
		}
		if !alive {
			break
		}
	}
	return len(hit), errors.Join(errs...)
}

// leftMembers picks, from the members of a group with the recorded number,
// those that belong to the run. While the harness is there, its start time
// says that all do. It usually is not, as it dies with the host; then each has
// to prove it by AL_RUN_ID in its environment.
func leftMembers(group []procStat, r record, run string) []procStat {
	sure := slices.ContainsFunc(group, func(m procStat) bool { return m.pid == r.PID && m.start == r.Start })
	return slices.DeleteFunc(group, func(m procStat) bool {
		return m.dead || m.start < r.Start || m.pid == os.Getpid() || !sure && !belongsTo(m.pid, run)
	})
}

// killMember holds on to the process by a descriptor before it looks again, so
// that the one that is killed is the one that was picked.
func killMember(m procStat) error {
	fd, err := unix.PidfdOpen(m.pid, 0)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", m.pid, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if !stillThere(m) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process %d: %w", m.pid, err)
	}
	return nil
}

func stillThere(m procStat) bool {
	now, err := readStat(m.pid)
	return err == nil && now.start == m.start && now.group == m.group
}

func belongsTo(pid int, run string) bool {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false // not ours to read, so not ours
	}
	for v := range bytes.SplitSeq(raw, []byte{0}) {
		if string(v) == "AL_RUN_ID="+run {
			return true
		}
	}
	return false
}

// processGroups lists the processes of this machine by the number of their group.
func processGroups() (map[int][]procStat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	out := make(map[int][]procStat)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil { // else it ended just now
			out[s.group] = append(out[s.group], s)
		}
	}
	return out, nil
}
