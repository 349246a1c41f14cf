package pluginhost

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// counts are the faults that a host told of.
type counts struct {
	mu  sync.Mutex
	all map[string]int
}

func (c *counts) of(typ string, f Fault) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[typ+" "+string(f)]
}

func counting(c *counts) func(*Options) {
	c.mu.Lock()
	c.all = map[string]int{}
	c.mu.Unlock()
	return func(o *Options) {
		o.Metrics.Fault = func(provider string, f Fault) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.all[provider+" "+string(f)]++
		}
	}
}

// Whatever is wrong with a start has a name, and is counted.
func TestFaultsOfStarts(t *testing.T) {
	t.Parallel()
	wrong := map[string]struct {
		fault Fault
		want  string
	}{
		"oldcookie": {FaultHandshake, "ended before the handshake"},
		"garbage":   {FaultHandshake, "to stdout before the handshake"},
		"exits":     {FaultHandshake, "no license for this machine"},
		"future":    {FaultProtocol, "speaks version 7 of the protocol"},
		"netrpc":    {FaultProtocol, `speaks "netrpc"`},
		"hangs":     {FaultStart, "did not describe itself"},
		"silent":    {FaultStart, "no handshake within"},
		"wrongtype": {FaultDescriptor, `its type is "other"`},
		"typeless":  {FaultDescriptor, `its type is ""`},
		"clash":     {FaultDescriptor, `filters "label" and "labels" look at attribute "label" and must agree on MatchCase`},
		"escapes":   {FaultDescriptor, `the version "1.0.0\x1b[2J" is not a short text`},
		"boundless": {FaultDescriptor, "it has 501 of a kind"},
		"dies":      {FaultDescriptor, "panic: gone already"},
	}
	var types []string
	for typ := range wrong {
		types = append(types, typ)
	}
	var c counts
	b := newBench(t, append(types, "ok", "loose"), counting(&c), func(o *Options) { o.StartTimeout = 10 * time.Second })
	b.timing.backoffMin, b.timing.backoffMax, b.timing.lookAgain = time.Hour, time.Hour, time.Hour
	loose := t.TempDir()
	if err := errors.Join(os.Remove(filepath.Join(b.dir, "al-provider-loose")), os.Chmod(loose, 0o777)); err != nil {
		t.Fatal(err)
	}
	install(t, loose, "loose")
	install(t, loose, "ok")
	b.opts.Dirs = append(b.opts.Dirs, loose)
	_ = b.Start(within(t, time.Minute), append(types, "ok", "loose"))
	for typ, want := range wrong {
		p, _ := b.Provider(typ)
		if err := p.StartError(); err == nil || !strings.Contains(err.Error(), want.want) {
			t.Errorf("%s: %v; want %q", typ, err, want.want)
		}
		if n := c.of(typ, want.fault); n != 1 {
			t.Errorf("%s: counted %d times as %s: %v", typ, n, want.fault, c.all)
		}
	}
	if n := c.of("loose", FaultFile); n != 1 {
		t.Errorf("loose: counted %d times", n)
	}
	// Of two files of one type the first is used, and the other is told of.
	if n := c.of("ok", FaultTwice); n != 1 || !strings.Contains(b.log.String(), "not_used="+filepath.Join(loose, "al-provider-ok")) {
		t.Errorf("two files: counted %d times", n)
	}
	p, _ := b.Provider("ok")
	ask(t, p)
}

