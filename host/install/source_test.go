package install

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// member is a file in an archive.
type member struct {
	name string
	body []byte
	kind byte   // of tar
	link string // where it leads
}

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Typeflag: m.kind, Linkname: m.link, Mode: 0o755, Size: int64(len(m.body))}
		if m.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		h.SetMode(0o755)
		if m.link != "" {
			h.SetMode(0o777 | fs.ModeSymlink)
			m.body = []byte(m.link)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func types(programs []Program) (out []string) {
	for _, p := range programs {
		out = append(out, p.Type+" "+strings.Join(p.Platforms, "+"))
	}
	slices.Sort(out)
	return out
}

// Whatever a release looks like, the providers in it are found.
func TestReadFindsProviders(t *testing.T) {
	t.Parallel()
	members := []member{
		{name: "README.md", body: []byte("hello")},
		{name: "./linux_amd64/al-provider-bell", body: program(t, "linux/amd64", "1")},
		{name: "bin/al-provider-bell_darwin_arm64", body: program(t, "darwin/arm64", "1")},
		{name: "bin/al-provider-bell_darwin_arm64.sha256", body: []byte("abc")},
		{name: "al-provider-two-words", body: program(t, "", "1")},
	}
	want := []string{"bell darwin/arm64", "bell linux/amd64", "two-words any"}
	dir := t.TempDir()
	sources := map[string]string{
		"tar.gz": write(t, filepath.Join(dir, "a.tar.gz"), gzipped(t, tarOf(t, members...))),
		"tar":    write(t, filepath.Join(dir, "a.tar"), tarOf(t, members...)),
		"zip":    write(t, filepath.Join(dir, "a.zip"), zipOf(t, members...)),
		"folder": filepath.Join(dir, "folder"),
	}
	for _, m := range members {
		write(t, filepath.Join(sources["folder"], m.name), m.body)
	}
	write(t, filepath.Join(sources["folder"], ".git", "al-provider-hidden"), program(t, "", "1"))
	for name, source := range sources {
		got, err := Read(within(t), source, t.TempDir())
		if err != nil || !slices.Equal(types(got), want) {
			t.Errorf("%s: %v, %v", name, types(got), err)
		}
	}
	one := write(t, filepath.Join(dir, "al-provider-bell-linux-arm64"), program(t, "linux/arm64", "1"))
	if got, err := Read(within(t), one, t.TempDir()); err != nil || !slices.Equal(types(got), []string{"bell linux/arm64"}) {
		t.Errorf("a file: %v, %v", types(got), err)
	}
}

// What is no provider, or pretends to be one, is refused with a reason.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fine := program(t, "", "1")
	file := func(name string, content []byte) string {
		return write(t, filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_"), name), content)
	}
	linked := filepath.Join(dir, "linked")
	target := write(t, filepath.Join(dir, "elsewhere"), fine)
	write(t, filepath.Join(linked, "README"), nil)
	if err := os.Symlink(target, filepath.Join(linked, "al-provider-bell")); err != nil {
		t.Fatal(err)
	}
	piped := filepath.Join(dir, "piped")
	write(t, filepath.Join(piped, "README"), nil)
	if err := syscall.Mkfifo(filepath.Join(piped, "al-provider-bell"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := gzipped(t, tarOf(t, member{name: "al-provider-bell", body: append(fine, bytes.Repeat([]byte("x"), 50_000)...)}))
	for source, want := range map[string]string{
		"https://example.com/al-provider-bell":                                                            "is a URL, and al fetches no programs",
		filepath.Join(dir, "absent"):                                                                      "there is no file or folder",
		file("bell", fine):                                                                                "the file name says the type",
		file("al-provider-Bell", fine):                                                                    "lower-case letters",
		file("al-provider-empty", nil):                                                                    "is empty",
		file("al-provider-text", []byte("hello, I am text")):                                              "is not a program",
		file("al-provider-bell_linux_arm64", program(t, "linux/amd64", "1")):                              "is named for linux/arm64, and built for linux/amd64",
		file("x.tar.xz", []byte("\xfd7zXZ\x00rest")):                                                      "packed with xz; unpack it and name the folder",
		file("none.tar", tarOf(t, member{name: "README"})):                                                "holds no provider",
		file("climb.tar", tarOf(t, member{name: "../../al-provider-bell", body: fine})):                   "leads out of the archive",
		file("climb2.tar", tarOf(t, member{name: "a/../../x", body: fine})):                               "leads out of the archive",
		file("root.tar.gz", gzipped(t, tarOf(t, member{name: "/al-provider-bell", body: fine}))):          "leads out of the archive",
		file("climb.zip", zipOf(t, member{name: "../al-provider-bell", body: fine})):                      "leads out of the archive",
		file("link.tar", tarOf(t, member{name: "al-provider-bell", kind: tar.TypeSymlink, link: target})): "is a link or a device",
		file("hard.tar", tarOf(t, member{name: "al-provider-bell", kind: tar.TypeLink, link: "passwd"})):  "is a link or a device",
		file("link.zip", zipOf(t, member{name: "al-provider-bell", link: target})):                        "is a link or a device",
		file("cut.tar.gz", whole[:len(whole)-20]):                                                         "not a whole archive",
		file("cut.zip", zipOf(t, member{name: "al-provider-bell", body: fine})[:60]):                      "not a whole archive",
		linked: "al-provider-bell is a symbolic link",
		piped:  "al-provider-bell is no regular file",
	} {
		into := t.TempDir()
		got, err := Read(within(t), source, into)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v; want an error with %q", source, types(got), err, want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*al-provider*")); err != nil || len(left) > 0 {
		t.Errorf("something was unpacked: %v, %v", left, err)
	}
}

// A small archive that unpacks into a full disk is given up on the way.
func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	r := &reader{ctx: within(t), into: t.TempDir(), left: 1000}
	bomb := tarOf(t, member{name: "al-provider-bell", body: append(program(t, "", "1"), make([]byte, 1<<20)...)})
	if err := r.gzip(bytes.NewReader(gzipped(t, bomb))); !errors.Is(err, errUnpacked) {
		t.Errorf("programs: %v", err)
	}
	if _, err := (&bounded{from: zeros{}, left: 10}).Read(make([]byte, 10)); err != nil {
		t.Errorf("within the bound: %v", err)
	}
	archive := &bounded{from: zeros{}, left: 1 << 10}
	buffer := make([]byte, 1<<10)
	if _, err := archive.Read(buffer); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Read(buffer); !errors.Is(err, errUnpacked) {
		t.Errorf("what is skipped: %v", err)
	}
	many := make([]member, maxEntries+1)
	for i := range many {
		many[i].name = "x"
	}
	fails(t, (&reader{ctx: within(t), into: t.TempDir(), left: 1 << 20}).tar(bytes.NewReader(tarOf(t, many...))), "files are in it")

	stopped, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Read(stopped, source(t, "bell", "1"), t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Whatever is in an archive, what it is made of stays in one folder and is files.
func FuzzReadArchive(f *testing.F) {
	fine := member{name: "a/al-provider-bell", body: program(f, "linux/amd64", "1")}
	for _, seed := range [][]byte{
		tarOf(f, fine), gzipped(f, tarOf(f, fine)), zipOf(f, fine),
		tarOf(f, member{name: "../al-provider-x", body: []byte("#!x")}),
		zipOf(f, member{name: "al-provider-x", link: "/etc/passwd"}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		into := filepath.Join(outer, "into")
		if err := os.Mkdir(into, 0o700); err != nil {
			t.Fatal(err)
		}
		r := &reader{ctx: t.Context(), into: into, left: 1 << 20}
		_ = r.gzip(bytes.NewReader(data))
		_ = r.tar(bytes.NewReader(data))
		_ = r.zip(bytes.NewReader(data), int64(len(data)))
		err := filepath.WalkDir(outer, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (!d.Type().IsRegular() || !strings.HasPrefix(path, into+"/")) {
				t.Errorf("made %s, %s", path, d.Type())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.found {
			if !typePattern.MatchString(p.Type) || len(p.Platforms) == 0 {
				t.Errorf("found %+v", p)
			}
		}
	})
}

// A source with several files for a type gives the one for this machine, and
// the sums of all.
func TestExamineChooses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "al-provider-bell"), program(t, here(), "1.0"))
	write(t, filepath.Join(dir, "b", "al-provider-bell"), program(t, foreign(), "1.0"))
	err := change(t, p, func(c *Change) error {
		offers, err := c.Examine(within(t), dir, try)
		if err != nil {
			return err
		}
		if len(offers) != 1 || offers[0].Version != "1.0" || !slices.Equal(sortedKeys(offers[0].Sums), slices.Sorted(maps.Keys(map[string]bool{here(): true, foreign(): true}))) {
			t.Errorf("offers %+v", offers)
		}
		write(t, filepath.Join(dir, "c", "al-provider-bell"), program(t, here(), "1.1"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = add(t, p, dir)
	fails(t, err, "are both bell for "+here()+", and differ")
	alone := write(t, filepath.Join(t.TempDir(), "al-provider-bell"), program(t, foreign(), "1"))
	_, err = add(t, p, alone)
	fails(t, err, "its bell is built for "+foreign()+", and this machine is "+here())
	_, err = add(t, p, source(t, "bell", "broken"))
	fails(t, err, "al-provider-bell ended before the handshake")
	if err != nil && strings.Contains(err.Error(), stagingPrefix) {
		t.Errorf("the copy is named: %v", err)
	}
}
