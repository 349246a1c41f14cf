package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// put puts another file in the place of a provider's, by renaming it as files
// are installed. What it is differs by version and mode.
func (b *bench) put(t testing.TB, typ, version, mode string) {
	t.Helper()
	path := filepath.Join(b.dir, sdk.BinaryPrefix+typ)
	for what, text := range map[string]string{".version": version, ".mode": mode} {
		if err := os.WriteFile(path+what, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(self, path+".new"), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) outdated(again bool) string {
	var types []string
	for _, o := range b.Outdated(again) {
		types = append(types, o.Type)
	}
	return strings.Join(types, " ")
}

// No call notices that the process that answers is another one, over many swaps.
func TestReplaceUnderCalls(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"ok"})
	b.timing.handover = 10 * time.Millisecond
	p := b.start(t, "ok")
	stop := make(chan struct{})
	var calls atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var to sdk.Provider = p
				if i%2 == 0 {
					to = p.Pin()
				}
				if _, err := sdk.Deliver(within(t, time.Minute), to, request("/"), nil, unsigned); err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for n := range 15 {
		before := calls.Load()
		until(t, "calls between swaps", func() bool { return calls.Load() > before || t.Failed() })
		version := fmt.Sprintf("1.%d.0", n+1)
		b.put(t, "ok", version, "")
		r, err := b.Refresh(within(t, time.Minute), "ok")
		if want := (Replacement{Type: "ok", Before: fmt.Sprintf("1.%d.0", n), Version: version, Replaced: true}); err != nil || r != want {
			t.Fatalf("%+v, %v; want %+v", r, err, want)
		}
	}
	close(stop)
	wg.Wait()
	if s := p.Status(); s.Restarts != 0 || s.State != Up || s.Version != "1.15.0" {
		t.Errorf("%+v", s)
	}
}

// A file that is no good leaves the process that runs where it is, says why, and
// is not tried again before it is another one.
func TestReplaceWithWhatIsNoGood(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []bool
	b := newBench(t, []string{"ok"}, func(o *Options) {
		o.StartTimeout = 5 * time.Second
		o.Fit = func(typ string, next sdk.Provider) error {
			if d := next.Describe(); typ != "ok" || d.Version == "9.9.9" {
				return fmt.Errorf("no trigger can use %s", d.Version)
			}
			return nil
		}
		o.Metrics.Replaced = func(_ string, ok bool) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, ok)
		}
	})
	p := b.start(t, "ok")
	serving := ask(t, p).PID
	if got := b.outdated(true); got != "" {
		t.Errorf("outdated at once: %s", got)
	}
	if r, err := b.Refresh(within(t, time.Minute), "ok"); err != nil || r.Replaced {
		t.Errorf("the same file: %+v, %v", r, err)
	}
	bad := []struct{ version, mode, want string }{
		{"2.0.0", "garbage", `wrote "hello from main" to stdout`},
		{"2.0.0", "wrongtype", `it says that its type is "other"`},
		{"2.0.0", "future", "speaks version 7 of the protocol"},
		{"2.0.0", "oldcookie", "ended before the handshake"},
		{"2.0.0", "hangs", "did not describe itself"},
		{"9.9.9", "", "no trigger can use 9.9.9"},
	}
	for _, test := range bad {
		b.put(t, "ok", test.version, test.mode)
		if got := b.outdated(false); got != "ok" {
			t.Errorf("%+v: outdated: %q", test, got)
		}
		r, err := b.Refresh(within(t, time.Minute), "ok")
		if err == nil || !strings.Contains(err.Error(), test.want) || r.Replaced || r.Version != "1.0.0" {
			t.Errorf("%+v: %+v, %v", test, r, err)
		}
		if now := ask(t, p).PID; now != serving {
			t.Fatalf("%+v: the old process did not stay", test)
		}
		if s := p.Status(); s.State != Up || !strings.Contains(s.NotReplaced, test.want) || s.NotReplacedAt.IsZero() {
			t.Errorf("%+v: %+v", test, s)
		}
		if !strings.Contains(b.log.String(), "[ERROR] provider: provider not replaced") {
			t.Errorf("%+v: not logged", test)
		}
		if got := b.outdated(false) + "," + b.outdated(true); got != ",ok" {
			t.Errorf("%+v: afterwards outdated: %q", test, got)
		}
	}
	b.put(t, "ok", "2.0.0", "")
	if r, err := b.Refresh(within(t, time.Minute), "ok"); err != nil || !r.Replaced || r.Version != "2.0.0" {
		t.Errorf("a good one: %+v, %v", r, err)
	}
	if s := p.Status(); s.NotReplaced != "" || s.Version != "2.0.0" {
		t.Errorf("%+v", s)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != len(bad)+1 || told[0] || !told[len(bad)] {
		t.Errorf("told %v", told)
	}
}

