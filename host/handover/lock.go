package handover

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Lock is a file that this process has locked. It can be handed to another
// process without being free in between, which is why the locks of libraries
// will not do: they unlock, and that would free it for both.
type Lock struct{ file *os.File }

// TryLock locks a file, which it makes if there is none. It returns nil without
// an error when somebody else has it.
func TryLock(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	got, err := lockFile(f, unix.LOCK_EX)
	if err != nil || !got {
		return nil, errors.Join(err, f.Close())
	}
	return &Lock{f}, nil
}

// LockOf locks a file that is open, and closes it with the lock.
func LockOf(f *os.File) (*Lock, error) {
	got, err := lockFile(f, unix.LOCK_EX)
	if err != nil || !got {
		return nil, err
	}
	return &Lock{f}, nil
}

func lockFile(f *os.File, how int) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}

// Release gives up this process's hold. Whom the lock was handed to still has it.
func (l *Lock) Release() error { return l.file.Close() }

// Held tells whether a process has a file locked. One that is not there is not.
// Two that ask at the same time do not take each other for a holder, but whoever
// wants the lock in that moment may.
func Held(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	got, err := lockFile(f, unix.LOCK_SH)
	return !got, errors.Join(err, f.Close())
}
