package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files is what a project was read from: every file and folder that was looked
// at, whether it was there or not, and what it held. It tells whether reading
// again would find anything else, without knowing what a project consists of.
type Files struct {
	dir  string
	opts Options
	disk fs.FS
	seen map[look]string
}

// look is a question to the file system; its answer is kept as a digest.
type look struct {
	question string // "content", "kind" or "entries"
	name     string // relative to the project
}

const (
	lookContent = "content"
	lookKind    = "kind"
	lookEntries = "entries"
)

func newFiles(dir string, opts Options) *Files {
	return &Files{dir: dir, opts: opts, disk: os.DirFS(dir), seen: map[look]string{}}
}

// Load reads the project again, in the way it was read.
func (f *Files) Load() (*Project, Problems) { return Load(f.dir, f.opts) }

// Changed says whether reading again would find something else.
func (f *Files) Changed() bool {
	again := &Files{disk: f.disk, seen: map[look]string{}}
	for l, before := range f.seen {
		switch l.question {
		case lookContent:
			_, _ = again.Open(l.name) // what it finds, an error too, is in seen
		case lookKind:
			_, _ = again.Stat(l.name)
		case lookEntries:
			_, _ = again.ReadDir(l.name)
		}
		if again.seen[l] != before {
			return true
		}
	}
	return false
}

// Digest is short, and the same for the same files.
func (f *Files) Digest() string {
	sum := sha256.New()
	for _, l := range slices.SortedFunc(maps.Keys(f.seen), func(a, b look) int {
		return strings.Compare(a.name+"\x00"+a.question, b.name+"\x00"+b.question)
	}) {
		fmt.Fprintf(sum, "%q %s %q\n", l.name, l.question, f.seen[l])
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

// Paths lists what to watch for changes: files, and folders whose entries count.
func (f *Files) Paths() (files, folders []string) {
	for l := range f.seen {
		path := filepath.Join(f.dir, filepath.FromSlash(l.name))
		if l.question == lookEntries {
			folders = append(folders, path)
		} else {
			files = append(files, path)
		}
	}
	return files, folders
}

// Open implements [fs.FS]. The file is read here and now, so that what is
// remembered is what is used.
func (f *Files) Open(name string) (fs.File, error) {
	answer, file, err := f.open(name)
	f.seen[look{lookContent, name}] = answer
	return file, err
}

func (f *Files) open(name string) (answer string, _ fs.File, _ error) {
	file, err := f.disk.Open(name)
	if err != nil {
		return said(err), nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return said(err), nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return said(err), nil, err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), &readFile{info: info, Reader: bytes.NewReader(data)}, nil
}

// Stat implements [fs.StatFS]. What kind of thing it is counts; size and time
// are told by its content.
func (f *Files) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(f.disk, name)
	if err != nil {
		f.seen[look{lookKind, name}] = said(err)
		return nil, err
	}
	f.seen[look{lookKind, name}] = info.Mode().Type().String()
	return info, nil
}

// ReadDir implements [fs.ReadDirFS]. Hidden entries come and go with every
// editor, and none of them means anything.
func (f *Files) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.disk, name)
	if err != nil {
		f.seen[look{lookEntries, name}] = said(err)
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") })
	var answer strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&answer, "%q ", e.Name())
	}
	f.seen[look{lookEntries, name}] = answer.String()
	return entries, nil
}

// said is an error as an answer, the same each time.
func said(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	return "error: " + bare(err).Error()
}

// readFile is a file whose content was read already.
type readFile struct {
	info fs.FileInfo
	*bytes.Reader
}

func (f *readFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *readFile) Close() error               { return nil }
