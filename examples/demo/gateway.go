package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// gateway is a running `al start`, driven as a person would.
type gateway struct {
	al      string
	project string
	env     []string
	cmd     *exec.Cmd
	log     *os.File
	exited  chan error
	url     string
}

// run runs another al command on the project and returns what it printed.
func (g *gateway) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, g.al, args...)
	cmd.Env = g.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("al %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// start runs `al start` and waits until it is ready.
func (g *gateway) start(ctx context.Context) error {
	log, err := os.Create(filepath.Join(filepath.Dir(g.project), "gateway.log"))
	if err != nil {
		return err
	}
	g.log = log
	g.cmd = exec.Command(g.al, "start", "-p", g.project, "--port", "0")
	g.cmd.Env = g.env
	g.cmd.Stdout, g.cmd.Stderr = log, log
	// Its own group: Ctrl-C is for the demo, which then stops the gateway.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.cmd.Start(); err != nil {
		return err
	}
	g.exited = make(chan error, 1)
	go func() { g.exited <- g.cmd.Wait() }()
	return g.waitReady(ctx)
}

func (g *gateway) waitReady(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if g.url == "" {
			g.url = g.address()
		}
		if g.url != "" && ready(ctx, g.url) {
			return nil
		}
		select {
		case err := <-g.exited:
			g.exited <- err
			return errors.Join(errors.New("al start ended before it was ready"), err, errors.New(g.said()))
		case <-ctx.Done():
			return fmt.Errorf("al start is not ready: %w\n%s", ctx.Err(), g.said())
		case <-tick.C:
		}
	}
}

// address reads where the gateway listens; empty until it does.
func (g *gateway) address() string {
	raw, err := os.ReadFile(filepath.Join(g.project, ".al", "gateway.json"))
	if err != nil {
		return ""
	}
	var info struct {
		URL string `json:"url"`
	}
	if json.Unmarshal(raw, &info) != nil {
		return ""
	}
	return info.URL
}

func ready(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/ready", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (g *gateway) said() string {
	raw, _ := os.ReadFile(g.log.Name())
	return string(raw)
}

// stop ends the gateway as a service manager would, and makes sure.
func (g *gateway) stop() error {
	if g.cmd == nil || g.cmd.Process == nil {
		return nil
	}
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-g.exited:
		if err != nil {
			return fmt.Errorf("al start, asked to stop: %w\n%s", err, g.said())
		}
		return nil
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
		return errors.New("al start did not stop within 20 s and was killed")
	}
}

// status is the part of `al stat --json` that the demo looks at.
type status struct {
	Agents []struct {
		Name    string `json:"name"`
		LastRun *struct {
			ID    string `json:"id"`
			State string `json:"state"`
		} `json:"lastRun"`
	} `json:"agents"`
}

// waitRun waits until an agent has ended another run than the one given, which
// may be empty, and returns its id.
func (g *gateway) waitRun(ctx context.Context, agent, previous string) (id string, err error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := g.run(ctx, "stat", "-p", g.project, "--json")
		if err != nil {
			return "", err
		}
		var s status
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			return "", fmt.Errorf("al stat --json: %w\n%s", err, out)
		}
		for _, a := range s.Agents {
			if a.Name == agent && a.LastRun != nil && a.LastRun.ID != previous && a.LastRun.State != "running" {
				if a.LastRun.State != "done" {
					return "", fmt.Errorf("the run of %s ended %s", a.Name, a.LastRun.State)
				}
				return a.LastRun.ID, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no run of %s has ended: %w\n%s", agent, ctx.Err(), g.said())
		case <-tick.C:
		}
	}
}
