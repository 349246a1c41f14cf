// Package pgtest gives tests a PostgreSQL server, and each of them a schema of
// its own on it. The server is that of AL_TEST_POSTGRES_URL, or one that is made
// in a temporary folder with what is installed on the machine. It knows nothing
// of what is stored there.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Env names a server to use instead of one that is made. Its user has to be
// allowed to create schemas.
const Env = "AL_TEST_POSTGRES_URL"

// startWithin is far above what a server takes on a slow machine.
const startWithin = time.Minute

// Server is a PostgreSQL server for the tests of a package.
type Server struct {
	url string
	why error // there is none

	schemas atomic.Int64
	last    atomic.Pointer[string]
	cluster *cluster
}

// Start finds or makes a server, for a TestMain. Where there is none, each test
// that asks for a schema is skipped, and says why.
func Start() *Server {
	s := &Server{}
	if s.url = os.Getenv(Env); s.url != "" {
		return s
	}
	bin, err := binaries()
	if err != nil {
		s.why = err
		return s
	}
	if s.cluster, err = newCluster(bin); err == nil {
		err = s.cluster.Start()
	}
	if err != nil {
		s.why = err
		s.Stop()
		return s
	}
	s.url = s.cluster.url()
	return s
}

// Stop ends a server that was made here.
func (s *Server) Stop() {
	if s.cluster != nil {
		s.cluster.remove()
	}
	s.cluster = nil
}

// Why says why there is no server, if there is none.
func (s *Server) Why() error { return s.why }

// URL returns the URL of a schema that is new, and gone when the test ends.
func (s *Server) URL(t testing.TB) string {
	t.Helper()
	if s.why != nil {
		t.Skipf("no PostgreSQL to test with: %v; install it, or set %s", s.why, Env)
	}
	out, drop, err := s.Schema()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	s.last.Store(&out)
	return out
}

// Schema makes one, and returns its URL and what drops it.
func (s *Server) Schema() (address string, drop func() error, err error) {
	name := fmt.Sprintf("al_test_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), s.schemas.Add(1))
	u, err := url.Parse(s.url)
	if err != nil {
		return "", nil, fmt.Errorf("%s is no URL", Env)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String(), func() error { return s.exec("DROP SCHEMA IF EXISTS " + name + " CASCADE") }, s.exec("CREATE SCHEMA " + name)
}

// URLAgain returns the URL that URL returned last.
func (s *Server) URLAgain(t testing.TB) string {
	t.Helper()
	last := s.last.Load()
	if last == nil {
		t.Fatal("no URL was asked for yet")
	}
	return *last
}

// exec is for a server that may have been restarted by a test.
func (s *Server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	c, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return fmt.Errorf("connect to the PostgreSQL for tests: %w", err)
	}
	_, err = c.Exec(ctx, sql)
	return errors.Join(err, c.Close(ctx))
}

// binaries finds the folder with initdb: the newest of Debian's, which are not
// in the PATH, or the one that is.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is right
	if len(found) > 0 {
		version := func(path string) int {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
			return n
		}
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("initdb is not installed")
	}
	return filepath.Dir(path), nil
}

// cluster is a server in a temporary folder, which only this machine reaches.
type cluster struct {
	bin, dir string
	as       *syscall.Credential // PostgreSQL refuses to run as root
	server   *exec.Cmd
	ended    chan error
}

func newCluster(bin string) (*cluster, error) {
	// The path of its socket has to be short.
	dir, err := os.MkdirTemp("", "alpg")
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin, dir: dir}
	if os.Geteuid() == 0 {
		if c.as, err = unprivileged(); err != nil {
			return c, err
		}
		if err := os.Chown(dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return c, err
		}
	}
	init := c.command("initdb", "-D", c.data(), "--username=al", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return c, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return c, nil
}

func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("there is no user postgres or nobody to run it as, and PostgreSQL refuses to run as root")
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) url() string {
	u := url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: url.Values{"host": {c.dir}, "user": {"al"}}.Encode()}
	return u.String()
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...) //nolint:noctx // ends with the tests, or by Stop
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.as}
	return cmd
}

// Start starts the server and waits until it answers. What it writes need not
// outlive the machine.
func (c *cluster) Start() error {
	var out bytes.Buffer
	c.server = c.command("postgres", "-D", c.data(), "-k", c.dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=400", "-c", "shared_buffers=64MB",
		"-c", "max_wal_size=256MB", "-c", "log_min_messages=fatal", "-c", "restart_after_crash=on")
	c.server.Stdout, c.server.Stderr = &out, &out
	if err := c.server.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.server.Wait() }()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.url())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case end := <-c.ended:
			c.server = nil
			return fmt.Errorf("postgres ended: %w: %s", end, bytes.TrimSpace(out.Bytes()))
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-again.C:
		}
	}
}

// stop ends the server: as a crash does with SIGQUIT, in order with SIGINT.
func (c *cluster) stop(how syscall.Signal) error {
	if c.server == nil {
		return nil
	}
	err := c.server.Process.Signal(how)
	if err == nil {
		<-c.ended
	}
	c.server = nil
	return err
}

func (c *cluster) remove() {
	_ = c.stop(syscall.SIGQUIT) // its folder goes, too
	_ = os.RemoveAll(c.dir)
}

// Restart ends a server that was made here, in the middle of whatever it does,
// and starts it again after what is to happen in between.
func (s *Server) Restart(t testing.TB, between func()) {
	t.Helper()
	if s.cluster == nil {
		t.Skip("the server of " + Env + " is not ours to restart")
	}
	if err := s.cluster.stop(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	between()
	if err := s.cluster.Start(); err != nil {
		t.Fatal(err)
	}
}
