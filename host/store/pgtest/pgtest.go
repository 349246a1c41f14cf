// Package pgtest gives tests a PostgreSQL server, and each of them a schema of
// its own on it. The server is that of AL_TEST_POSTGRES_URL, or one that is made
// in a temporary folder with what is installed on the machine. It knows nothing
// of what is stored there.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Env names a server to use instead of one that is made. Its user has to be
// allowed to create schemas.
const Env = "AL_TEST_POSTGRES_URL"

// NeedEnv, when it is set, makes the lack of a server a failure: where one is
// installed for the tests, none of them is to be passed over in silence.
const NeedEnv = "AL_NEED_POSTGRES"

// Skip passes over a test for which there is no server, and says why.
func Skip(t testing.TB, why error) {
	t.Helper()
	if os.Getenv(NeedEnv) != "" {
		t.Fatalf("no PostgreSQL to test with: %v; %s says that there has to be one", why, NeedEnv)
	}
	t.Skipf("no PostgreSQL to test with: %v; install it, or set %s", why, Env)
}

// startWithin is far above what a server takes on a slow machine.
const startWithin = time.Minute

// Server is a PostgreSQL server for the tests of a package.
type Server struct {
	url string
	why error // there is none

	schemas atomic.Int64
	last    atomic.Pointer[string]
	cluster *Cluster
}

// Start finds or makes a server, for a TestMain. Where there is none, each test
// that asks for a schema is skipped, and says why.
func Start() *Server {
	s := &Server{}
	if s.url = os.Getenv(Env); s.url != "" {
		return s
	}
	var err error
	if s.cluster, err = NewCluster(0); err == nil {
		err = s.cluster.Start()
	}
	if err != nil {
		s.why = err
		s.Stop()
		return s
	}
	s.url = s.cluster.URL()
	return s
}

// Stop ends a server that was made here.
func (s *Server) Stop() {
	if s.cluster != nil {
		s.cluster.Remove()
	}
	s.cluster = nil
}

// Why says why there is no server, if there is none.
func (s *Server) Why() error { return s.why }

// URL returns the URL of a schema that is new, and gone when the test ends.
func (s *Server) URL(t testing.TB) string {
	t.Helper()
	if s.why != nil {
		Skip(t, s.why)
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

// Restart ends a server that was made here, in the middle of whatever it does,
// and starts it again after what is to happen in between.
func (s *Server) Restart(t testing.TB, between func()) {
	t.Helper()
	if s.cluster == nil {
		t.Skip("the server of " + Env + " is not ours to restart")
	}
	if err := s.cluster.Stop(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	between()
	if err := s.cluster.Start(); err != nil {
		t.Fatal(err)
	}
}
