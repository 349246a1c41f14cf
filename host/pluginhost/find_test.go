package pluginhost

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, content string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

// elfFor returns the header of a program for an architecture.
func elfFor(machine, kind uint16) string {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(h[16:], kind)
	binary.LittleEndian.PutUint16(h[18:], machine)
	binary.LittleEndian.PutUint32(h[20:], 1)
	binary.LittleEndian.PutUint16(h[52:], 64)
	return string(h)
}

// machoFor returns the header of a program for macOS.
func machoFor(cpu uint32) string {
	h := make([]byte, 32)
	binary.LittleEndian.PutUint32(h, 0xfeedfacf)
	binary.LittleEndian.PutUint32(h[4:], cpu)
	return string(h)
}

const script = "#!/bin/sh\n"

func TestFindOrder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	first, second := filepath.Join(root, "first"), filepath.Join(root, "second")
	one := write(t, filepath.Join(first, "al-provider-one"), script, 0o755)
	shadowed := write(t, filepath.Join(second, "al-provider-one"), script, 0o755)
	two := write(t, filepath.Join(second, "al-provider-two"), script, 0o755)
	write(t, filepath.Join(second, "al-provider-"), script, 0o755)
	write(t, filepath.Join(second, "README"), "x", 0o644)
	// An unusable file is not passed over for another version of it.
	bad := write(t, filepath.Join(first, "al-provider-bad"), script, 0o644)
	write(t, filepath.Join(second, "al-provider-bad"), script, 0o755)

	dirs := []string{first, filepath.Join(root, "missing"), second, first}
	found, errs := Find(dirs)
	if len(found) != 2 || found[0].Path != one || found[1].Path != two || !slices.Equal(found[0].Shadowed, []string{shadowed}) {
		t.Errorf("found %+v", found)
	}
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "run: chmod +x "+bad) || !errors.Is(errs[0], ErrUnusable) {
		t.Errorf("errors %v", errs)
	}
	if b, err := Lookup(dirs, "two"); err != nil || b.Path != two {
		t.Errorf("Lookup: %+v, %v", b, err)
	}
	_, err := Lookup(dirs, "tow")
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), first) || !strings.Contains(err.Error(), second) ||
		!strings.Contains(err.Error(), `did you mean "two"?`) {
		t.Errorf("Lookup: %v", err)
	}
	if _, err := Lookup(dirs, "discord"); err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("nothing is near: %v", err)
	}
	if _, err := Lookup(dirs, "../first/al-provider-one"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a path for a type: %v", err)
	}
}