// Whoever holds a provider gets to the process that it has read the filters of,
// until that leaves.
func TestPin(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"ok"})
	b.timing.handover = time.Hour
	p := b.start(t, "ok")
	one := ask(t, p).PID
	held := p.Pin()
	b.put(t, "ok", "2.0.0", "")
	if _, err := b.Refresh(within(t, time.Minute), "ok"); err != nil {
		t.Fatal(err)
	}
	if d := held.Describe(); d.Version != "1.0.0" {
		t.Errorf("held: version %s", d.Version)
	}
	if now := askAny(t, held).PID; now != one {
		t.Errorf("held: process %d, not %d", now, one)
	}
	two := ask(t, p).PID
	if two == one || p.Pin().Describe().Version != "2.0.0" {
		t.Errorf("process %d, version %s", two, p.Pin().Describe().Version)
	}
	// It dies in the middle: only the calls inside it notice.
	if _, err := held.Parse(within(t, time.Minute), request("/exit")); !errors.Is(err, ErrProviderDown) {
		t.Errorf("a call that killed it: %v", err)
	}
	if now := askAny(t, held).PID; now != two {
		t.Errorf("held, after its end: process %d, not %d", now, two)
	}
	if s := p.Status(); s.Restarts != 0 || s.State != Up {
		t.Errorf("%+v", s)
	}
}

// A call that takes long is answered by the process that has it.
func TestReplaceLetsCallsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"ok"})
	b.timing.handover, b.timing.drain = 0, 0
	p := b.start(t, "ok")
	in := p.current.Load()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.Parse(ctx, request("/hang"))
		ended <- err
	}()
	until(t, "the call is in flight", func() bool { return len(in.slots) == 1 })
	if err := b.Reload(within(t, time.Minute), "ok"); err != nil {
		t.Fatal(err)
	}
	ask(t, p)
	select {
	case err := <-ended:
		t.Errorf("the call was cut: %v", err)
	default:
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the call: %v", err)
	}
	until(t, "the old process leaves", func() bool {
		select {
		case <-in.proc.exited:
			return true
		default:
			return false
		}
	})
}

// What would take a forged delivery, or not its own, takes over from nobody.
func TestSelfTest(t *testing.T) {
	t.Parallel()
	var c counts
	b := newBench(t, []string{"ok"}, counting(&c))
	p := b.start(t, "ok")
	serving := ask(t, p).PID
	bad := map[string]string{
		"credulous":   "self-test: a request with a wrong signature: it takes that for a delivery; do not use this build of it",
		"unsigned":    "self-test: a request that nobody signed: it takes that for a delivery",
		"forgetful":   "self-test: it does not take its own sample issues: ",
		"sampleless":  "self-test: it does not make its sample issues: ",
		"promiscuous": "self-test: its sample issues, under another secret: it takes that for a delivery",
		"panics":      "self-test: a request that nobody signed: it fails: ",
	}
	for mode, want := range bad {
		b.put(t, "ok", "2.0.0", mode)
		if _, err := b.Refresh(within(t, time.Minute), "ok"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", mode, err, want)
		}
	}
	if n := c.of("ok", FaultSelfTest); n != len(bad) {
		t.Errorf("counted %d times, want %d", n, len(bad))
	}
	if now := ask(t, p).PID; now != serving {
		t.Error("the old process did not stay")
	}
	// Nor does it when the other one dies.
	b.put(t, "ok", "2.0.0", "credulous")
	if err := syscall.Kill(serving, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the new file is tried", func() bool { return strings.Contains(p.Status().LastError, "self-test: ") })
	if s := p.Status(); s.State == Up {
		t.Errorf("%+v", s)
	}
	b.put(t, "ok", "2.0.0", "sampler")
	if _, err := b.Refresh(within(t, time.Minute), "ok"); err != nil {
		t.Errorf("one with a good sample: %v", err)
	}
}
