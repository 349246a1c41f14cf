package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a server in a temporary folder, which only this machine reaches,
// for a test that treats it badly.
type Cluster struct {
	bin, dir string
	port     int                 // of TCP on the loopback; 0 for none
	as       *syscall.Credential // PostgreSQL refuses to run as root
	server   *exec.Cmd
	ended    chan error
}

// NewCluster makes the folder of a server that also listens on a port of the
// loopback, if it is not 0. Whoever makes it removes it, also after an error.
func NewCluster(port int) (*Cluster, error) {
	c := &Cluster{port: port}
	var err error
	if c.bin, err = binaries(); err != nil {
		return c, err
	}
	// The path of its socket has to be short.
	if c.dir, err = os.MkdirTemp("", "alpg"); err != nil {
		return c, err
	}
	if os.Geteuid() == 0 {
		if c.as, err = unprivileged(); err != nil {
			return c, err
		}
		if err := os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return c, err
		}
	}
	init := c.command("initdb", "-D", c.data(), "--username=al", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return c, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return c, nil
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

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// URL is that of its socket.
func (c *Cluster) URL() string {
	u := url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: url.Values{"host": {c.dir}, "user": {"al"}, "port": {c.portName()}}.Encode()}
	return u.String()
}

// portName is never empty: the socket's file has it in its name.
func (c *Cluster) portName() string {
	if c.port == 0 {
		return "5432"
	}
	return strconv.Itoa(c.port)
}

// Address is where it listens on the loopback.
func (c *Cluster) Address() string { return net.JoinHostPort("127.0.0.1", c.portName()) }

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.as}
	return cmd
}

// Start starts the server, with further settings ("name=value"), and waits until
// it answers. What it writes need not outlive the machine.
func (c *Cluster) Start(settings ...string) error {
	listen := ""
	if c.port != 0 {
		listen = "127.0.0.1"
	}
	args := []string{"-D", c.data(), "-k", c.dir, "-p", c.portName()}
	for _, s := range append([]string{
		"listen_addresses=" + listen, "fsync=off", "full_page_writes=off", "max_connections=400", "shared_buffers=64MB",
		"max_wal_size=256MB", "log_min_messages=fatal", "restart_after_crash=on",
	}, settings...) {
		args = append(args, "-c", s)
	}
	var out bytes.Buffer
	c.server = c.command("postgres", args...)
	c.server.Stdout, c.server.Stderr = &out, &out
	if err := c.server.Start(); err != nil {
		c.server = nil
		return fmt.Errorf("start postgres: %w", err)
	}
	c.ended = make(chan error, 1)
	go func(server *exec.Cmd, ended chan<- error) { ended <- server.Wait() }(c.server, c.ended)
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.URL())
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

// Processes lists those of the server, the first of them that which started the
// others.
func (c *Cluster) Processes() []int {
	if c.server == nil {
		return nil
	}
	all := []int{c.server.Process.Pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[0])) // the pattern is right
	for _, list := range lists {
		raw, err := os.ReadFile(filepath.Clean(list))
		if err != nil {
			continue // it is gone
		}
		for _, text := range strings.Fields(string(raw)) {
			if pid, err := strconv.Atoi(text); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// Signal sends a signal to all processes of the server.
func (c *Cluster) Signal(s syscall.Signal) {
	for _, pid := range c.Processes() {
		_ = syscall.Kill(pid, s) // it may be gone
	}
}

// Stop ends the server: as a crash does with SIGQUIT or SIGKILL, in order with
// SIGINT.
func (c *Cluster) Stop(how syscall.Signal) error {
	if c.server == nil {
		return nil
	}
	rest := c.Processes()[1:]
	c.Signal(syscall.SIGCONT) // else it would not hear of it
	err := c.server.Process.Signal(how)
	if err == nil {
		<-c.ended //nolint:errcheck // how it ended is known: by our signal
	}
	if how == syscall.SIGKILL { // nobody is left to end them
		for _, pid := range rest {
			_ = syscall.Kill(pid, how) // it may be gone
		}
	}
	c.server = nil
	return err
}

// Remove ends the server and removes its folder.
func (c *Cluster) Remove() {
	_ = c.Stop(syscall.SIGQUIT) // its folder goes, too
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}
