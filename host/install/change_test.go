package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

func TestAddInstallsAndRecords(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := source(t, "bell", "1.0")
	done, err := add(t, p, first)
	if err != nil || done[0].Outcome != Installed {
		t.Fatalf("%+v, %v", done, err)
	}
	info, err := os.Lstat(p.File("bell"))
	if err != nil || info.Mode().Perm() != 0o755 || !info.Mode().IsRegular() {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(p.Folder); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	if got := state(t, p, "bell"); got != "ok 1.0" {
		t.Errorf("state %q", got)
	}
	if done, err = add(t, p, first); err != nil || done[0].Outcome != Unchanged {
		t.Errorf("again: %+v, %v", done, err)
	}
	// On another machine the lock is there and the file is not.
	if err := os.Remove(p.File("bell")); err != nil {
		t.Fatal(err)
	}
	if got := state(t, p, "bell"); got != "missing 1.0" {
		t.Errorf("state %q", got)
	}
	_, err = add(t, p, source(t, "bell", "1.1"))
	fails(t, err, "names another file of bell 1.0 for "+here())
	if done, err = add(t, p, first); err != nil || done[0].Outcome != Installed {
		t.Errorf("the recorded one: %+v, %v", done, err)
	}
	// The sums of more platforms come to the same version.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "al-provider-bell"), program(t, here(), "1.0"))
	write(t, filepath.Join(dir, "b", "al-provider-bell"), program(t, foreign(), "1.0"))
	if done, err = add(t, p, dir); err != nil || done[0].Outcome != Recorded || len(done[0].After.SHA256) != 2 {
		t.Errorf("more platforms: %+v, %v", done, err)
	}
}

// Where the project is only read, as in an image, what its lock names can be
// installed all the same.
func TestAddWritesNoLockThatIsRight(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := source(t, "bell", "1.0")
	if _, err := add(t, p, first); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(p.LockFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(p.File("bell")); err != nil {
		t.Fatal(err)
	}
	if done, err := add(t, p, first); err != nil || done[0].Outcome != Installed {
		t.Fatalf("%+v, %v", done, err)
	}
	if after, err := os.Stat(p.LockFile); err != nil || !os.SameFile(before, after) {
		t.Errorf("the lock was written again, %v", err)
	}
}

// Several providers come together or not at all.
func TestAddIsAllOrNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if _, err := add(t, p, source(t, "bell", "1.0")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "al-provider-acme"), program(t, "", "1"))
	write(t, filepath.Join(dir, "al-provider-bell"), program(t, here(), "2.0"))
	_, err := add(t, p, dir)
	fails(t, err, "names another file of bell 1.0")
	if types, err := p.Present(); err != nil || !slices.Equal(types, []string{"bell"}) {
		t.Errorf("installed: %v, %v", types, err)
	}
	// Nor is a program by a script of the same version.
	script := write(t, filepath.Join(t.TempDir(), "al-provider-bell"), program(t, "", "1.0"))
	_, err = add(t, p, script)
	fails(t, err, "is as al-plugins.lock names it, and this is another file of the same version")
	// What somebody dropped in is not overwritten either.
	write(t, p.File("acme"), program(t, "", "0"))
	_, err = add(t, p, source(t, "acme", "1"))
	fails(t, err, "which al-plugins.lock does not name; al plugin upgrade PATH replaces it")
}

func TestUpgradeAndRollback(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, err := upgrade(t, p, source(t, "bell", "1.0"))
	fails(t, err, "no bell is installed")
	if _, err := add(t, p, source(t, "bell", "1.0")); err != nil {
		t.Fatal(err)
	}
	rollback := func(version string) error {
		return change(t, p, func(c *Change) error { _, err := c.Rollback("bell", version); return err })
	}
	fails(t, rollback(""), "no earlier bell is kept")
	for _, v := range []string{"1.1", "1.2", "1.3", "1.4"} {
		done, err := upgrade(t, p, source(t, "bell", v))
		if err != nil || done.Outcome != Replaced || !done.Kept {
			t.Fatalf("%s: %+v, %v", v, done, err)
		}
	}
	kept := func() string {
		all, err := p.Kept("bell")
		if err != nil {
			t.Fatal(err)
		}
		var versions []string
		for _, k := range all {
			versions = append(versions, k.Entry.Version)
		}
		return strings.Join(versions, " ")
	}
	if got := kept(); got != "1.3 1.2 1.1" {
		t.Errorf("kept %s", got)
	}
	step := func(version, want string) {
		t.Helper()
		if err := rollback(version); err != nil {
			t.Fatal(err)
		}
		if got := state(t, p, "bell"); got != "ok "+want {
			t.Errorf("after rollback to %q: %s, want %s", version, got, want)
		}
	}
	step("", "1.3")
	step("", "1.4") // and back, for whoever did not mean it
	step("1.2", "1.2")
	fails(t, rollback("0.9"), "no bell 0.9 is kept; there is 1.4, 1.3")
	if types, err := p.KeptTypes(); err != nil || !slices.Equal(types, []string{"bell"}) {
		t.Errorf("kept types: %v, %v", types, err)
	}
	// A kept file that somebody changed is nothing to go back to.
	all, err := p.Kept("bell")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(all[0].dir, sdk.BinaryPrefix+"bell"), program(t, here(), "evil"))
	if got := kept(); strings.Contains(got, all[0].Entry.Version) {
		t.Errorf("kept %s", got)
	}
}