// What a provider has no right to say is not gone by, whoever wrote it.
func TestLies(t *testing.T) {
	t.Parallel()
	var c counts
	b := newBench(t, []string{"liar"}, counting(&c))
	p := b.start(t, "liar")
	secrets := []sdk.Secret{{Source: "mine", Fields: map[string]string{"secret": "x"}}}
	total := map[Fault]int{}
	for path, test := range map[string]struct {
		fault Fault
		want  string
	}{
		"/source":    {FaultSource, "secret 1 signed the request, and was given 1"},
		"/negative":  {FaultSource, "secret -1 signed"},
		"/unsigned":  {FaultSource, "as unsigned where every source has a credential"},
		"/many":      {FaultEvents, "10000 events out of one request"},
		"/huge":      {FaultSize, "its answer is too large"},
		"/nameless":  {FaultEvent, "event 0: it has no name"},
		"/heavy":     {FaultEvent, "beside its texts"},
		"/crlf":      {FaultReply, "a header X-A whose value can not be sent"},
		"/name":      {FaultReply, `with the name "X A:"`},
		"/status":    {FaultReply, "the status 99"},
		"/switching": {FaultReply, "the status 101"},
		"/longreply": {FaultReply, "its reply has 2097152 bytes"},
		"/taken":     {FaultReply, "event 0: its reply has the status 1000"},
	} {
		out, err := p.Deliver(within(t, time.Minute), request(path), secrets, sdk.DeliverOptions{})
		var bad interface{ Misbehaved() bool }
		if err == nil || !strings.Contains(err.Error(), test.want) || !errors.As(err, &bad) || !bad.Misbehaved() || errors.Is(err, ErrProviderDown) {
			t.Errorf("%s: %v; want %q", path, err, test.want)
		}
		if len(out.Which)+len(out.Events) > 0 || out.Reply != nil || out.Unsigned {
			t.Errorf("%s: something is left of it", path)
		}
		if strings.Contains(err.Error(), "b=c") {
			t.Errorf("%s: the value is told: %v", path, err)
		}
		total[test.fault]++
		if n := c.of("liar", test.fault); n != total[test.fault] {
			t.Errorf("%s: counted %d times as %s; want %d", path, n, test.fault, total[test.fault])
		}
	}
	signed := request("/unsigned")
	signed.Header.Set("X-Signature", "wrong")
	if _, err := p.Deliver(within(t, time.Minute), signed, secrets, unsigned); err == nil || !strings.Contains(err.Error(), "as unsigned that carries a signature") {
		t.Errorf("signed, taken as unsigned: %v", err)
	}
	if _, err := p.Verify(within(t, time.Minute), request("/"), secrets); err == nil || !strings.Contains(err.Error(), "secret 5 signed") {
		t.Errorf("verify: %v", err)
	}
	if _, err := p.Challenge(within(t, time.Minute), request("/crlf"), secrets); err == nil {
		t.Error("challenge: no error")
	}
	if _, err := p.Parse(within(t, time.Minute), request("/many")); err == nil {
		t.Error("parse: no error")
	}
	// Headers that are the host's business are left out by whoever sends it.
	if out, err := p.Deliver(within(t, time.Minute), request("/hop"), secrets, sdk.DeliverOptions{}); err != nil || out.Reply == nil {
		t.Errorf("hop by hop: %v", err)
	}
	if out, err := p.Deliver(within(t, time.Minute), request("/"), secrets, sdk.DeliverOptions{}); err != nil || len(out.Events) != 1 {
		t.Errorf("an honest answer: %v", err)
	}
	if s := p.Status(); s.Restarts != 0 {
		t.Errorf("it was restarted for it: %+v", s)
	}
}

