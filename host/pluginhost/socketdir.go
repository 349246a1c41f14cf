package pluginhost

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// The kernel's limit for a socket's path is 104 bytes on macOS and 108 on
	// Linux, ending NUL included.
	maxSocketPath = 100
	// What go-plugin names a socket: "plugin" and up to ten digits.
	socketName = "/plugin0123456789"

	socketDirPrefix     = "s-"           // under <RuntimeDir>/run
	tempSocketDirPrefix = "al-provider-" // under the temp directory
	socketDirTries      = 10
)

// socketDir is a directory for the socket of one launch, for this user alone.
// The lock on it says that its host lives: to the next host's sweep, and to
// cleaners of temp directories, which leave locked ones alone.
type socketDir struct {
	path string
	lock *os.File
}

// newSocketDir makes a directory under the runtime directory, or under the temp
// directory where that path would be too long for a socket.
func newSocketDir(runtimeDir string) (*socketDir, error) {
	root, prefix, err := socketRoot(runtimeDir)
	if err != nil {
		return nil, err
	}
	for range socketDirTries {
		path := filepath.Join(root, prefix+strings.ToLower(rand.Text()[:8]))
		d, err := lockedDir(path)
		if err != nil {
			return nil, fmt.Errorf("directory for the provider's socket: %w", err)
		}
		if d != nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("directory for the provider's socket: no free name in %s", root)
}

// SocketRoot is the folder that the sockets of providers would be in: below the
// runtime directory, or, where that path is too long for them, the temp
// directory. It makes nothing.
func SocketRoot(runtimeDir string) (string, error) {
	root, _, err := socketPlace(runtimeDir)
	return root, err
}

func socketRoot(runtimeDir string) (root, prefix string, err error) {
	root, prefix, err = socketPlace(runtimeDir)
	if err != nil || prefix != socketDirPrefix {
		return root, prefix, err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", "", fmt.Errorf("directory for the provider's socket: %w", err)
	}
	return root, prefix, nil
}

func socketPlace(runtimeDir string) (root, prefix string, err error) {
	run, err := filepath.Abs(filepath.Join(runtimeDir, "run"))
	if err != nil {
		return "", "", fmt.Errorf("directory for the provider's socket: %w", err)
	}
	if len(run)+len("/"+socketDirPrefix)+8+len(socketName) <= maxSocketPath {
		return run, socketDirPrefix, nil
	}
	temp := os.TempDir()
	if n := len(temp) + len("/"+tempSocketDirPrefix) + 8 + len(socketName); n > maxSocketPath {
		return "", "", fmt.Errorf("a socket's path would have %d bytes in %s and more in %s, and %d is the most; set TMPDIR to a shorter path",
			n, temp, run, maxSocketPath)
	}
	return temp, tempSocketDirPrefix, nil
}

// lockedDir makes and locks a directory. Nil without an error means that a
// sweep came between the two, or that the name is taken.
func lockedDir(path string) (*socketDir, error) {
	if err := os.Mkdir(path, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return nil, nil
		}
		return nil, err
	}
	lock, err := os.Open(path)
	if err != nil {
		return nil, ignoreNotExist(err)
	}
	if err := flock(lock); errors.Is(err, unix.EWOULDBLOCK) {
		return nil, lock.Close()
	} // Without locks (some network file systems) nobody sweeps either.
	if _, err := os.Stat(path); err != nil {
		lock.Close()
		return nil, ignoreNotExist(err)
	}
	return &socketDir{path: path, lock: lock}, nil
}

func ignoreNotExist(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (d *socketDir) remove() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}

// sweepSocketDirs removes what hosts that were killed left behind.
func sweepSocketDirs(runtimeDir string) error {
	var errs []error
	for _, pattern := range []string{
		filepath.Join(runtimeDir, "run", socketDirPrefix+"????????"),
		filepath.Join(os.TempDir(), tempSocketDirPrefix+"????????"),
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil { // brackets in the path of the project
			paths = nil
		}
		for _, path := range paths {
			if err := sweep(path); err != nil {
				errs = append(errs, fmt.Errorf("sweep %s: %w", path, err))
			}
		}
	}
	return errors.Join(errs...)
}

func sweep(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || !ownedByMe(info) {
		return nil
	}
	lock, err := os.Open(path)
	if err != nil {
		return ignoreNotExist(err)
	}
	defer lock.Close()
	if flock(lock) != nil {
		return nil // its host lives
	}
	return os.RemoveAll(path)
}
