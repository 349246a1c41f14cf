package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// takeover upgrades the gateway while senders send: those that open a connection
// for each delivery and those that keep theirs. Whoever is refused, cut off or
// answered anything but 200 counts.
func takeover(ctx context.Context, o options, t *table) error {
	g, err := launch(ctx, o, project{agents: 1, command: `["sleep", "0.05"]`}, false)
	if err != nil {
		return err
	}
	defer func() { g.stop() }()
	before, err := g.upgrade(ctx, o, nil)
	if err != nil {
		return err
	}
	var took []time.Duration
	s := startSenders(ctx, g.address(), o.clients)
	for range 2 * o.rounds {
		d, err := g.upgrade(ctx, o, before)
		if err != nil {
			return errors.Join(err, s.end())
		}
		took = append(took, d.took)
		before = d
	}
	if err := s.end(); err != nil {
		return err
	}
	_ = before.left.Wait()
	slices.Sort(took)
	slices.Sort(s.latencies)
	n := len(s.latencies)
	t.add(fmt.Sprintf("%d upgrades under load", len(took)),
		fmt.Sprintf("%d deliveries", n), fmt.Sprintf("%d refused or not 200", s.faults),
		fmt.Sprintf("p50 %s  p99 %s  max %s", ms(s.latencies[n/2]), ms(s.latencies[n*99/100]), ms(s.latencies[n-1])),
		fmt.Sprintf("from exec to serving %s", ms(took[len(took)/2])))
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// upgraded is the gateway that took over, and the one before it.
type upgraded struct {
	took time.Duration
	left *exec.Cmd
}

// upgrade has another process take over. It waits until the one before the last
// has left, so that there are never more than two.
func (g *gateway) upgrade(ctx context.Context, o options, before *upgraded) (*upgraded, error) {
	if before != nil {
		_ = before.left.Wait() // its runs are short, and its connections in use
	}
	out := &upgraded{left: g.cmd}
	next := exec.Command(filepath.Join(absolute(o.bin), "al"), "start", "-p", g.dir, "--port", "0", "--log-level", "error", "--takeover")
	next.Env = append(os.Environ(), "AL_CREDENTIALS_DIR="+filepath.Join(g.root, "credentials"))
	next.Stderr = os.Stderr // errors alone; the log is that of the one before
	next.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := next.Start(); err != nil {
		return nil, err
	}
	g.cmd, g.pid = next, 0
	if err := g.waitReady(ctx); err != nil {
		return nil, err
	}
	out.took = time.Since(began)
	return out, nil
}

// senders send until they are told to stop, and go on after a fault.
type senders struct {
	cancel  context.CancelFunc
	working sync.WaitGroup

	mu        sync.Mutex
	latencies []time.Duration
	faults    int
}

func startSenders(ctx context.Context, address string, clients int) *senders {
	ctx, cancel := context.WithCancel(ctx)
	s := &senders{cancel: cancel}
	for n := range clients {
		s.working.Go(func() {
			for ctx.Err() == nil {
				sent := 0
				latencies, err := send(ctx, address, githubRequests(address), func() bool {
					sent++
					return ctx.Err() == nil && (n%2 == 0 || sent == 1) // half of them keep their connection
				})
				if errors.Is(err, errClosed) {
					err = nil // with an answer: the next one is sent on another connection
				}
				s.mu.Lock()
				s.latencies = append(s.latencies, latencies...)
				if err != nil && ctx.Err() == nil {
					s.faults++
					fmt.Fprintln(os.Stderr, "bench: a fault:", err)
				}
				s.mu.Unlock()
			}
		})
	}
	return s
}

func (s *senders) end() error {
	s.cancel()
	s.working.Wait()
	if len(s.latencies) == 0 {
		return errors.New("nothing was sent")
	}
	return nil
}
