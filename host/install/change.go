package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
)

// Outcome of putting a provider in place.
type Outcome string

const (
	Installed Outcome = "installed"
	Recorded  Outcome = "recorded" // the file was there; the lock knows it now, or for more platforms
	Replaced  Outcome = "replaced"
	Unchanged Outcome = "unchanged"
)

// Done is what became of one provider. It can be undone until the change ends.
type Done struct {
	Type    string
	Path    string
	Outcome Outcome
	Before  Entry // the zero value where nothing was recorded
	After   Entry
	Kept    bool   // what was there before is kept for a rollback
	NotKept string // or why not

	undo func() error
}

// Undo puts back the file and the entry that were there.
func (d Done) Undo() error {
	if d.undo == nil {
		return nil
	}
	return d.undo()
}

// Add installs what is new, or is what the lock names already. It replaces
// nothing: either all of the offers are put in place or none.
func (c *Change) Add(offers []Offer) ([]Done, error) {
	var errs []error
	for _, o := range offers {
		errs = append(errs, c.addable(o))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var all []Done
	for _, o := range offers {
		done, err := c.put(o)
		if err != nil {
			for _, d := range all {
				err = errors.Join(err, d.Undo())
			}
			return nil, err
		}
		all = append(all, done)
	}
	return all, nil
}

// addable says what would be replaced by an offer.
func (c *Change) addable(o Offer) error {
	if err := c.usable(o.Type); err != nil {
		return err
	}
	entry, locked := c.Lock[o.Type]
	found, err := sumFile(c.File(o.Type))
	same := errors.Is(err, fs.ErrNotExist) || err == nil && found == o.Sum()
	if !locked {
		if same {
			return nil
		}
		return fmt.Errorf("there is a %s already, which %s does not name; al plugin upgrade PATH replaces it", c.File(o.Type), LockName)
	}
	for _, platform := range sortedKeys(o.Sums) {
		switch recorded, known := entry.SHA256[platform]; {
		case known && recorded != o.Sums[platform]:
			return fmt.Errorf("%s names another file of %s for %s, with the SHA-256 %s and not %s (this is version %s); al plugin upgrade PATH replaces what is installed",
				LockName, entry.name(o.Type), platform, recorded, o.Sums[platform], o.Version)
		case !known && entry.Version != o.Version:
			return fmt.Errorf("%s names %s, and this is version %s; install the same version, or replace it for all platforms with al plugin upgrade PATH",
				LockName, entry.name(o.Type), o.Version)
		}
	}
	if recorded, _, known := entry.here(c.File(o.Type)); !same && known && found == recorded {
		return fmt.Errorf("%s is as %s names it, and this is another file of the same version; al plugin upgrade PATH replaces it", c.File(o.Type), LockName)
	}
	return nil
}

// usable refuses to install what would not be found.
func (c *Change) usable(typ string) error {
	if other, yes := c.first(typ); yes {
		return fmt.Errorf("%s comes before %s, and would be found instead; remove it, or take its folder out of [plugins] dir", other, c.File(typ))
	}
	return nil
}

// Upgradable says which offers there is nothing to replace by.
func (c *Change) Upgradable(offers []Offer) error {
	var errs []error
	for _, o := range offers {
		if err := c.usable(o.Type); err != nil {
			errs = append(errs, err)
			continue
		}
		if _, locked := c.Lock[o.Type]; locked {
			continue
		}
		if _, err := os.Lstat(c.File(o.Type)); errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("no %s is installed in %s; al plugin add PATH installs it", o.Type, c.Folder))
		}
	}
	return errors.Join(errs...)
}

// Upgrade puts an offer in place of what is installed, and keeps that for a
// rollback.
func (c *Change) Upgrade(o Offer) (Done, error) {
	if err := c.Upgradable([]Offer{o}); err != nil {
		return Done{}, err
	}
	return c.put(o)
}

// Accept records the file that is there, whatever the lock says of it.
func (c *Change) Accept(ctx context.Context, typ string, try Try) (Done, error) {
	if err := c.usable(typ); err != nil {
		return Done{}, err
	}
	if _, err := sumFile(c.File(typ)); err != nil {
		return Done{}, err
	}
	offers, err := c.Examine(ctx, c.File(typ), try)
	if err != nil {
		return Done{}, err
	}
	return c.put(offers[0])
}

