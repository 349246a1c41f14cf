package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The variables of systemd's socket activation; see sd_listen_fds(3). They are
// read here rather than by a library because those that there are take a wrong
// value for none, and the gateway would open another port without a word.
const (
	envPID   = "LISTEN_PID"
	envFDs   = "LISTEN_FDS"
	envNames = "LISTEN_FDNAMES"

	firstFD = 3 // SD_LISTEN_FDS_START

	// socketName is the FileDescriptorName= of the gateway's socket when there
	// are several.
	socketName = "al"
)

// Inherited returns the listening socket that systemd opened for this process,
// or nil when it opened none. The variables that say so are removed, and nobody
// else inherits what they name.
func Inherited() (*net.TCPListener, error) {
	defer func() {
		for _, name := range []string{envPID, envFDs, envNames} {
			_ = os.Unsetenv(name)
		}
	}()
	return inherited(os.Getenv, os.Getpid(), firstFD)
}

func inherited(env func(string) string, self, first int) (*net.TCPListener, error) {
	if env(envPID) == "" && env(envFDs) == "" {
		return nil, nil
	}
	target, err := strconv.Atoi(env(envPID))
	if err != nil {
		return nil, fmt.Errorf("%s=%q is no process number; it is for systemd to set", envPID, env(envPID))
	}
	if target != self {
		return nil, nil // meant for a process above this one, which did not take the variables away
	}
	n, err := strconv.Atoi(env(envFDs))
	if err != nil || n < 0 {
		return nil, fmt.Errorf("%s=%q is no number of sockets; it is for systemd to set", envFDs, env(envFDs))
	}
	if n == 0 {
		return nil, nil
	}
	for fd := first; fd < first+n; fd++ {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return nil, fmt.Errorf("%s=%d, and descriptor %d is not open: %w", envFDs, n, fd, err)
		}
	}
	var names []string
	if text := env(envNames); text != "" {
		if names = strings.Split(text, ":"); len(names) != n {
			return nil, fmt.Errorf("%s names %d sockets and %s says %d", envNames, len(names), envFDs, n)
		}
	}
	chosen, err := choose(n, names)
	if err != nil {
		return nil, err
	}
	for i := range n {
		if i != chosen {
			_ = unix.Close(first + i)
		}
	}
	return adopt(os.NewFile(uintptr(first+chosen), "socket of systemd"))
}

// choose picks the gateway's socket among those that were passed.
func choose(n int, names []string) (int, error) {
	if n == 1 {
		return 0, nil
	}
	found := -1
	for i, name := range names {
		if name != socketName {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("systemd passed several sockets named %s; a gateway listens on one", socketName)
		}
		found = i
	}
	if found < 0 {
		return 0, fmt.Errorf("systemd passed %d sockets (%s) and none is named %s; give the gateway's FileDescriptorName=%s",
			n, strings.Join(names, ", "), socketName, socketName)
	}
	return found, nil
}

// adopt makes a listener of a descriptor, which it closes.
func adopt(f *os.File) (*net.TCPListener, error) {
	defer func() { _ = f.Close() }()
	listening, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	switch {
	case errors.Is(err, syscall.ENOTSOCK):
		return nil, fmt.Errorf("%s: it is no socket", f.Name())
	case err != nil:
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	case listening == 0:
		return nil, fmt.Errorf("%s: nobody can connect to it; in its unit it has to be ListenStream= with Accept=no", f.Name())
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s: it listens on %s; a gateway needs a TCP port", f.Name(), l.Addr()), l.Close())
	}
	return tcp, nil
}
