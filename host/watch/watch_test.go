package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a folder that is watched.
type bench struct {
	t   *testing.T
	dir string
	w   *Watcher
}

// start watches paths of a folder. Nothing but a change gives a signal once the
// first one is taken.
func start(t *testing.T, dir string, files, lists []string) bench {
	t.Helper()
	w := New(Options{Quiet: time.Millisecond, Poll: time.Hour})
	abs := func(names []string) (out []string) {
		for _, n := range names {
			out = append(out, filepath.Join(dir, n))
		}
		return out
	}
	w.Watch(abs(files), abs(lists))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	b := bench{t: t, dir: dir, w: w}
	b.signal("of the start")
	return b
}

// signal waits for one.
func (b bench) signal(what string) {
	b.t.Helper()
	select {
	case <-b.w.Changed():
	case <-time.After(30 * time.Second):
		b.t.Fatalf("no signal %s", what)
	}
}

// until takes signals, one at least, until a fact holds. One may come of the
// change before; the changes are many enough for that not to hide a lost one.
func (b bench) until(what string, holds func() bool) {
	b.t.Helper()
	for b.signal(what); !holds(); {
		b.signal(what)
	}
}

func (b bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b bench) content(name string) string {
	raw, err := os.ReadFile(b.path(name))
	if err != nil {
		return ""
	}
	return string(raw)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func temp(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return dir
}

// Every way in which programs change a file ends in a signal after which the
// new content is there, again and again.
func TestEveryKindOfEdit(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(t *testing.T, path, text string){
		"in place": write,
		"rename over": func(t *testing.T, path, text string) {
			write(t, path+".swp", text)
			must(t, os.Rename(path+".swp", path))
		},
		"move away and write anew": func(t *testing.T, path, text string) {
			must(t, os.Rename(path, path+"~"))
			write(t, path, text)
		},
		"remove and create": func(t *testing.T, path, text string) {
			must(t, os.Remove(path))
			write(t, path, text)
		},
		"remove and create the folder": func(t *testing.T, path, text string) {
			must(t, os.RemoveAll(filepath.Dir(path)))
			write(t, path, text)
		},
		"replace the folder": func(t *testing.T, path, text string) {
			replace(t, filepath.Dir(path), filepath.Base(path), text)
		},
		"replace the folder above it": func(t *testing.T, path, text string) {
			dir := filepath.Dir(path)
			replace(t, filepath.Dir(dir), filepath.Join(filepath.Base(dir), filepath.Base(path)), text)
		},
	}
	for name, edit := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := temp(t)
			write(t, filepath.Join(dir, "a/b/f"), "0")
			b := start(t, dir, []string{"a/b/f"}, []string{"a"})
			for i := range 20 {
				text := string(rune('a' + i))
				edit(t, b.path("a/b/f"), text)
				b.until("of edit "+text, func() bool { return b.content("a/b/f") == text })
				write(t, b.path("a/b/f"), text+text) // what was put there is watched
				b.until("of an edit after "+text, func() bool { return b.content("a/b/f") == text+text })
			}
		})
	}
}

// replace puts another folder with one file in the place of a folder.
func replace(t *testing.T, dir, name, text string) {
	t.Helper()
	write(t, filepath.Join(dir+".new", name), text)
	must(t, os.RemoveAll(dir+".old"))
	must(t, os.Rename(dir, dir+".old"))
	must(t, os.Rename(dir+".new", dir))
}

