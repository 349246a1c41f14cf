package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

const (
	// A file that was just written may be busy for as long as any process
	// forked meanwhile has not reached its exec, which is short.
	busyRetries = 20
	busyPause   = 25 * time.Millisecond

	// After the end of the process and its group, how long somebody outside
	// of the group may hold the pipes before they are closed from here.
	pipeGrace = time.Second
)

// process is one run of a provider's program, and go-plugin's runner for it. It
// is its own so that the end of the process is known at once, from a thread
// that lives as long as the process does.
type process struct {
	path      string
	env       []string
	maxMemory int64 // 0 for no bound

	stdout, stderr *outlet
	exited         chan struct{} // closed when the process is gone
	state          *os.ProcessState
	unbounded      error // why it has no bounds of the kernel; valid once it is started

	mu     sync.Mutex // guards the rest, and that no signal goes to a pid that was given back
	pid    int
	reaped bool
	killed bool
}

var _ runner.Runner = (*process)(nil)

func newProcess(path string, maxMemory int64) *process {
	return &process{path: path, maxMemory: maxMemory, exited: make(chan struct{})}
}

// Start implements runner.Runner.
func (p *process) Start(ctx context.Context) error {
	for try := 1; ; try++ {
		err := p.start()
		if !errors.Is(err, syscall.ETXTBSY) {
			return err
		}
		if try == busyRetries {
			return fmt.Errorf("%w: the file is being written; write a new file and rename it to %s", err, p.path)
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return err
		}
	}
}

func (p *process) start() error {
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return errors.Join(err, outR.Close(), outW.Close())
	}
	// A nil Stdin is the null device: the host's own is nobody else's.
	cmd := &exec.Cmd{Path: p.path, Args: []string{p.path}, Env: p.env, Stdout: outW, Stderr: errW, SysProcAttr: sysProcAttr()}

	p.stdout, p.stderr = &outlet{file: outR}, &outlet{file: errR}

	started := make(chan error, 1)
	go p.run(cmd, started)
	err = <-started
	outW.Close()
	errW.Close()
	if err != nil {
		p.closePipes()
	}
	return err
}

// run starts the process and stays until it is gone. On Linux the kernel kills
// a child when the thread that started it ends, not when its process does, so
// the thread is kept for as long. It is never let go: it is confined for good,
// and runs of agents, which other threads start, are not.
func (p *process) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()

	if err := confine(); err != nil {
		started <- fmt.Errorf("forbid new privileges: %w", err)
		return
	}
	p.mu.Lock() // over the fork, so that kill finds either no process or its pid
	if p.killed {
		p.mu.Unlock()
		started <- errors.New("stopped before it was started")
		return
	}
	closeOnExec()
	err := cmd.Start()
	if err == nil {
		p.pid = cmd.Process.Pid
		p.unbounded = bound(p.pid, p.maxMemory)
	}
	p.mu.Unlock()
	started <- err
	if err != nil {
		return
	}

	// While it is dead but not waited for, the id is still its own.
	if awaitExit(p.pid) {
		p.mu.Lock()
		p.killGroup()
		_ = cmd.Wait()
		p.reaped = true
		p.mu.Unlock()
	} else {
		_ = cmd.Wait()
		p.mu.Lock()
		p.killGroup()
		p.reaped = true
		p.mu.Unlock()
	}
	p.state = cmd.ProcessState
	close(p.exited)
	time.AfterFunc(pipeGrace, p.closePipes)
}

func (p *process) closePipes() {
	p.stdout.Close()
	p.stderr.Close()
}

// killGroup ends the process and its children, which would otherwise keep its
// pipes open and live on without an owner.
func (p *process) killGroup() {
	if p.pid > 0 && !p.reaped {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
}

// kill ends the process at once. It may be called at any time.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	p.killGroup()
}

// Kill implements runner.Runner.
func (p *process) Kill(context.Context) error {
	p.kill()
	return nil
}

// Wait implements runner.Runner. Go-plugin calls it when both pipes are at
// their end; how the process ended is for the supervisor to say.
func (p *process) Wait(context.Context) error {
	<-p.exited
	p.closePipes()
	return nil
}

// end says how the process ended, once it has, and whether the host did it.
func (p *process) end() (how string, byHost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	st, ok := p.state.Sys().(syscall.WaitStatus)
	return p.state.String(), ok && p.killed && st.Signaled() && st.Signal() == syscall.SIGKILL
}

// ID implements runner.Runner.
func (p *process) ID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return ""
	}
	return strconv.Itoa(p.pid)
}

// Name implements runner.Runner.
func (p *process) Name() string { return p.path }

// Stdout implements runner.Runner.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr implements runner.Runner.
func (p *process) Stderr() io.ReadCloser { return p.stderr }

// Diagnose implements runner.Runner; launch has better to say.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner: both see the same files.
func (p *process) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