// Faults of a process that runs: it is ended where that helps, with everything
// it has started, and comes back.
func TestFaultsOfProcesses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says what a process takes")
	}
	quick := func(b *bench) { b.timing.watch = 5 * time.Millisecond }
	for name, test := range map[string]struct {
		path   string
		change func(*bench)
		max    int64
		fault  Fault
		want   string // in LastError; empty: it lives on
	}{
		"leak":           {"/leak", quick, 150 << 20, FaultMemory, "MiB of memory; [plugins] maxMemoryBytes is 150 MiB"},
		"leak, too fast": {"/leakfast", func(b *bench) { b.timing.watch = time.Hour }, 64 << 20, FaultCrash, "it wrote: fatal error: "},
		"children":       {"/forkmany", quick, 0, FaultChildren, "it has 33 children; 32 is the most"},
		"spin": {"/spin", func(b *bench) {
			quick(b)
			b.timing.spin, b.timing.spinShare = 100*time.Millisecond, .02
		}, 0, FaultCPU, "in which it was asked nothing"},
		"stdout": {"/print", nil, 0, FaultOutput, ""},
		"flood":  {"/flood", nil, 0, FaultFlood, ""},
		"panic":  {"/panic", nil, 0, FaultPanic, ""},
		"crash":  {"/crash", nil, 0, FaultCrash, "panic: crashed on request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raceDetector && strings.HasPrefix(name, "leak") {
				t.Skip("the race detector takes more memory than the leak")
			}
			var c counts
			b := newBench(t, []string{"ok"}, counting(&c), func(o *Options) { o.MaxMemory = test.max })
			if test.change != nil {
				test.change(b)
			}
			p := b.start(t, "ok")
			before := ask(t, p)
			alive := watch(t, before.PID)
			_, err := p.Parse(within(t, 20*time.Second), request(test.path))
			until(t, "the count of "+string(test.fault), func() bool { return c.of("ok", test.fault) > 0 })
			if test.want == "" {
				if after := ask(t, p); after.PID != before.PID {
					t.Error("it was ended for it")
				}
				if lines := strings.Count(b.log.String(), "of a flood"); lines > outputLines {
					t.Errorf("%d lines in the log", lines)
				}
				return
			}
			until(t, "its end", func() bool { return !alive() })
			after := ask(t, p)
			if s := p.Status(); after.PID == before.PID || s.Restarts != 1 || !strings.Contains(s.LastError, test.want) {
				t.Errorf("%+v, want %q; the call: %v", s, test.want, err)
			}
			if n := c.of("ok", test.fault); n != 1 {
				t.Errorf("counted %d times", n)
			}
			if test.fault == FaultChildren {
				until(t, "the end of its children", func() bool { return syscall.Kill(-before.PID, 0) != nil })
			}
		})
	}
}

// Hanging in a call, in all calls, and in its end.
func TestFaultsOfHanging(t *testing.T) {
	t.Parallel()
	var c counts
	b := newBench(t, []string{"ok"}, counting(&c))
	b.timing.health, b.timing.ping = 50*time.Millisecond, 3*time.Second
	p := b.start(t, "ok")
	if _, err := p.Parse(within(t, 50*time.Millisecond), request("/deafhang")); !errors.Is(err, context.DeadlineExceeded) || c.of("ok", FaultTimeout) != 1 {
		t.Errorf("a call: %v, counted %d times", err, c.of("ok", FaultTimeout))
	}
	if err := syscall.Kill(p.Status().PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "the count of a hang", func() bool { return c.of("ok", FaultHang) > 0 })

	b = newBench(t, []string{"stubborn"}, counting(&c))
	b.timing.stop = 100 * time.Millisecond
	b.start(t, "stubborn")
	if err := b.Stop(within(t, time.Minute)); err != nil {
		t.Error(err)
	}
	if n := c.of("stubborn", FaultStop); n != 1 {
		t.Errorf("one that does not leave: counted %d times", n)
	}
}

// The kernel holds a provider to its bounds, and nobody else.
func TestConfined(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("for Linux alone")
	}
	const nothing = "NoNewPrivs:\t0"
	own := func() string {
		raw, err := exec.Command("/bin/cat", "/proc/self/status").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	if !strings.Contains(own(), nothing) {
		t.Skip("this test itself may get no new privileges")
	}
	b := newBench(t, []string{"ok"})
	p := b.start(t, "ok")
	v := ask(t, p)
	if !strings.Contains(v.Status, "NoNewPrivs:\t1") {
		t.Error("a provider may get new privileges")
	}
	for _, want := range []string{"Max core file size 0 0 bytes", "Max open files 1024 1024 files",
		"Max file size 268435456 268435456 bytes", "Max data size 2415919104 2415919104 bytes"} {
		if !strings.Contains(strings.Join(strings.Fields(v.Limits), " "), want) {
			t.Errorf("no %q in:\n%s", want, v.Limits)
		}
	}
	if _, err := p.Parse(within(t, 20*time.Second), request("/exit")); err == nil {
		t.Error("it did not exit")
	}
	ask(t, p)
	for range 20 { // from whatever thread
		if !strings.Contains(own(), nothing) {
			t.Fatal("what others start is confined, too")
		}
	}
}