// An upgrade that is taken back leaves what was there, whatever that was.
func TestUndo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	try1 := func(src string, want string) {
		t.Helper()
		before, err := os.ReadFile(p.LockFile)
		if err != nil {
			t.Fatal(err)
		}
		err = change(t, p, func(c *Change) error {
			offers, err := c.Examine(within(t), src, try)
			if err != nil {
				return err
			}
			done, err := c.Upgrade(offers[0])
			if err != nil {
				return err
			}
			return done.Undo()
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := state(t, p, "bell"); got != want {
			t.Errorf("state %q, want %q", got, want)
		}
		if after, err := os.ReadFile(p.LockFile); err != nil || string(after) != string(before) {
			t.Errorf("the lock: %v\n%s", err, after)
		}
	}
	if _, err := add(t, p, source(t, "bell", "1.0")); err != nil {
		t.Fatal(err)
	}
	try1(source(t, "bell", "2.0"), "ok 1.0")
	write(t, p.File("bell"), program(t, here(), "tampered"))
	try1(source(t, "bell", "2.0"), "changed 1.0")
	if raw, err := os.ReadFile(p.File("bell")); err != nil || !strings.Contains(string(raw), "tampered") {
		t.Errorf("another file was put back: %v", err)
	}
	if err := os.Remove(p.File("bell")); err != nil {
		t.Fatal(err)
	}
	try1(source(t, "bell", "2.0"), "missing 1.0")
}

// What is not as recorded is told apart, with a way out.
func TestCheckTellsWhatChanged(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "al-provider-bell"), program(t, here(), "1.0"))
	write(t, filepath.Join(dir, "b", "al-provider-bell"), program(t, foreign(), "1.0"))
	if _, err := add(t, p, dir); err != nil {
		t.Fatal(err)
	}
	approve := func(path string) error {
		return p.Approve(pluginhost.Binary{Type: "bell", Path: path})
	}
	if err := approve(p.File("bell")); err != nil {
		t.Errorf("as recorded: %v", err)
	}
	if err := p.Approve(pluginhost.Binary{Type: "other", Path: "/anywhere/al-provider-other"}); err != nil {
		t.Errorf("not locked: %v", err)
	}
	fails(t, approve("/elsewhere/al-provider-bell"), "/elsewhere/al-provider-bell comes before "+p.File("bell"))

	tampered := program(t, here(), "tampered")
	write(t, p.File("bell"), tampered)
	err := approve(p.File("bell"))
	for _, want := range []string{"is not the file that al-plugins.lock names", sumOf(tampered).String(), "bell 1.0 is " + sumOf(program(t, here(), "1.0")).String(), "al plugin verify --accept bell", "al plugin add PATH"} {
		fails(t, err, want)
	}
	write(t, p.File("bell"), program(t, foreign(), "1.0"))
	fails(t, approve(p.File("bell")), "(the one for "+foreign()+")")

	if err := os.Remove(p.File("bell")); err != nil {
		t.Fatal(err)
	}
	fails(t, approve("/elsewhere/al-provider-bell"), "/elsewhere/al-provider-bell is not started, since al-plugins.lock names bell 1.0, and there is no "+p.File("bell"))
	if err := os.Symlink(filepath.Join(dir, "a", "al-provider-bell"), p.File("bell")); err != nil {
		t.Fatal(err)
	}
	fails(t, approve(p.File("bell")), "is a symbolic link")

	write(t, p.LockFile, []byte("version = 1\n[plugins.bell\n"))
	fails(t, approve(p.File("bell")), "which file may run as bell is not known: al-plugins.lock:2:")
	write(t, p.LockFile, []byte(fmt.Sprintf("version = 1\n[plugins.bell]\nversion='1.0'\nprotocol=1\nsha256={%q='%s'}\n", foreign(), aSum)))
	if err := os.Remove(p.File("bell")); err != nil {
		t.Fatal(err)
	}
	write(t, p.File("bell"), program(t, here(), "1.0"))
	fails(t, approve(p.File("bell")), "has the SHA-256 of bell 1.0 for "+foreign()+", and not for "+here())

	// Its owner can say that it is as it should be.
	err = change(t, p, func(c *Change) error { _, err := c.Accept(within(t), "bell", try); return err })
	if err != nil || state(t, p, "bell") != "ok 1.0" {
		t.Errorf("accepted: %v, %s", err, state(t, p, "bell"))
	}
	// A folder that comes first would be what runs.
	p.Before = []string{t.TempDir()}
	write(t, filepath.Join(p.Before[0], "al-provider-bell"), program(t, here(), "1.0"))
	if got := state(t, p, "bell"); got != "shadowed 1.0" {
		t.Errorf("state %s", got)
	}
	_, err = add(t, p, source(t, "bell", "1.0"))
	fails(t, err, "and would be found instead")
}

