package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/action-llama/gateway/host/pluginhost"
)

// State is how a file stands to the lock.
type State string

const (
	OK        State = "ok"           // it is what is recorded
	Changed   State = "changed"      // it is another file
	Missing   State = "missing"      // it is recorded, and not there
	Shadowed  State = "shadowed"     // another folder comes first
	NoSum     State = "not recorded" // the lock has the type, and no sum for this platform
	NotLocked State = "not locked"   // the lock does not have the type
)

// Checked is how the file of a type stands to the lock.
type Checked struct {
	Type    string
	Entry   Entry // the zero value where nothing is recorded
	Path    string
	State   State
	Found   Sum    // of the file, if one is there
	Problem string // what is wrong and what to do, unless it is OK
}

// Check says how each type of the lock stands, and starts nothing. No types are
// all of them.
func (p Place) Check(types ...string) ([]Checked, error) {
	lock, err := LoadLock(p.LockFile)
	if err != nil {
		return nil, err
	}
	if len(types) == 0 {
		types = lock.Types()
	}
	out := make([]Checked, len(types))
	for i, typ := range types {
		out[i] = p.check(lock, typ)
	}
	return out, nil
}

func (p Place) check(lock Lock, typ string) Checked {
	c := Checked{Type: typ, Path: p.File(typ), State: OK}
	var locked bool
	if c.Entry, locked = lock[typ]; !locked {
		c.State = NotLocked
		c.Problem = fmt.Sprintf("%s does not name %s; al plugin add PATH installs and records it", LockName, typ)
		return c
	}
	if other, yes := p.first(typ); yes {
		c.State = Shadowed
		c.Problem = fmt.Sprintf("%s comes before %s, which %s names; remove it, or take %s out of the lock with al plugin rm %s", other, c.Path, LockName, typ, typ)
		return c
	}
	recorded, platform, known := c.Entry.here(c.Path)
	var err error
	switch c.Found, err = sumFile(c.Path); {
	case errors.Is(err, fs.ErrNotExist):
		c.State = Missing
		c.Problem = fmt.Sprintf("%s names %s, and there is no %s; install it: al plugin add PATH", LockName, c.Entry.name(typ), c.Path)
	case err != nil:
		c.State = Changed
		c.Problem = fmt.Sprintf("%v; %s names %s: install it again with al plugin add PATH", err, LockName, c.Entry.name(typ))
	case !known:
		c.State = NoSum
		c.Problem = fmt.Sprintf("%s has the SHA-256 of %s for %s, and not for %s; record it: al plugin add PATH, or al plugin verify --accept %s for the file that is there",
			LockName, c.Entry.name(typ), joined(c.Entry.Platforms()), platform, typ)
	case c.Found != recorded:
		c.State = Changed
		c.Problem = fmt.Sprintf("%s is not the file that %s names: its SHA-256 is %s%s, and that of %s is %s; if the change is yours, al plugin verify --accept %s records it, else install what is meant: al plugin add PATH",
			c.Path, LockName, c.Found, p.recognise(c), c.Entry.name(typ), recorded, typ)
	}
	return c
}

// name is "acme 1.4.0".
func (e Entry) name(typ string) string {
	if e.Version == "" {
		return typ
	}
	return typ + " " + e.Version
}

// here is the sum that counts on this machine for a file, and the platform that
// it is recorded under.
func (e Entry) here(path string) (s Sum, platform string, known bool) {
	built, err := pluginhost.Platforms(path)
	if err == nil && len(built) > 0 && !slices.Contains(built, here()) && pluginhost.RunsHere(built) {
		// It runs here although it is made for a relative of this machine.
		if s, known = e.SHA256[built[0]]; known {
			return s, built[0], true
		}
	}
	if s, known = e.SHA256[here()]; known {
		return s, here(), true
	}
	s, known = e.SHA256[AnyPlatform]
	return s, here(), known
}

// recognise says of a file that is not meant what it is, where that is known.
func (p Place) recognise(c Checked) string {
	for _, platform := range c.Entry.Platforms() {
		if c.Entry.SHA256[platform] == c.Found {
			return fmt.Sprintf(" (the one for %s)", platform)
		}
	}
	kept, err := p.kept(c.Type)
	if err != nil {
		return ""
	}
	for _, k := range kept {
		if k.Sum == c.Found {
			return fmt.Sprintf(" (version %s, which was installed before)", k.Entry.Version)
		}
	}
	return ""
}

// Compare holds programs against the lock, each for the platforms that it is
// built for, and starts none of them.
func (p Place) Compare(programs []Program) ([]Compared, error) {
	lock, err := LoadLock(p.LockFile)
	if err != nil {
		return nil, err
	}
	var out []Compared
	for _, prog := range programs {
		for _, platform := range prog.Platforms {
			c := Compared{Type: prog.Type, Name: prog.Name, Platform: platform, State: OK, Found: prog.Sum, Entry: lock[prog.Type]}
			recorded, known := c.Entry.SHA256[platform]
			switch {
			case c.Entry.SHA256 == nil:
				c.State, c.Problem = NotLocked, fmt.Sprintf("%s does not name %s", LockName, prog.Type)
			case !known:
				c.State, c.Problem = NoSum, fmt.Sprintf("%s has the SHA-256 of %s for %s, and not for %s", LockName, c.Entry.name(prog.Type), joined(c.Entry.Platforms()), platform)
			case recorded != prog.Sum:
				c.State, c.Problem = Changed, fmt.Sprintf("its SHA-256 is %s, and that of %s for %s in %s is %s", prog.Sum, c.Entry.name(prog.Type), platform, LockName, recorded)
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// Compared is how a program of a source stands to the lock.
type Compared struct {
	Type, Name, Platform string
	Entry                Entry
	State                State
	Found                Sum
	Problem              string
}

// Present lists the types of which there is a file at the place.
func (p Place) Present() ([]string, error) {
	entries, err := os.ReadDir(p.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var types []string
	for _, e := range entries {
		if typ, platform, ok := typeOf(e.Name()); ok && platform == "" {
			types = append(types, typ)
		}
	}
	return types, nil
}