// Kubernetes swaps a link to a folder, which the watched file leads over.
func TestSwappedLinks(t *testing.T) {
	t.Parallel()
	dir := temp(t)
	write(t, filepath.Join(dir, "mount/..1/f"), "1")
	must(t, os.Symlink("..1", filepath.Join(dir, "mount/..data")))
	must(t, os.Symlink("..data/f", filepath.Join(dir, "mount/f")))
	must(t, os.MkdirAll(filepath.Join(dir, "project"), 0o700))
	must(t, os.Symlink(filepath.Join(dir, "mount/f"), filepath.Join(dir, "project/f")))
	b := start(t, dir, []string{"project/f"}, nil)
	for i := range 20 {
		text := string(rune('a' + i))
		write(t, b.path("mount/.."+text+"/f"), text)
		must(t, os.Symlink(".."+text, b.path("mount/..tmp")))
		must(t, os.Rename(b.path("mount/..tmp"), b.path("mount/..data")))
		b.until("of swap "+text, func() bool { return b.content("project/f") == text })
		// What the link leads to now is watched, too.
		write(t, b.path("mount/.."+text+"/f"), text+text)
		b.until("of an edit behind the link", func() bool { return b.content("project/f") == text+text })
	}
}

// A path may appear later, from any of its folders on.
func TestWhatIsNotThereYet(t *testing.T) {
	t.Parallel()
	dir := temp(t)
	b := start(t, dir, []string{"a/b/c/f"}, nil)
	write(t, b.path("a/b/c/f"), "1")
	b.until("of its appearance", func() bool { return b.content("a/b/c/f") == "1" })
	must(t, os.RemoveAll(b.path("a")))
	b.until("of its end", func() bool { return b.content("a/b/c/f") == "" })
	write(t, b.path("a/b/c/f"), "2")
	b.until("of its return", func() bool { return b.content("a/b/c/f") == "2" })
}

func TestEntriesOfAFolder(t *testing.T) {
	t.Parallel()
	dir := temp(t)
	must(t, os.MkdirAll(filepath.Join(dir, "agents"), 0o700))
	b := start(t, dir, nil, []string{"agents"})
	must(t, os.MkdirAll(b.path("agents/new"), 0o700))
	b.until("of a new entry", func() bool { _, err := os.Stat(b.path("agents/new")); return err == nil })
}

// Without any notice there still is a signal from time to time.
func TestPoll(t *testing.T) {
	t.Parallel()
	w := New(Options{Poll: time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	for range 3 {
		<-w.Changed()
	}
	stop()
	<-done
}

// Neighbours of what is watched say nothing: agents work in these folders.
func TestPlaces(t *testing.T) {
	t.Parallel()
	dir := temp(t)
	write(t, filepath.Join(dir, "p/config.toml"), "")
	write(t, filepath.Join(dir, "elsewhere/x/SKILL.md"), "")
	must(t, os.MkdirAll(filepath.Join(dir, "p/agents"), 0o700))
	must(t, os.Symlink("../../elsewhere/./x", filepath.Join(dir, "p/agents/dev")))
	must(t, os.Symlink("turn", filepath.Join(dir, "p/agents/turn")))
	at := func(name string) string { return filepath.Join(dir, name) }
	found := seek(
		[]string{at("p/config.toml"), at("p/agents/dev/SKILL.md"), at("p/agents/turn/SKILL.md"), at("p/agents/none/SKILL.md")},
		[]string{at("p/agents"), at("p/absent")})

	for _, yes := range []string{"p/config.toml", "p/agents", "p/agents/dev", "p/agents/turn", "p/agents/none", "p/agents/other", "elsewhere/x/SKILL.md", "p/absent"} {
		if !found.matter(filepath.Dir(at(yes)), filepath.Base(yes)) {
			t.Errorf("%s does not matter", yes)
		}
	}
	for _, no := range []string{"p/result.txt", "p/.al", "elsewhere/y", "elsewhere/x/notes.md", "p"} {
		if found.matter(filepath.Dir(at(no)), filepath.Base(no)) {
			t.Errorf("%s matters", no)
		}
	}
	var dirs []string
	for d := range found {
		dirs = append(dirs, d)
	}
	slices.Sort(dirs)
	if want := []string{at("elsewhere/x"), at("p"), at("p/agents")}; !slices.Equal(dirs, want) {
		t.Errorf("watches %v; want %v", dirs, want)
	}
}
