package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// Limits of a source. A provider is some 15 MB in Go and 100 MB with a Node in it.
const (
	maxProgram  = 512 << 20 // bytes of one program
	maxUnpacked = 2 << 30   // bytes of everything in an archive
	maxEntries  = 10_000    // of an archive or a folder, whatever they are
	maxPrograms = 100       // that are named like providers
	maxDepth    = 4         // of a folder
)

// Program is a provider's program in a source, copied, and not believed yet.
type Program struct {
	Type      string
	Name      string // in the source
	Platforms []string
	Sum       Sum
	path      string // of the copy, in a folder of its own
}

// runsHere says whether this machine runs it; exactly when it is made for it.
func (p Program) runsHere() (runs, exactly bool) {
	if p.Platforms[0] == AnyPlatform {
		return true, true
	}
	return pluginhost.RunsHere(p.Platforms), slices.Contains(p.Platforms, here())
}

var urlPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// Read copies what is named like a provider in a file, folder or archive into a
// folder, and says what it is. Nothing is started, and no name in the source
// says where anything is written.
func Read(ctx context.Context, source, into string) ([]Program, error) {
	if urlPattern.MatchString(source) {
		return nil, fmt.Errorf("%s is a URL, and al fetches no programs: download it with what you trust, compare what its author published, and name the file", source)
	}
	f, err := os.OpenFile(source, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file or folder %s", source)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, into: into, left: maxUnpacked}
	switch {
	case info.IsDir():
		err = r.folder(source)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is neither a file nor a folder", source)
	default:
		err = r.file(source, f, info.Size())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if len(r.found) == 0 {
		return nil, fmt.Errorf("%s holds no provider: a file that is named %s<type>, or %s<type>_%s for one platform",
			source, sdk.BinaryPrefix, sdk.BinaryPrefix, strings.ReplaceAll(here(), "/", "_"))
	}
	return r.found, nil
}

// reader collects programs from one source.
type reader struct {
	ctx     context.Context
	into    string
	left    int64 // of the bytes that may be written
	entries int
	found   []Program
}

// file reads an archive, or what must be a program.
func (r *reader) file(name string, f *os.File, size int64) error {
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return r.gzip(f)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return r.zip(f, size)
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return r.tar(f)
	}
	for magic, tool := range map[string]string{"\xfd7zXZ\x00": "xz", "\x28\xb5\x2f\xfd": "zstd", "BZh": "bzip2", "7z\xbc\xaf": "7z"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return fmt.Errorf("al reads .tar.gz, .tar and .zip, and this is packed with %s; unpack it and name the folder", tool)
		}
	}
	if _, _, ok := typeOf(filepath.Base(name)); !ok {
		return fmt.Errorf("the file name says the type, and has to be %s<type>; a type is lower-case letters, digits and \"-\"", sdk.BinaryPrefix)
	}
	return r.take(filepath.Base(name), f, size)
}

// folder reads a folder and those in it, without leaving it.
func (r *reader) folder(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case r.ctx.Err() != nil:
			return context.Cause(r.ctx)
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || strings.Count(name, "/") >= maxDepth):
			return fs.SkipDir
		}
		if err := r.entry(); err != nil {
			return err
		}
		if _, _, ok := typeOf(d.Name()); !ok || d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is %s, and a provider is a file; name what it stands for", name, kind(d.Type()))
		}
		f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is %s, and a provider is a file", name, kind(info.Mode().Type()))
		}
		return r.take(name, f, info.Size())
	})
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m.IsDir():
		return "a folder"
	}
	return "no regular file"
}

// entry counts what is in a source.
func (r *reader) entry() error {
	if r.entries++; r.entries > maxEntries {
		return fmt.Errorf("more than %d files are in it; name the one, or its folder", maxEntries)
	}
	return nil
}

// take copies a program, and looks at it.
func (r *reader) take(name string, content io.Reader, size int64) error {
	typ, claimed, _ := typeOf(filepath.Base(name))
	if size > maxProgram {
		return fmt.Errorf("%s has %d bytes, and a provider at most %d", name, size, maxProgram)
	}
	if len(r.found) == maxPrograms {
		return fmt.Errorf("more than %d providers are in it; name a folder with fewer", maxPrograms)
	}
	// A folder of its own, since a provider is found by its name in a folder.
	dir := filepath.Join(r.into, strconv.Itoa(len(r.found)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	p := Program{Type: typ, Name: name, path: filepath.Join(dir, sdk.BinaryPrefix+typ)}
	var err error
	if p.Sum, err = r.copy(p.path, content); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if p.Platforms, err = pluginhost.Platforms(p.path); err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), p.path, name))
	}
	if len(p.Platforms) == 0 {
		p.Platforms = []string{AnyPlatform}
	}
	if claimed != "" && p.Platforms[0] != AnyPlatform && !slices.Contains(p.Platforms, claimed) {
		return fmt.Errorf("%s is named for %s, and built for %s", name, claimed, strings.Join(p.Platforms, " and "))
	}
	r.found = append(r.found, p)
	return nil
}

func (r *reader) copy(path string, content io.Reader) (Sum, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700) //nolint:gosec // it is a program
	if err != nil {
		return Sum{}, err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(&interruptible{r.ctx, content}, min(maxProgram, r.left)+1))
	r.left -= n
	switch {
	case err == nil && n > maxProgram:
		err = fmt.Errorf("has more than %d bytes, and no provider has", maxProgram)
	case err == nil && r.left < 0:
		err = errUnpacked
	}
	return Sum(h.Sum(nil)), errors.Join(err, f.Chmod(0o755), f.Close())
}

var errUnpacked = fmt.Errorf("it has more than %d bytes when unpacked; name a source with fewer files", maxUnpacked)

// interruptible ends with its context, at the next read.
type interruptible struct {
	ctx  context.Context
	from io.Reader
}

func (r *interruptible) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.from.Read(b)
}
