package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links one path may lead over, as in the kernel.
const maxLinks = 40

// places says which names matter in which folders. Folders are real: no symbolic
// link leads to them.
type places map[string]*names

// names of a folder's entries. All of them count when all is set.
type names struct {
	all   bool
	these map[string]bool
}

func (p places) of(dir string) *names {
	n := p[dir]
	if n == nil {
		n = &names{these: map[string]bool{}}
		p[dir] = n
	}
	return n
}

func (p places) matter(dir, name string) bool {
	n := p[dir]
	return n != nil && (n.all || n.these[name])
}

// seek finds the places at which a change may alter what is behind some paths:
// the folder a path is in, and the folder of every symbolic link on its way. Of
// what is not there, the folder that it would have to appear in. lists are
// folders whose entries matter whatever they are called.
func seek(files, lists []string) places {
	s := seeker{found: places{}, kinds: map[string]kind{}}
	for _, path := range files {
		s.follow(path)
	}
	for _, path := range lists {
		if dir, ok := s.follow(path); ok {
			s.found.of(dir).all = true
		}
	}
	return s.found
}

// kind is what is behind a name, as far as it matters here.
type kind struct {
	missing bool
	link    string // where a symbolic link points
}

type seeker struct {
	found places
	kinds map[string]kind // most paths share their beginning
}

// follow goes down a path, and returns the real path of what is there.
func (s *seeker) follow(path string) (real string, exists bool) {
	dir, rest := "/", split(path)
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			dir = filepath.Dir(dir)
			continue
		}
		at := filepath.Join(dir, name)
		k := s.look(at)
		if k.missing || k.link != "" || len(rest) == 0 {
			s.found.of(dir).these[name] = true
		}
		switch {
		case k.missing:
			return "", false
		case k.link == "":
			dir = at
			continue
		}
		if links++; links > maxLinks {
			return "", false
		}
		if filepath.IsAbs(k.link) {
			dir = "/"
		}
		rest = append(split(k.link), rest...)
	}
	return dir, true
}

func (s *seeker) look(path string) kind {
	if k, ok := s.kinds[path]; ok {
		return k
	}
	var k kind
	info, err := os.Lstat(path)
	switch {
	case err != nil: // or not for us to see, which may change just as well
		k.missing = true
	case info.Mode()&fs.ModeSymlink != 0:
		k.link, err = os.Readlink(path)
		k.missing = err != nil || k.link == ""
	}
	s.kinds[path] = k
	return k
}

func split(path string) []string {
	var out []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			out = append(out, name)
		}
	}
	return out
}
