package pluginhost

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// sysProcAttr keeps terminal signals with the host, and lets the kernel end the
// provider when the host is killed.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when the process has ended, without taking its status, so
// that its id can not belong to somebody else yet. False means that it could
// not wait.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

// closeOnExec keeps what the host itself inherited from whoever started it out
// of its providers. Files that Go opened have the flag already.
func closeOnExec() {
	_ = unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) // before Linux 5.11: as inherited
}
