package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/handover"
)

// serving is a gateway that runs, and how it ended.
type serving struct {
	*app.App
	stop  context.CancelFunc
	ended chan error
}

func serve(t *testing.T, o app.Options) *serving {
	t.Helper()
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &serving{App: a, stop: stop, ended: make(chan error, 1)}
	go func() { s.ended <- a.Run(ctx) }()
	return s
}

// gone waits for the end of a gateway.
func (s *serving) gone(t *testing.T) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections() // it waits for those that are connected
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it never ended")
	}
}

// One gateway takes over from another while it runs something, and that one from
// a third; each has its own configuration.
func TestTakeover(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("run", func(t *testing.T) {
		o := options(t, manual, within{})
		wait := waiter(t, o)
		rewrite(t, o, "agents/dev/config.toml", "scale = 2\n[[webhooks]]\nsource = \"home\"\n"+wait)
		o.Project, _ = o.Project.Files.Load()
		o.Takeover = true
		first := serve(t, o)
		c := client(t, first.App, o)
		ring(t, first.App, "1")
		running := func(n int, previous ...int) {
			t.Helper()
			await(t, fmt.Sprintf("%d runs, of those before %v", n, previous), func() (api.Status, error) { return c.Status(t.Context()) },
				func(s api.Status) bool {
					if len(s.Previous) != len(previous) {
						return false
					}
					for i, runs := range previous {
						if s.Previous[i].Runs != runs {
							return false
						}
					}
					return s.Agents[0].Running == n
				})
		}
		running(1)

		rewrite(t, o, "agents/dev/config.toml", "scale = 3\n[[webhooks]]\nsource = \"home\"\n"+wait)
		o.Project, _ = o.Project.Files.Load()
		second := serve(t, o)
		if second.URL() != first.URL() {
			t.Errorf("the port moved from %s to %s", first.URL(), second.URL())
		}
		running(1, 1)
		ring(t, second.App, "2")
		ring(t, second.App, "1") // a repeat of what the first one runs
		running(2, 1)
		third := serve(t, o)
		running(2, 1, 1)
		ring(t, third.App, "3")
		ring(t, third.App, "4")
		running(3, 1, 1) // the scale holds over all three
		if dev, _ := agentOf(t, c, "dev"); dev.Waiting != 1 {
			t.Errorf("beyond the scale: %+v", dev)
		}
		if _, err := first.Reload(t.Context()); err == nil {
			t.Error("a gateway that has handed over takes up another configuration")
		}
		rewrite(t, o, "go", "")
		first.gone(t)
		second.gone(t)
		await(t, "all is done", func() (api.AgentStatus, error) { a, _ := agentOf(t, c, "dev"); return a, nil },
			func(a api.AgentStatus) bool { return a.Running+a.Waiting == 0 })
		running(0)
		runs, err := c.Runs(t.Context(), api.RunsQuery{Agent: "dev"})
		if err != nil || len(runs) != 4 {
			t.Errorf("%d runs of 4 events, %v", len(runs), err)
		}
		third.stop()
		third.gone(t)
		if left, err := os.ReadDir(filepath.Join(o.Project.Dir, ".al", "gateways")); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// Stopping the one that serves stops those before it.
func TestTakeoverAndStop(t *testing.T) {
	t.Parallel()
	o := options(t, manual, within{})
	rewrite(t, o, "agents/dev/config.toml", "[[webhooks]]\nsource = \"home\"\n"+waiter(t, o))
	o.Project, _ = o.Project.Files.Load()
	o.Takeover = true
	first := serve(t, o)
	c := client(t, first.App, o)
	ring(t, first.App, "1")
	await(t, "the run", func() (api.AgentStatus, error) { a, _ := agentOf(t, c, "dev"); return a, nil },
		func(a api.AgentStatus) bool { return a.Running == 1 })
	second := serve(t, o)
	second.RequestStop(true)
	second.gone(t)
	first.gone(t)
	// A process that another test is starting has a copy of the lock until it is another program.
	await(t, "nobody has the project", func() (bool, error) { return app.Taken(o.Project.Dir), nil },
		func(taken bool) bool { return !taken })
	s, err := app.OfflineStatus(t.Context(), o.Project)
	if err != nil || s.Agents[0].Waiting != 1 || s.Agents[0].Running != 0 {
		t.Errorf("the job is %+v, %v", s.Agents[0], err)
	}
}

// announced waits until others can find the gateway.
func announced(t *testing.T, o app.Options) app.Instance {
	t.Helper()
	return await(t, "the gateway can be found", func() (app.Instance, error) {
		in, err := app.Find(o.Project.Dir)
		if errors.Is(err, app.ErrStarting) {
			err = nil
		}
		return in, err
	}, func(in app.Instance) bool { return in.Socket != "" })
}

// half is a gateway that takes over up to a point, and goes away there.
func half(t *testing.T, o app.Options, steps int) {
	t.Helper()
	in := announced(t, o)
	s, err := handover.Meet(t.Context(), in.Socket, handover.Hello{Version: "half"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var e handover.Estate
	for _, step := range []func() error{
		func() (err error) { e, err = s.Take(t.Context()); return err },
		func() error { return s.Ready(t.Context()) },
	}[:steps] {
		for deadline := time.Now().Add(30 * time.Second); ; {
			err := step()
			if err == nil {
				break
			}
			if !strings.Contains(err.Error(), "right now") || time.Now().After(deadline) {
				t.Fatal(err)
			}
			_ = s.Close()
			if s, err = handover.Meet(t.Context(), in.Socket, handover.Hello{Version: "half"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if e.Listener != nil {
		_ = e.Listener.Close()
		_ = e.Lock.Release()
	}
}

// Wherever the next gateway dies, the one that runs goes on: it takes
// deliveries, runs them, and takes up what changes.
func TestTakeoverThatDies(t *testing.T) {
	t.Parallel()
	o := options(t, manual, within{})
	rewrite(t, o, "config.toml", manual+quick)
	o.Project, _ = o.Project.Files.Load()
	a := run(t, o)
	c := client(t, a, o)
	for steps := range 3 {
		half(t, o, steps)
		id := fmt.Sprint("after ", steps)
		if body := ring(t, a, id); !strings.Contains(body, `"queued":1`) {
			t.Errorf("after %d steps: %s", steps, body)
		}
		await(t, "its run", func() ([]api.RunStatus, error) { return c.Runs(t.Context(), api.RunsQuery{Agent: "dev"}) },
			func(runs []api.RunStatus) bool { return len(runs) == steps+1 && runs[0].State == "done" })
		rewrite(t, o, "config.toml", fmt.Sprintf("%s%s# %d\n", manual, quick, steps))
		reloads(t, c, api.ReloadDone)
		if in, err := app.Find(o.Project.Dir); err != nil || in.PID != os.Getpid() || in.URL != a.URL() {
			t.Errorf("after %d steps it is %+v, %v", steps, in, err)
		}
	}
}

// What the next gateway did before it died is undone: its limits, and the runs
// that it had begun.
func TestTakeoverThatDiesLate(t *testing.T) {
	t.Parallel()
	o := options(t, manual, within{})
	o.Takeover = true
	wait := waiter(t, o)
	rewrite(t, o, "agents/dev/config.toml", "scale = 2\n[[webhooks]]\nsource = \"home\"\n"+wait)
	o.Project, _ = o.Project.Files.Load()
	a := run(t, o)
	c := client(t, a, o)
	announced(t, o)

	other := o
	rewrite(t, o, "agents/dev/config.toml", "scale = 0\n")
	other.Project, _ = o.Project.Files.Load()
	next, err := app.New(t.Context(), other) // up to where it may begin
	if err != nil {
		t.Fatal(err)
	}
	ring(t, a, "1") // the port is still the first one's, too
	if dev, _ := agentOf(t, c, "dev"); dev.Waiting != 1 || dev.Running != 0 {
		t.Errorf("while it is held: %+v", dev)
	}
	if err := next.GiveUp(); err != nil {
		t.Fatal(err)
	}
	await(t, "it goes on", func() (api.AgentStatus, error) { a, _ := agentOf(t, c, "dev"); return a, nil },
		func(a api.AgentStatus) bool { return a.Running == 1 && a.Scale == 2 })
	rewrite(t, o, "go", "")
}

func TestTakeoverIsRefused(t *testing.T) {
	t.Parallel()
	o := options(t, manual, within{})
	a := run(t, o)
	announced(t, o)
	if _, err := app.New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "al start --takeover takes over from it") {
		t.Errorf("without being told to: %v", err)
	}
	o.Takeover = true
	p := *o.Project
	p.Gateway.Port = 1
	elsewhere := o
	elsewhere.Project = &p
	if _, err := app.New(t.Context(), elsewhere); err == nil || !strings.Contains(err.Error(), "a takeover keeps the port") {
		t.Errorf("another port: %v", err)
	}
	// One from before there were takeovers.
	file := filepath.Join(o.Project.Dir, ".al", "gateway.json")
	now, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, o, ".al/gateway.json", fmt.Sprintf(`{"pid":%d,"url":%q}`, os.Getpid(), a.URL()))
	if _, err := app.New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "it can not hand over (it may be older than this al); stop it first") {
		t.Errorf("an older one: %v", err)
	}
	rewrite(t, o, ".al/gateway.json", string(now))
	a.RequestStop(false)
	if _, err := app.New(t.Context(), o); err == nil {
		t.Error("took over from one that is stopping")
	}
	alone := options(t, manual, within{})
	alone.Takeover, alone.Log = true, hclog.NewNullLogger()
	run(t, alone) // nobody to take over from
}