func TestUnusableFiles(t *testing.T) {
	t.Parallel()
	here := runtime.GOOS + "/" + runtime.GOARCH
	for name, test := range map[string]struct {
		content string
		mode    os.FileMode
		want    string // empty for a file that can be run
	}{
		"script":          {content: script},
		"not executable":  {content: script, mode: 0o644, want: "run: chmod +x"},
		"empty":           {content: "", want: "is empty"},
		"text":            {content: "hello", want: `is not a program: it begins with "hell"`},
		"windows":         {content: "MZ\x90\x00", want: "built for windows, this machine is " + here},
		"other processor": {content: elfFor(22, 2), want: "is built for linux/s390x, this machine is " + here},
		"unknown":         {content: elfFor(4, 2), want: "is built for linux/68k"},
		"library":         {content: elfFor(22, 1), want: "not a program but an ET_REL file"},
		"cut":             {content: elfFor(22, 2)[:30], want: "is damaged"},
		"other system":    {content: machoFor(0x01000012), want: "is built for darwin/ppc64"},
	} {
		if test.mode == 0 {
			test.mode = 0o755
		}
		dir := t.TempDir()
		path := write(t, filepath.Join(dir, "al-provider-x"), test.content, test.mode)
		_, err := Lookup([]string{dir}, "x")
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (!errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%s: %v, want %q and the path", name, err, test.want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "al-provider-x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Lookup([]string{dir}, "x"); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
	if err := os.Symlink("/nowhere", filepath.Join(dir, "al-provider-y")); err != nil {
		t.Fatal(err)
	}
	if _, err := Lookup([]string{dir}, "y"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dangling link: %v", err)
	}
}

// Who can change what runs decides what runs: nobody but root and this user may.
func TestRefusesWhatOthersCanChange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		loosen func(root string) error
		want   string // what the error names, below root, with its mode; empty: it may run
		advice string
	}{
		"nobody else":      {},
		"file, group":      {func(r string) error { return os.Chmod(r+"/a/b/al-provider-x", 0o775) }, "/a/b/al-provider-x can be changed by others (mode 0775)", "chmod g-w"},
		"file, everybody":  {func(r string) error { return os.Chmod(r+"/a/b/al-provider-x", 0o757) }, "/a/b/al-provider-x can be changed by others (mode 0757)", "chmod o-w"},
		"folder":           {func(r string) error { return os.Chmod(r+"/a/b", 0o777) }, "/a/b can be changed by others (mode 0777)", "chmod go-w"},
		"sticky folder":    {func(r string) error { return os.Chmod(r+"/a/b", 0o777|os.ModeSticky) }, "/a/b can be changed by others (mode 0777)", "chmod go-w"},
		"folder above":     {func(r string) error { return os.Chmod(r+"/a", 0o777) }, "/a can be changed by others (mode 0777)", "chmod go-w"},
		"sticky one above": {func(r string) error { return os.Chmod(r+"/a", 0o777|os.ModeSticky) }, "", ""},
		"what a link names": {func(r string) error {
			moved := r + "/elsewhere/x"
			return errors.Join(os.Mkdir(r+"/elsewhere", 0o700), os.Rename(r+"/a/b/al-provider-x", moved), os.Symlink(moved, r+"/a/b/al-provider-x"),
				os.Chmod(moved, 0o777))
		}, "/elsewhere/x can be changed by others (mode 0777)", "chmod go-w"},
		"folder of what a link names": {func(r string) error {
			moved := r + "/elsewhere/x"
			return errors.Join(os.Mkdir(r+"/elsewhere", 0o700), os.Rename(r+"/a/b/al-provider-x", moved), os.Symlink(moved, r+"/a/b/al-provider-x"),
				os.Chmod(r+"/elsewhere", 0o707))
		}, "/elsewhere can be changed by others (mode 0707)", "chmod o-w"},
		"file of somebody":   {func(r string) error { return os.Chown(r+"/a/b/al-provider-x", 54321, -1) }, "/a/b/al-provider-x belongs to user 54321", "chown 0"},
		"folder of somebody": {func(r string) error { return os.Chown(r+"/a", 54321, -1) }, "/a belongs to user 54321", "chown 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(name, "somebody") && os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			path := write(t, filepath.Join(root, "a/b/al-provider-x"), script, 0o755)
			if test.loosen != nil {
				if err := test.loosen(root); err != nil {
					t.Fatal(err)
				}
			}
			_, err = Lookup([]string{filepath.Dir(path)}, "x")
			switch {
			case test.want == "" && err != nil:
				t.Errorf("%v", err)
			case test.want != "" && (!errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), root+test.want) || !strings.Contains(err.Error(), "run: "+test.advice+" ")):
				t.Errorf("%v\nwant %q and %q", err, root+test.want, test.advice)
			}
		})
	}
}

// Whatever lies in a folder is told apart without a panic.
func FuzzBuiltFor(f *testing.F) {
	for _, seed := range []string{"", script, "MZ", elfFor(62, 2), elfFor(183, 3), machoFor(0x01000007), "\xca\xfe\xba\xbe\x00\x00\x00\x01"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, content, 0o700); err != nil {
			t.Fatal(err)
		}
		if targets, _, err := builtFor(path); err == nil && len(targets) == 0 && !strings.HasPrefix(string(content), "#!") {
			t.Error("taken for a program")
		}
	})
}

// copyFake installs a copy of the fake provider, for tests that change the file.
func copyFake(t *testing.T, dir, typ string) string {
	t.Helper()
	link := install(t, t.TempDir(), typ)
	in, err := os.Open(link)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(dir, filepath.Base(link))
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file that is still being written is waited for, but not for long.
func TestBusyFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux refuses to run what is being written")
	}
	t.Parallel()
	b := newBench(t, nil)
	path := copyFake(t, b.dir, "ok")
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.timing.backoffMin, b.timing.backoffMax = time.Hour, time.Hour
	err = b.Start(t.Context(), []string{"ok"})
	if err == nil || !strings.Contains(err.Error(), "text file busy") || !strings.Contains(err.Error(), "rename it to "+path) {
		t.Errorf("busy: %v", err)
	}
	reloaded := make(chan error, 1)
	go func() { reloaded <- b.Reload(within(t, 20*time.Second), "ok") }()
	// By now it has most likely been tried; if not, the test sees less.
	time.AfterFunc(busyPause*busyRetries/2, func() { writer.Close() })
	if err := <-reloaded; err != nil {
		t.Errorf("written: %v", err)
	}
}

// Whether a file may run is asked anew at each launch.
func TestApprove(t *testing.T) {
	t.Parallel()
	var refusal error
	var asked Binary
	b := newBench(t, nil, func(o *Options) {
		o.Approve = func(bin Binary) error { asked = bin; return refusal }
	})
	path := copyFake(t, b.dir, "ok")
	b.start(t, "ok")
	if asked.Type != "ok" || asked.Path != path {
		t.Errorf("asked about %+v instead of %s", asked, path)
	}
	refusal = errors.New("it is not the file that was installed")
	if err := b.Reload(within(t, 20*time.Second), "ok"); !errors.Is(err, ErrUnusable) || !errors.Is(err, refusal) {
		t.Errorf("refused: %v", err)
	}
}
