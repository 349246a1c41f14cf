package pluginhost

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Stop is bounded and thorough, whatever the providers do.
func TestStop(t *testing.T) {
	t.Parallel()
	types := []string{"ok", "stubborn", "parent", "parent2"}
	b := newBench(t, types)
	b.timing.stop = time.Second
	if err := b.Start(t.Context(), types); err != nil {
		t.Fatal(err)
	}
	gone := map[string]func() bool{}
	for _, typ := range types {
		p, _ := b.Provider(typ)
		v := ask(t, p)
		gone[typ] = watch(t, v.PID)
		if v.Group != v.PID {
			t.Errorf("%s: in the group %d of another", typ, v.Group)
		}
		if typ == "parent" {
			child, _ := strconv.Atoi(v.Child)
			gone["child of "+typ] = watch(t, child)
		}
		if typ == "parent2" { // it left the group: nobody's but the test's
			child, _ := strconv.Atoi(v.Child)
			t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
		}
	}
	ok, _ := b.Provider("ok")
	if err := syscall.Kill(ok.Status().PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := b.Stop(within(t, 30*time.Second)); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("Stop took %s", took)
	}
	for what, alive := range gone {
		until(t, "the end of "+what, func() bool { return !alive() })
	}
	if _, err := ok.Parse(within(t, time.Second), request("/")); !errors.Is(err, ErrProviderDown) {
		t.Errorf("a call after Stop: %v", err)
	}
	if err := b.Start(t.Context(), []string{"other"}); err == nil {
		t.Error("started after Stop")
	}
	for _, s := range b.Status() {
		if s.State != Stopped {
			t.Errorf("%+v", s)
		}
	}
	if strings.Contains(b.log.String(), "[ERROR]") {
		t.Errorf("an exit during Stop is no error:\n%s", b.log)
	}
}

// Calls in flight are answered before their process is asked to leave, and a
// context that ends cuts that short.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"ok"})
	p := b.start(t, "ok")
	in := p.current.Load()
	answered := make(chan error, 1)
	go func() {
		_, err := p.Parse(within(t, 500*time.Millisecond), request("/hang"))
		answered <- err
	}()
	until(t, "the call is in flight", func() bool { return len(in.slots) == 1 })
	if err := b.Stop(within(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	if err := <-answered; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call was cut: %v", err)
	}

	b = newBench(t, []string{"ok"})
	p = b.start(t, "ok")
	in = p.current.Load()
	go func() {
		_, err := p.Parse(context.Background(), request("/deafhang"))
		answered <- err
	}()
	until(t, "the call is in flight", func() bool { return len(in.slots) == 1 })
	start := time.Now()
	if err := b.Stop(within(t, 50*time.Millisecond)); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("Stop took %s after its context had ended", took)
	}
	if err := <-answered; !errors.Is(err, ErrProviderDown) {
		t.Errorf("the call: %v", err)
	}
}

func TestStopDuringLaunch(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"silent"})
	started := make(chan error, 1)
	go func() { started <- b.Start(context.Background(), []string{"silent"}) }()
	until(t, "the launch is under way", func() bool {
		dirs, _ := filepath.Glob(filepath.Join(b.opts.RuntimeDir, "run", "*"))
		return len(dirs) == 1
	})
	start := time.Now()
	if err := b.Stop(within(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Stop took %s", took)
	}
	if err := <-started; err == nil {
		t.Error("started")
	}
}

func runVictimHost() {
	h := New(Options{Dirs: []string{os.Args[1]}, RuntimeDir: os.Args[2]})
	if err := h.Start(context.Background(), []string{os.Args[3]}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(h.Status()[0].PID)
	select {}
}

// A host that is killed takes its providers with it, whether they notice or
// not, and the next one cleans up after it.
func TestKilledHostLeavesNothing(t *testing.T) {
	t.Parallel()
	t.Run("ok", func(t *testing.T) {
		t.Parallel()
		killHost(t, "ok")
	})
	t.Run("foreign", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS != "linux" {
			t.Skip("only the kernel of Linux sees to it")
		}
		killHost(t, "foreign")
	})
}

func killHost(t *testing.T, typ string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, run := t.TempDir(), runtimeDir(t)
	install(t, dir, typ)
	host := exec.Command(self, dir, run, typ)
	host.Args[0] = "victim-host"
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the host says %q", line)
	}
	alive := watch(t, pid)
	New(Options{RuntimeDir: run}) // sweeps nothing of a host that lives
	if dirs, _ := filepath.Glob(filepath.Join(run, "run", "*")); len(dirs) != 1 {
		t.Errorf("sockets of a living host: %v", dirs)
	}
	_ = host.Process.Kill()
	_ = host.Wait()
	until(t, "the provider is gone", func() bool { return !alive() })
	New(Options{RuntimeDir: run})
	if dirs, _ := filepath.Glob(filepath.Join(run, "run", "*")); len(dirs) != 0 {
		t.Errorf("left behind: %v", dirs)
	}
}
