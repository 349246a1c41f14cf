package runner

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is a started harness, the leader of its own process group.
type process struct {
	pid    int
	exited chan struct{} // closed when it is gone and its group was killed
	state  *os.ProcessState

	mu     sync.Mutex
	reaped bool // pid may belong to somebody else from now on
}

// start starts a command in a process group of its own. The goroutine that
// waits for it lives exactly as long as the process.
func start(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = groupAttr()
	p := &process{exited: make(chan struct{})}
	started := make(chan error, 1)
	go p.supervise(cmd, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// supervise starts the command, waits for it and then kills what is left of
// its group. It keeps its thread all the while: the signal that tells the
// harness of the host's death (Linux) comes when the thread that started it
// ends, and Go ends idle threads (golang/go#27505).
func (p *process) supervise(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	started <- nil

	// Where it is possible the group is killed before its leader is reaped:
	// until then nobody else can get its number.
	early := awaitExit(p.pid)
	if early {
		p.signal(syscall.SIGKILL)
		p.retire()
	}
	_ = cmd.Wait() // its error repeats the state
	if !early {
		p.retire()
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
	p.state = cmd.ProcessState
	close(p.exited)
}

// retire ends signalling: the number is about to become free.
func (p *process) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaped = true
}

// signal reaches every member of the group.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.pid, s) // it fails when they are gone, which is fine
	}
}

// exitCode follows the shells: 128 and the signal's number when one ended it.
func (p *process) exitCode() int {
	if s := p.endedBy(); s != 0 {
		return 128 + int(s)
	}
	return p.state.ExitCode()
}

// endedBy is the signal that ended it, or 0.
func (p *process) endedBy() syscall.Signal {
	if status, ok := p.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// stop asks the group to end, and after the grace period makes it. It reports
// whether that worked.
func (p *process) stop(grace time.Duration) bool {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, reapWait}} {
		p.signal(step.signal)
		patience := time.NewTimer(step.wait)
		select {
		case <-p.exited:
			patience.Stop()
			return true
		case <-patience.C:
		}
	}
	return false
}