// put places the program of an offer and records it.
func (c *Change) put(o Offer) (Done, error) {
	entry := o.entry()
	if before, locked := c.Lock[o.Type]; locked && before.Version == o.Version {
		// Other platforms of the same version stay as they were recorded.
		entry.SHA256 = maps.Clone(before.SHA256)
		maps.Copy(entry.SHA256, o.Sums)
	}
	return c.swap(o.Type, o.program.path, o.Sum(), entry)
}

// swap renames a program of the staging folder into its place, and has the lock
// say so, as nearly at once as two files allow: whoever launches meanwhile is
// refused, and tries again. A swap that was interrupted is finished by doing it
// again.
func (c *Change) swap(typ, program string, sum Sum, entry Entry) (Done, error) {
	d := Done{Type: typ, Path: c.File(typ), Outcome: Installed, After: entry}
	before, locked := c.Lock[typ]
	d.Before = before
	old, err := sumFile(d.Path)
	readable := err == nil
	if readable && old == sum {
		return c.record(d, locked)
	}
	spare := "" // the old file under another name, until the change ends
	if !errors.Is(err, fs.ErrNotExist) {
		d.Outcome = Replaced
		d.Kept, d.NotKept = c.keep(typ, old, readable)
		if spare, err = c.spare(d.Path); err != nil {
			return d, err
		}
	}
	commit := func() error { return nil } // the lock may be somebody else's to write, where it says so already
	if !locked || !before.equal(entry) {
		c.Lock[typ] = entry
		if commit, err = stageLock(c.LockFile, c.Lock); err != nil {
			c.remember(typ, before, locked)
			return d, err
		}
	}
	d.undo = func() error { return errors.Join(c.putBack(d.Path, spare), c.restore(typ, before, locked)) }
	if err = c.place(program, d.Path); err == nil {
		err = commit()
	}
	if err == nil {
		err = syncFolder(c.Folder)
	}
	if err != nil {
		return d, errors.Join(err, d.Undo())
	}
	return d, nil
}

// spare gives a file a second name in the staging folder.
func (c *Change) spare(path string) (string, error) {
	dir, err := os.MkdirTemp(c.staging, "spare-")
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, filepath.Base(path))
	if os.Link(path, to) == nil {
		return to, nil
	}
	return to, copyFile(path, to) // not every file system has links
}

func (c *Change) putBack(path, spare string) error {
	if spare == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if err := os.Rename(spare, path); err != nil {
		return fmt.Errorf("put the old provider back: %w", err)
	}
	return syncFolder(c.Folder)
}

// record is swap where the file is in its place.
func (c *Change) record(d Done, locked bool) (Done, error) {
	d.Outcome = Unchanged
	if locked && d.Before.equal(d.After) {
		return d, nil
	}
	d.Outcome = Recorded
	d.undo = func() error { return c.restore(d.Type, d.Before, locked) }
	return d, c.write(d.Type, d.After)
}

func (c *Change) restore(typ string, before Entry, locked bool) error {
	switch {
	case locked && before.equal(c.Lock[typ]):
		return nil
	case locked:
		return c.write(typ, before)
	}
	delete(c.Lock, typ)
	return saveLock(c.LockFile, c.Lock)
}

// remember is restore where nothing was written.
func (c *Change) remember(typ string, before Entry, locked bool) {
	if locked {
		c.Lock[typ] = before
	} else {
		delete(c.Lock, typ)
	}
}

func (c *Change) write(typ string, entry Entry) error {
	c.Lock[typ] = entry
	return saveLock(c.LockFile, c.Lock)
}

// place makes a program of the staging folder the one that runs.
func (c *Change) place(program, path string) error {
	f, err := os.Open(program)
	if err != nil {
		return err
	}
	err = errors.Join(f.Chmod(0o755), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(program, path)
	}
	if err != nil {
		return fmt.Errorf("put a provider in place: %w", err)
	}
	return nil
}

// Remove takes a type out of the place: its file, its entry, and what is kept of
// it. It says whether there was anything.
func (c *Change) Remove(typ string) (bool, error) {
	if err := checkType(typ); err != nil {
		return false, err
	}
	_, locked := c.Lock[typ]
	err := os.Remove(c.File(typ))
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.RemoveAll(c.keptFolder(typ)); err != nil {
		return there, err
	}
	if there {
		if err := syncFolder(c.Folder); err != nil {
			return there, err
		}
	}
	if locked {
		return true, c.restore(typ, Entry{}, false)
	}
	return there, nil
}
