package install

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockPrefix begins the name of a lock that is being written.
const lockPrefix = "." + LockName + "."

// LoadLock reads a lock file. One that does not exist records nothing.
func LoadLock(path string) (Lock, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Lock{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is not a regular file", path), err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxLock+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxLock {
		return nil, fmt.Errorf("%s is larger than %d bytes; that is not what al wrote, restore it", path, maxLock)
	}
	return ParseLock(data)
}

// saveLock writes a lock file, whole or not at all.
func saveLock(path string, l Lock) error {
	commit, err := stageLock(path, l)
	if err != nil {
		return err
	}
	return commit()
}

// stageLock writes a lock beside the one that is there, and returns what puts it
// into its place.
func stageLock(path string, l Lock) (commit func() error, err error) {
	data, err := l.Format()
	if err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), lockPrefix)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", LockName, err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()) // it is made to be committed
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", LockName, errors.Join(err, os.Remove(tmp.Name())))
	}
	return func() error {
		if err := os.Rename(tmp.Name(), path); err != nil {
			return fmt.Errorf("write %s: %w", LockName, errors.Join(err, os.Remove(tmp.Name())))
		}
		return syncFolder(filepath.Dir(path))
	}, nil
}

// sumFile is the sum of a regular file, and of nothing that a link leads to.
func sumFile(path string) (Sum, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return Sum{}, fmt.Errorf("%s is a symbolic link, and what is installed is a file", path)
	}
	if err != nil {
		return Sum{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return Sum{}, err
	}
	if !info.Mode().IsRegular() {
		return Sum{}, fmt.Errorf("%s is not a regular file", path)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return Sum{}, fmt.Errorf("read %s: %w", path, err)
	}
	return Sum(h.Sum(nil)), nil
}

// syncFolder makes a rename in a folder last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) { // some file systems have nothing to do
		err = nil
	}
	return errors.Join(err, d.Close())
}
