//go:build e2e

package e2e

import (
	"math/rand/v2"
	"strings"
	"time"
)

// takeover is a round in which another gateway takes over from the one that
// runs, under load; or would, if one of the two or both were not killed first.
func (c *crashTest) takeover() {
	c.start()
	old := c.now
	c.takeovers++
	c.under(func() {
		pauseFor(c.t.Context(), rand.N(100*time.Millisecond))
		next := c.project.launch("--takeover")
		c.marks.newHost(next.cmd.Process.Pid)
		killOld, killNext := rand.IntN(3) == 0, rand.IntN(3) == 0
		if killOld || killNext {
			pauseFor(c.t.Context(), rand.N(400*time.Millisecond))
		}
		if killOld {
			c.killOne(old)
		}
		if killNext {
			c.killOne(next)
		}
		switch {
		case killOld && killNext:
			c.now = nil
		case killOld:
			// Whether it was far enough to go on alone depends on the moment.
			awaitUnless(next, "the next one is ready, or has given up", func() bool { return isReady(next) })
			c.now = alive(next)
		case killNext:
			// The other one goes on, unless it had handed over by then.
			await(c.t, "the one before goes on, or leaves", func() bool { return settled(old) }, old.log.String)
			if c.now = old; strings.Contains(old.log.String(), "handed over; ") {
				c.awaitLeft(old)
				c.now = nil
			}
		default:
			next.await("the next one is ready", func() bool { return isReady(next) })
			c.awaitLeft(old)
			c.now = next
			c.handed++
		}
		pauseFor(c.t.Context(), rand.N(200*time.Millisecond))
	})
	if c.now == nil {
		return
	}
	c.checkRecord()
	// It is no worse than any other.
	if a := c.now.mustSend(issueFor("after the takeover", "plain")); a.code != 200 {
		c.t.Errorf("after the takeover it answers %d %s\n%s", a.code, a.text, c.now.log)
	}
	c.kill()
}

func (c *crashTest) killOne(g *gateway) {
	c.kills++
	c.marks.dying(g.cmd.Process.Pid)
	g.kill()
}

// awaitLeft waits for a gateway that has handed over. It waits for those that
// are connected to it.
func (c *crashTest) awaitLeft(g *gateway) {
	await(c.t, "the one before has left", func() bool {
		httpClient.CloseIdleConnections()
		return alive(g) == nil
	}, g.log.String)
	c.marks.dying(g.cmd.Process.Pid)
	if code := g.cmd.ProcessState.ExitCode(); code != 0 {
		c.t.Errorf("the gateway that handed over left with %d\n%s", code, g.log)
	}
	if text := g.log.String(); crashFaults.MatchString(text) {
		c.t.Errorf("the gateway's log:\n%s", text)
	}
}

// isReady says whether the gateway is the one of its project, and ready.
func isReady(g *gateway) bool {
	if g.url = g.address(); g.url == "" {
		return false
	}
	return g.get("/ready") == 200
}

// settled says whether a gateway is in the middle of no takeover.
func settled(g *gateway) bool {
	text := g.log.String()
	return alive(g) == nil || strings.Contains(text, "handed over; ") ||
		strings.Count(text, "another al is taking over") == strings.Count(text, "this gateway goes on")
}

func alive(g *gateway) *gateway {
	select {
	case <-g.exited:
		return nil
	default:
		return g
	}
}

// awaitUnless waits for a fact, or for the end of the gateway.
func awaitUnless(g *gateway, what string, fact func() bool) {
	g.t.Helper()
	await(g.t, what, func() bool { return alive(g) == nil || fact() }, g.log.String)
}

func issueFor(id, label string) delivery { return crashIssue(id, 1, []string{label}) }
