package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// Place is where a project's providers are installed.
type Place struct {
	Folder   string // of the binaries, .al/plugins
	LockFile string
	// Before are folders in which providers are looked for first.
	Before []string
}

// File is where the provider of a type is, or will be.
func (p Place) File(typ string) string { return filepath.Join(p.Folder, sdk.BinaryPrefix+typ) }

func here() string { return runtime.GOOS + "/" + runtime.GOARCH }

const (
	stagingPrefix = ".staging-"
	// changePatience outlasts another command that copies and tries a provider.
	changePatience = time.Minute
	changeAgain    = 50 * time.Millisecond
)

// Change is the one that is under way at a place. Two commands that change
// something wait for each other.
type Change struct {
	Place
	Lock    Lock
	staging string
	guard   *flock.Flock
}

// Begin takes a place for a change, and makes it where there is none. What a
// change that was killed left behind goes. Whoever begins one ends it.
func (p Place) Begin(ctx context.Context) (*Change, error) {
	if err := p.prepare(); err != nil {
		return nil, err
	}
	guard := flock.New(filepath.Join(p.Folder, ".lock"), flock.SetPermissions(0o600))
	waiting, cancel := context.WithTimeout(ctx, changePatience)
	defer cancel()
	got, err := guard.TryLockContext(waiting, changeAgain)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case !got:
		return nil, fmt.Errorf("another al changes the providers in %s, and has for %s: %w", p.Folder, changePatience, err)
	}
	c := &Change{Place: p, guard: guard}
	if err := c.begin(); err != nil {
		return nil, errors.Join(err, c.End())
	}
	return c, nil
}

func (c *Change) begin() error {
	if err := errors.Join(sweep(c.Folder, stagingPrefix), sweep(filepath.Dir(c.LockFile), lockPrefix)); err != nil {
		return fmt.Errorf("remove what an interrupted command left: %w", err)
	}
	var err error
	if c.Lock, err = LoadLock(c.LockFile); err != nil {
		return err
	}
	c.staging, err = os.MkdirTemp(c.Folder, stagingPrefix)
	return err
}

// sweep removes what is named like something unfinished. Nobody else is at it.
func sweep(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// End ends the change. What was not put into place is gone.
func (c *Change) End() error {
	var err error
	if c.staging != "" {
		err = os.RemoveAll(c.staging)
	}
	return errors.Join(err, c.guard.Unlock())
}

// prepare makes the folder, and refuses one in which others decide what runs.
func (p Place) prepare() error {
	// The state folder is the gateway's, and private.
	if err := os.MkdirAll(filepath.Dir(p.Folder), 0o700); err != nil {
		return fmt.Errorf("make the folder for providers: %w", err)
	}
	switch err := os.Mkdir(p.Folder, 0o755); { //nolint:gosec // programs are no secret
	case err == nil:
		if err := os.Chmod(p.Folder, 0o755); err != nil { //nolint:gosec // as above, whatever the umask
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return fmt.Errorf("make the folder for providers: %w", err)
	}
	for _, dir := range []string{p.Folder, filepath.Dir(p.Folder)} {
		info, err := os.Lstat(dir)
		switch {
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a folder, and providers are installed into one", dir)
		case info.Mode().Perm()&0o022 != 0:
			return fmt.Errorf("others can write to %s (mode %s), and could put in what runs with your credentials; run: chmod go-w %s", dir, info.Mode().Perm(), dir)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			return fmt.Errorf("%s belongs to user %d, who is neither root nor you; run al as the user that owns the project", dir, st.Uid)
		}
	}
	return nil
}

// first returns the file that is found before the one of this place.
func (p Place) first(typ string) (string, bool) {
	before := slices.DeleteFunc(slices.Clone(p.Before), func(dir string) bool { return sameFolder(dir, p.Folder) })
	for _, dir := range before {
		path := filepath.Join(dir, sdk.BinaryPrefix+typ)
		if _, err := os.Lstat(path); err == nil {
			return path, true
		}
	}
	return "", false
}

func sameFolder(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	one, err1 := os.Stat(a)
	two, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, two)
}

// Approve is for [pluginhost.Options]: what the lock names starts from the one
// file that it names, and from no other. The lock is read each time, so that
// what al plugin records counts at once.
func (p Place) Approve(b pluginhost.Binary) error {
	lock, err := LoadLock(p.LockFile)
	if err != nil {
		return fmt.Errorf("which file may run as %s is not known: %w", b.Type, err)
	}
	if _, locked := lock[b.Type]; !locked {
		return nil
	}
	c := p.check(lock, b.Type)
	switch here := sameFolder(filepath.Dir(b.Path), p.Folder); {
	case here && c.State == OK:
		return nil
	case !here && c.State == Missing:
		return fmt.Errorf("%s is not started, since %s", b.Path, c.Problem)
	case !here && c.State != Shadowed: // the folders are others than this place knows
		return fmt.Errorf("%s comes before %s, which %s names; remove it, or take %s out of the lock with al plugin rm %s", b.Path, c.Path, LockName, b.Type, b.Type)
	}
	return errors.New(c.Problem)
}

func joined(names []string) string { return strings.Join(names, ", ") }
