package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// stranger opens the file the way another process would.
func stranger(t *testing.T, path string) *conn {
	t.Helper()
	c, err := dial(path, sqlite3.OPEN_READWRITE, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close() })
	return c
}

func execute(t *testing.T, c *conn, sql string) {
	t.Helper()
	if err := c.Exec(sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func closeStore(tb testing.TB, s interface{ Close() error }) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    []string
	}{
		{
			"a schema from the future",
			func(t *testing.T, path string) {
				closeStore(t, openStore(t, path, Options{}))
				c := stranger(t, path)
				execute(t, c, "PRAGMA user_version = 999")
				if err := c.close(); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"schema version 999", "newer al", "move the file away"},
		},
		{
			"what is no database",
			func(t *testing.T, path string) {
				if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"no SQLite database", "restore a backup"},
		},
		{
			"a folder in its place",
			func(t *testing.T, path string) {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"directory"},
		},
		{
			"a file that another process has locked",
			func(t *testing.T, path string) {
				if err := createFiles(path); err != nil {
					t.Fatal(err)
				}
				execute(t, stranger(t, path), "BEGIN EXCLUSIVE; CREATE TABLE x (y)")
			},
			[]string{"another process holds its lock"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "al.db")
			c.prepare(t, path)
			s, err := Open(context.Background(), path, Options{})
			if err == nil {
				closeStore(t, s)
				t.Fatal("opened")
			}
			for _, want := range append(c.want, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

// A failed Open must not leave a goroutine or a lock behind: goleak looks for
// the one, this for the other.
func TestOpenAfterRefusal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "al.db")
	closeStore(t, openStore(t, path, Options{}))
	c := stranger(t, path)
	execute(t, c, "PRAGMA user_version = 999")
	if _, err := Open(context.Background(), path, Options{}); err == nil {
		t.Fatal("opened")
	}
	names, err := migrationNames()
	if err != nil {
		t.Fatal(err)
	}
	execute(t, c, fmt.Sprintf("PRAGMA user_version = %d", len(names)))
	closeStore(t, openStore(t, path, Options{}))
}

// A file of the first al keeps what is in it, waiting and running jobs above
// all.
func TestOpenBringsAnOldFileUpToDate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "al.db")
	if err := createFiles(path); err != nil {
		t.Fatal(err)
	}
	first, err := migrations.ReadFile("migrations/0001_init.sql")
	if err != nil {
		t.Fatal(err)
	}
	old := stranger(t, path)
	execute(t, old, string(first)+`; PRAGMA user_version = 1;
		INSERT INTO queues VALUES ('dev', 2, 10, 1, 1, 3, 2);
		UPDATE totals SET running = 1, last_job = 2;
		INSERT INTO jobs VALUES (1, 'dev', 'webhook', '', 'one', 'fake', 'issues', 'd1', 'k1', 'running', 1, 0, 1, NULL, '', '', 0, x'7b7d');
		INSERT INTO jobs VALUES (2, 'dev', 'webhook', '', 'one', 'fake', 'issues', 'd2', 'k2', 'waiting', 0, 0, 2, NULL, '', '', 0, x'7b7d');
		INSERT INTO runs VALUES ('r1', 1, 'dev', 'webhook', 1, 'host', 1, NULL, 'running', 0, '', 9);`)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, path, Options{})
	defer closeStore(t, s)
	again, err := s.Accept(ctx, store.Acceptance{Jobs: []store.NewJob{{Agent: "dev", Source: "one", Key: "k2"}}, At: noon})
	if err != nil || again.Verdicts[0] != store.Duplicate || again.IDs[0] != 2 {
		t.Errorf("a repeat of a waiting job: %+v, %v", again, err)
	}
	if err := s.Finish(ctx, store.Finish{Run: "r1", State: job.Done, At: noon}); err != nil {
		t.Errorf("finish a run that was under way: %v", err)
	}
	c, err := s.Claim(ctx, store.Claim{Run: "r2", At: noon, Until: noon})
	if err != nil || c == nil || c.Job.ID != 2 || string(c.Job.Context) != "{}" {
		t.Errorf("claimed %+v, %v; want job 2", c, err)
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "project", ".al")
	s := openStore(t, filepath.Join(dir, "al.db"), Options{})
	defer closeStore(t, s)
	mustAccept(t, s, "dev", "key")
	for name, want := range map[string]fs.FileMode{
		"": 0o700, "al.db": 0o600, "al.db-wal": 0o600, "al.db-shm": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Join(".al", name), got, want)
		}
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestOpenReadOnly(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "al.db")

	_, err := OpenReadOnly(path)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Fatalf("error without a file is %v", err)
	}
	if got := files(t, dir); len(got) != 0 {
		t.Fatalf("looking at nothing created %v", got)
	}

	s := openStore(t, path, Options{})
	mustAccept(t, s, "dev", "one")
	r, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, r)
	waiting := func(when string, want int) {
		t.Helper()
		queues, err := r.Queues(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(queues) != 1 || queues[0].Waiting != want {
			t.Fatalf("queues %s: %+v, want %d waiting", when, queues, want)
		}
	}
	waiting("while the gateway runs", 1)
	mustAccept(t, s, "dev", "two")
	waiting("after more came", 2)

	closeStore(t, s)
	waiting("after the gateway has stopped", 2)
	if got := fmt.Sprint(files(t, dir)); got != "[al.db]" {
		t.Fatalf("looking left %v", got)
	}

	s = openStore(t, path, Options{})
	mustAccept(t, s, "dev", "three")
	waiting("when another gateway runs", 3)
	closeStore(t, s)
}

func TestReadersDoNotHoldUpTheWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "al.db")
	s := openStore(t, path, Options{})
	defer closeStore(t, s)
	mustAccept(t, s, "dev", "one")
	err := s.read(context.Background(), func(c *conn) error {
		q := c.prepare("SELECT id FROM jobs")
		if !q.next() {
			t.Error("no job")
		}
		mustAccept(t, s, "dev", "two") // with a read transaction open
		return q.Reset()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mustAccept(tb testing.TB, s *Store, agent, key string) store.Accepted {
	tb.Helper()
	a, err := accept(s, agent, key)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}
