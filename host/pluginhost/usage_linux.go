package pluginhost

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mostMeasured bounds the work of one look; beyond it there are too many anyway.
const mostMeasured = 4 * maxChildren

// measure adds up what a process and its children take, as far as they have not
// made themselves somebody else's.
func measure(pid int) (usage, bool) {
	var sum usage
	waiting := []int{pid}
	for n := 0; len(waiting) > 0 && n < mostMeasured; n++ {
		pid := waiting[0]
		waiting = waiting[1:]
		dir := "/proc/" + strconv.Itoa(pid)
		one, ok := measureOne(dir)
		if !ok {
			if n == 0 {
				return sum, false
			}
			continue
		}
		sum.memory += one.memory
		sum.cpu += one.cpu
		if n > 0 {
			sum.children++
		}
		waiting = append(waiting, childrenOf(dir)...)
	}
	return sum, true
}

func measureOne(dir string) (usage, bool) {
	raw, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return usage{}, false
	}
	// Fields are counted behind the name, which may contain anything.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	const utime, stime, rss = 11, 12, 21
	if len(fields) <= rss {
		return usage{}, false
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(fields[i], 10, 64) // the kernel's
		return n
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs on Linux
	return usage{
		memory: number(rss) * int64(os.Getpagesize()),
		cpu:    time.Duration(number(utime)+number(stime)) * tick,
	}, true
}

// childrenOf lists the children of all threads of a process. Kernels without
// that list have none to tell of.
func childrenOf(dir string) []int {
	threads, err := os.ReadDir(dir + "/task")
	if err != nil {
		return nil
	}
	var pids []int
	for _, thread := range threads {
		raw, err := os.ReadFile(dir + "/task/" + thread.Name() + "/children")
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(raw)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// confine is for the thread that starts a provider, and for what it starts: no
// program can give rights to it that this user does not have (set-user-ID files,
// file capabilities), so that a hole in a provider is not a way to root.
func confine() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// bound sets what the kernel sees to. It comes right after the start: Go has no
// way to do so between fork and exec.
func bound(pid int, maxMemory int64) error {
	limits := map[int]uint64{
		unix.RLIMIT_CORE:   0, // secrets are in its memory
		unix.RLIMIT_NOFILE: maxFiles,
		unix.RLIMIT_FSIZE:  maxFileSize,
	}
	if maxMemory > 0 {
		// What grows faster than anybody looks ends here. Not RLIMIT_AS: Go and
		// Node reserve a gigabyte or more of addresses that they never touch.
		// Private writable memory is some 50 MiB above what is used with both.
		limits[unix.RLIMIT_DATA] = 2*uint64(maxMemory) + 256<<20
	}
	for resource, most := range limits {
		var now unix.Rlimit
		if err := unix.Prlimit(pid, resource, nil, &now); err != nil {
			return err
		}
		next := unix.Rlimit{Cur: min(now.Cur, most), Max: min(now.Max, most)}
		if err := unix.Prlimit(pid, resource, &next, nil); err != nil {
			return err
		}
	}
	return nil
}
