package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/action-llama/gateway/sdk"
)

// keptMost is how many versions of a type are kept besides the one that runs.
const keptMost = 3

// Kept is a file that was installed before.
type Kept struct {
	Entry  Entry
	Sum    Sum
	number int
	dir    string
}

func (p Place) keptFolder(typ string) string { return filepath.Join(p.Folder, ".kept", typ) }

// Kept lists what a rollback can go back to, the latest first: not what is in
// place anyway, and nothing that is damaged.
func (p Place) Kept(typ string) ([]Kept, error) {
	kept, err := p.kept(typ)
	if current, missing := sumFile(p.File(typ)); missing == nil {
		kept = slices.DeleteFunc(kept, func(k Kept) bool { return k.Sum == current })
	}
	return kept, err
}

func (p Place) kept(typ string) ([]Kept, error) {
	entries, err := os.ReadDir(p.keptFolder(typ))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var kept []Kept
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		k := Kept{number: n, dir: filepath.Join(p.keptFolder(typ), e.Name())}
		lock, err := LoadLock(filepath.Join(k.dir, LockName))
		if err != nil {
			continue
		}
		program := filepath.Join(k.dir, sdk.BinaryPrefix+typ)
		k.Entry = lock[typ]
		recorded, _, known := k.Entry.here(program)
		if k.Sum, err = sumFile(program); err != nil || !known || k.Sum != recorded {
			continue
		}
		kept = append(kept, k)
	}
	slices.SortFunc(kept, func(a, b Kept) int { return b.number - a.number })
	return kept, nil
}

// keep keeps the file that is in place, if it is what the lock names, and says
// why not otherwise.
func (c *Change) keep(typ string, sum Sum, readable bool) (bool, string) {
	entry, locked := c.Lock[typ]
	recorded, _, known := entry.here(c.File(typ))
	switch {
	case !readable:
		return false, "it was no regular file"
	case !locked || !known:
		return false, LockName + " did not name it"
	case recorded != sum:
		return false, "it was not the file that " + LockName + " named"
	}
	if err := c.keepAs(typ, sum, entry); err != nil {
		return false, err.Error()
	}
	return true, ""
}

func (c *Change) keepAs(typ string, sum Sum, entry Entry) error {
	folder := c.keptFolder(typ)
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // programs are no secret
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var numbers []int
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// The same file counts once, and as of now.
		if s, err := sumFile(filepath.Join(folder, e.Name(), sdk.BinaryPrefix+typ)); err == nil && s == sum {
			if err := os.RemoveAll(filepath.Join(folder, e.Name())); err != nil {
				return err
			}
			continue
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	staged, err := os.MkdirTemp(c.staging, "keep-")
	if err != nil {
		return err
	}
	err = errors.Join(
		copyFile(c.File(typ), filepath.Join(staged, sdk.BinaryPrefix+typ)),
		saveLock(filepath.Join(staged, LockName), Lock{typ: entry}),
	)
	if err == nil {
		err = os.Rename(staged, filepath.Join(folder, fmt.Sprintf("%06d", next)))
	}
	if err != nil {
		return err
	}
	for _, n := range numbers[:max(0, len(numbers)+1-keptMost)] {
		if err := os.RemoveAll(filepath.Join(folder, fmt.Sprintf("%06d", n))); err != nil {
			return err
		}
	}
	return syncFolder(folder)
}

// copyOut copies a kept program into the staging folder.
func (c *Change) copyOut(typ string, k Kept) (string, error) {
	dir, err := os.MkdirTemp(c.staging, "back-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, sdk.BinaryPrefix+typ)
	return path, copyFile(filepath.Join(k.dir, sdk.BinaryPrefix+typ), path)
}

// copyFile copies a program. Not as a link: whoever writes into the one would
// change the other.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700) //nolint:gosec // it is a program
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(0o755), out.Sync(), out.Close())
}

// Rollback puts the version back that was installed before, or the kept one that
// is named, and keeps the present one in turn.
func (c *Change) Rollback(typ, version string) (Done, error) {
	if err := checkType(typ); err != nil {
		return Done{}, err
	}
	kept, err := c.Kept(typ)
	if err != nil {
		return Done{}, err
	}
	if len(kept) == 0 {
		return Done{}, fmt.Errorf("no earlier %s is kept; al plugin upgrade keeps what it replaces", typ)
	}
	k := kept[0]
	if version != "" {
		i := slices.IndexFunc(kept, func(k Kept) bool { return k.Entry.Version == version })
		if i < 0 {
			have := make([]string, len(kept))
			for i, k := range kept {
				have[i] = k.Entry.Version
			}
			return Done{}, fmt.Errorf("no %s %s is kept; there is %s", typ, version, joined(have))
		}
		k = kept[i]
	}
	if err := c.usable(typ); err != nil {
		return Done{}, err
	}
	program, err := c.copyOut(typ, k)
	if err != nil {
		return Done{}, err
	}
	return c.swap(typ, program, k.Sum, k.Entry)
}

// KeptTypes lists the types of which something is kept.
func (p Place) KeptTypes() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(p.Folder, ".kept"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var types []string
	for _, e := range entries {
		if kept, err := p.Kept(e.Name()); err == nil && len(kept) > 0 {
			types = append(types, e.Name())
		}
	}
	return types, nil
}
