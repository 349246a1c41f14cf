package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/handover"
)

func ids(t *testing.T, project string) string {
	t.Helper()
	living, err := gatewaysOf(project)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, in := range living {
		out = append(out, in.ID)
	}
	return strings.Join(out, " ")
}

// A gateway is one of its project's from its registration to its end, whatever
// that end is.
func TestGatewaysOfAProject(t *testing.T) {
	t.Parallel()
	project := t.TempDir()
	if got := ids(t, project); got != "" {
		t.Errorf("before the first: %q", got)
	}
	now := time.Now()
	var socket string
	begin := func(id string, started time.Time) func() error {
		t.Helper()
		var err error
		if socket, err = socketFile(project, id); err != nil {
			t.Fatal(err)
		}
		l, err := handover.Listen(socket)
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false) // as a kill leaves it
		_ = l.Close()
		release, err := register(project, Instance{ID: id, PID: 1, StartedAt: started, Socket: socket})
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	releaseB := begin("b", now)
	releaseA := begin("a", now.Add(-time.Hour))
	if got := ids(t, project); got != "a b" {
		t.Errorf("both live: %q", got)
	}
	if err := releaseB(); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, project); got != "a" {
		t.Errorf("one has left: %q", got)
	}
	// A kill takes the lock and leaves the files.
	file := filepath.Join(gatewaysDir(project), "a.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := releaseA(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	draft := filepath.Join(gatewaysDir(project), "c.json"+draftExt)
	if err := os.WriteFile(draft, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(draft, now, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, project); got != "" {
		t.Errorf("both are gone: %q", got)
	}
	if err := sweepGateways(project); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket of a killed one is there: %v", err)
	}
	left, err := os.ReadDir(gatewaysDir(project))
	if err != nil || len(left) != 1 || left[0].Name() != "b.sock" { // of the one that left: its owner removes it
		t.Errorf("after the sweep: %v, %v", left, err)
	}
}

// The socket is found a place where its path fits, and what a file names is
// removed only if it is such a place.
func TestSocketFile(t *testing.T) {
	t.Parallel()
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", maxSocketPath))
	path, err := socketFile(deep, "abcdefgh")
	if err != nil {
		t.Fatal(err)
	}
	if len(path) > maxSocketPath {
		t.Errorf("%s has %d bytes", path, len(path))
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder: %v, %v", info, err)
	}
	if err := removeSocket(Instance{ID: "abcdefgh", Socket: path}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("its folder is there: %v", err)
	}

	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, in := range []Instance{{ID: "x", Socket: precious}, {Socket: precious}, {ID: "x"}, {ID: "", Socket: filepath.Join(precious, ".sock")}} {
		if err := removeSocket(in); err != nil {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}
