package pluginhost

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// LooseError says that somebody else can change what would run with this user's
// rights and be given the credentials of its sources.
type LooseError struct {
	Path string
	Mode fs.FileMode // permissions; 0 when it belongs to somebody else
	UID  int         // whom it belongs to
}

func (e *LooseError) Error() string {
	if e.Mode == 0 {
		return fmt.Sprintf("%s belongs to user %d, who is neither root nor the one that al runs as, and could change what runs; run: chown %d %s",
			e.Path, e.UID, os.Geteuid(), e.Path)
	}
	return fmt.Sprintf("%s can be changed by others (mode %04o), who would decide what runs; run: chmod %s %s",
		e.Path, e.Mode, e.chmod(), e.Path)
}

func (e *LooseError) chmod() string {
	switch {
	case e.Mode&0o022 == 0o022:
		return "go-w"
	case e.Mode&0o020 != 0:
		return "g-w"
	default:
		return "o-w"
	}
}

// guarded returns an error unless only root and this user decide what is behind
// a path: nobody else may write to the file, to its folder, or to a folder above
// in which they could put another one in its place.
func guarded(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	ours := ourselves()
	folders := []string{filepath.Dir(path), filepath.Dir(real)}
	for _, p := range append(folders, real) {
		if err := ours.guard(p, true); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, folder := range folders {
		for dir := filepath.Dir(folder); !seen[dir]; dir = filepath.Dir(dir) {
			if err := ours.guard(dir, false); err != nil {
				return err
			}
			seen[dir] = true
		}
	}
	return nil
}

// identity is whom we trust besides root.
type identity struct {
	uid int
	// private is the group of this user that has no other members, or -1.
	private int
}

// ourselves knows a private group by its name, which is its only member's: where
// a system gives one to everybody, files are writable by it as a matter of course.
func ourselves() identity {
	id := identity{uid: os.Geteuid(), private: -1}
	if id.uid == 0 {
		return id
	}
	u, err := user.LookupId(strconv.Itoa(id.uid))
	if err != nil {
		return id
	}
	if g, err := user.LookupGroup(u.Username); err == nil && g.Gid == u.Gid {
		if gid, err := strconv.Atoi(g.Gid); err == nil {
			id.private = gid
		}
	}
	return id
}

// guard looks at one file or folder. strict is for the file itself and the
// folder that it is in. Above that, groups that administer the machine may
// write, and so may everybody to a folder in which nobody can touch what is
// somebody else's.
func (id identity) guard(path string, strict bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if st.Uid != 0 && int(st.Uid) != id.uid {
		return &LooseError{Path: path, UID: int(st.Uid)}
	}
	open := info.Mode().Perm() & 0o022
	if int(st.Gid) == id.private || !strict && administers(st.Gid) {
		open &^= 0o020
	}
	if open == 0 || !strict && info.Mode()&fs.ModeSticky != 0 {
		return nil
	}
	return &LooseError{Path: path, Mode: info.Mode().Perm(), UID: int(st.Uid)}
}

// administers says whether the members of a group are root in all but name.
func administers(gid uint32) bool {
	const adminOfMacOS = 80
	return gid == 0 || runtime.GOOS == "darwin" && gid == adminOfMacOS
}