// A release is held against the lock for all platforms, and nothing is started.
func TestCompare(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := t.TempDir()
	mine := write(t, filepath.Join(dir, "a", "al-provider-bell"), program(t, here(), "1.0"))
	write(t, filepath.Join(dir, "b", "al-provider-bell"), program(t, foreign(), "1.0"))
	if _, err := add(t, p, mine); err != nil {
		t.Fatal(err)
	}
	compare := func() string {
		programs, err := Read(within(t), dir, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		all, err := p.Compare(programs)
		if err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, c := range all {
			states = append(states, c.Platform+" "+string(c.State))
		}
		slices.Sort(states)
		return strings.Join(states, ", ")
	}
	both := func(one, two string) string {
		states := []string{here() + " " + one, foreign() + " " + two}
		slices.Sort(states)
		return strings.Join(states, ", ")
	}
	if got := compare(); got != both("ok", "not recorded") {
		t.Errorf("half: %s", got)
	}
	if _, err := add(t, p, dir); err != nil {
		t.Fatal(err)
	}
	if got := compare(); got != both("ok", "ok") {
		t.Errorf("all: %s", got)
	}
	write(t, filepath.Join(dir, "b", "al-provider-bell"), program(t, foreign(), "1.0 again"))
	if got := compare(); got != both("ok", "changed") {
		t.Errorf("changed: %s", got)
	}
}

// What others can write to is no place for programs.
func TestBeginRefusesWhatOthersCanWriteTo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if _, err := add(t, p, source(t, "bell", "1.0")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{p.Folder, filepath.Dir(p.Folder)} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		_, err := add(t, p, source(t, "bell", "1.0"))
		fails(t, err, "others can write to "+dir+" (mode -rwxrwxrwx)")
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	other := newPlace(t)
	if err := os.MkdirAll(filepath.Dir(other.Folder), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(p.Folder, other.Folder); err != nil {
		t.Fatal(err)
	}
	_, err := add(t, other, source(t, "bell", "1.0"))
	fails(t, err, "is not a folder")
}

// What a killed command left is neither found nor in the way.
func TestLeftoversGo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	left := write(t, filepath.Join(p.Folder, stagingPrefix+"123", "0", "al-provider-bell"), []byte("half"))
	half := write(t, filepath.Join(filepath.Dir(p.LockFile), lockPrefix+"123"), []byte("version"))
	if types, err := p.Present(); err != nil || len(types) > 0 {
		t.Errorf("found %v, %v", types, err)
	}
	if found, errs := pluginhost.Find([]string{p.Folder}); len(found) > 0 || len(errs) > 0 {
		t.Errorf("found %v, %v", found, errs)
	}
	if _, err := add(t, p, source(t, "bell", "1.0")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{left, half} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left behind: %s, %v", path, err)
		}
	}
	entries, err := os.ReadDir(p.Folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != ".lock" && name != "al-provider-bell" {
			t.Errorf("a change left %s", name)
		}
	}
}

// Commands at the same time do not lose what the others recorded.
func TestChangesWaitForEachOther(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var all sync.WaitGroup
	for i := range 8 {
		typ := fmt.Sprintf("bell-%d", i)
		path := source(t, typ, "1")
		all.Go(func() {
			if _, err := add(t, p, path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if checked, err := p.Check(); err != nil || len(checked) != 8 {
		t.Errorf("%d of 8 are recorded, %v", len(checked), err)
	}
	c, err := p.Begin(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.End() }()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, typ := range []string{"", "../..", "a/../../..", "A"} {
		fails(t, change(t, p, func(c *Change) error { _, err := c.Remove(typ); return err }), "is no type of a provider")
		fails(t, change(t, p, func(c *Change) error { _, err := c.Rollback(typ, ""); return err }), "is no type of a provider")
	}
	if _, err := add(t, p, source(t, "bell", "1.0")); err != nil {
		t.Fatal(err)
	}
	if _, err := upgrade(t, p, source(t, "bell", "1.1")); err != nil {
		t.Fatal(err)
	}
	remove := func() (was bool) {
		err := change(t, p, func(c *Change) (err error) { was, err = c.Remove("bell"); return err })
		if err != nil {
			t.Fatal(err)
		}
		return was
	}
	if !remove() || remove() {
		t.Error("whether it was there")
	}
	if got := state(t, p, "bell"); got != "not locked" {
		t.Errorf("state %s", got)
	}
	if kept, err := p.KeptTypes(); err != nil || len(kept) > 0 {
		t.Errorf("kept %v, %v", kept, err)
	}
}
