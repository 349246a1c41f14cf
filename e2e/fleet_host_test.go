//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/store/pgtest"
)

// fleetHost is one of several hosts: a project folder of its own, as on a machine
// of its own, and its way to the database.
type fleetHost struct {
	*project
	name string
	wire *wire
	now  *gateway // nil while it is down
}

// newFleetDatabase starts a server for hosts to share, or skips the test where
// there is none to start: one that is not ours can not be treated like this.
func newFleetDatabase(t *testing.T) *pgtest.Cluster {
	t.Helper()
	c, err := pgtest.NewCluster(freePort(t))
	t.Cleanup(c.Remove)
	if err != nil {
		pgtest.Skip(t, err)
	}
	if err := c.Start(fleetSettings...); err != nil {
		t.Fatal(err)
	}
	return c
}

// fleetSettings leave room for what three hosts hold (nine connections each, and
// for a while those of hosts that were killed), and not for much more.
var fleetSettings = []string{"max_connections=100", "tcp_keepalives_idle=5", "deadlock_timeout=200ms"}

func freePort(t *testing.T) int {
	t.Helper()
	w := newWire(t, "")
	_, text, ok := strings.Cut(w.address, ":")
	port, err := strconv.Atoi(text)
	if !ok || err != nil {
		t.Fatal(w.address)
	}
	w.cut()
	return port
}

func newFleetHost(t *testing.T, name string, db *pgtest.Cluster, files map[string]string) *fleetHost {
	t.Helper()
	h := &fleetHost{project: newProject(t, files), name: name, wire: newWire(t, db.Address())}
	h.env = append(h.env, "AL_STORE_URL="+(&url.URL{
		Scheme: "postgres", Host: h.wire.address, User: url.User("al"), Path: "/postgres", RawQuery: "sslmode=disable",
	}).String())
	t.Cleanup(func() {
		if h.now != nil {
			h.signal(syscall.SIGCONT)
			h.now.kill()
		}
	})
	return h
}

// up starts the host, again whenever it gives up, as a service manager does.
func (h *fleetHost) up(launched func(*gateway)) {
	for deadline := time.Now().Add(2 * patience); ; {
		g := h.launch()
		h.now = g
		launched(g)
		for alive(g) != nil {
			if isReady(g) {
				return
			}
			if time.Now().After(deadline) {
				h.t.Errorf("host %s does not become ready\n%s", h.name, tail(g))
				return
			}
			pauseFor(h.t.Context(), 20*time.Millisecond)
		}
		if time.Now().After(deadline) {
			h.t.Errorf("host %s does not start\n%s", h.name, tail(g))
			return
		}
		pauseFor(h.t.Context(), 200*time.Millisecond)
	}
}

// tail is the end of a log, of which there may be much.
func tail(g *gateway) string {
	text := g.log.String()
	return text[max(0, len(text)-8000):]
}

// signal reaches the host's gateway and all that it has started.
func (h *fleetHost) signal(s syscall.Signal) {
	for _, pid := range descendants(h.now.cmd.Process.Pid) {
		_ = syscall.Kill(pid, s) // it may be gone
	}
}

// freeze stops the gateway, and with it all that it has started or nothing of it.
func (h *fleetHost) freeze(all bool) {
	_ = h.now.cmd.Process.Signal(syscall.SIGSTOP)
	await(h.t, "the gateway is stopped", func() bool {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.now.cmd.Process.Pid))
		return err != nil || strings.Contains(string(raw), ") T ")
	}, h.now.log.String)
	if all { // nothing is started any more, but by what is stopped now
		for stopped := 0; ; {
			h.signal(syscall.SIGSTOP)
			now := len(descendants(h.now.cmd.Process.Pid))
			if now == stopped {
				return
			}
			stopped = now
		}
	}
}

// descendants lists a process and all below it.
func descendants(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i])) // the pattern is right
		for _, list := range lists {
			raw, _ := os.ReadFile(list) // it may be gone
			for _, text := range strings.Fields(string(raw)) {
				if child, err := strconv.Atoi(text); err == nil && !slices.Contains(all, child) {
					all = append(all, child)
				}
			}
		}
	}
	return all
}
