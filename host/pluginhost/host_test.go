package pluginhost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/sdk"
)

// bench is a host with fake providers of some types.
type bench struct {
	*Host
	dir string // of the binaries
	log *logBuffer
}

// logBuffer keeps what is logged, for tests that look for it.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newBench(t testing.TB, types []string, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), log: new(logBuffer)}
	for _, typ := range types {
		install(t, b.dir, typ)
	}
	opts := Options{
		Dirs:       []string{b.dir},
		RuntimeDir: runtimeDir(t),
		// For machines with a lot else to do.
		StartTimeout: 30 * time.Second,
		CallTimeout:  30 * time.Second,
		Log:          hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: b.log}),
	}
	for _, c := range change {
		c(&opts)
	}
	b.Host = New(opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(opts.RuntimeDir, "run", "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if t.Failed() {
			t.Logf("log of the host:\n%s", b.log)
		}
	})
	return b
}

// runtimeDir is short enough for a socket, unlike t.TempDir.
func runtimeDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "al")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func install(t testing.TB, dir, typ string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, sdk.BinaryPrefix+typ)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (b *bench) start(t testing.TB, typ string) *Provider {
	t.Helper()
	if err := b.Start(t.Context(), []string{typ}); err != nil {
		t.Fatalf("Start: %v", err)
	}
	p, ok := b.Provider(typ)
	if !ok {
		t.Fatalf("no provider %s", typ)
	}
	return p
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// until waits for a fact that nothing tells of.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	ctx := within(t, 20*time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never came: %s", what)
		}
	}
}

func ask(t testing.TB, p *Provider) view {
	t.Helper()
	return askAny(t, p)
}

func askAny(t testing.TB, p sdk.Provider) view {
	t.Helper()
	events, err := p.Parse(within(t, 20*time.Second), request("/look"))
	if err != nil {
		t.Fatalf("look: %v", err)
	}
	text, _ := events[0].Extra["view"].(string)
	var v view
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

var unsigned = sdk.DeliverOptions{AllowUnsigned: true}

func TestDeliver(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"ok"})
	p := b.start(t, "ok")
	if d := p.Describe(); d.Type != "ok" || d.Version != "1.0.0" || d.ReplyDeadline != 10*time.Second {
		t.Errorf("Describe: %+v", d)
	}
	d, err := p.Deliver(within(t, 20*time.Second), request("/"), nil, unsigned)
	if err != nil || !d.Unsigned || len(d.Events) != 1 || d.Events[0].Number != 42 {
		t.Errorf("Deliver: %+v, %v", d, err)
	}
	req := request("/")
	req.Header.Set("X-Signature", "sha256=00")
	secrets := []sdk.Secret{{Source: "s", Fields: map[string]string{"secret": "k"}}}
	if _, err := p.Deliver(within(t, 20*time.Second), req, secrets, unsigned); !errors.Is(err, sdk.ErrBadSignature) {
		t.Errorf("bad signature: %v", err)
	}
	signed, secrets := delivery()
	signed.Path = "/unparseable"
	d, err = p.Deliver(within(t, 20*time.Second), signed, secrets, sdk.DeliverOptions{})
	if !errors.Is(err, sdk.ErrUnparseable) || len(d.Which) != 1 {
		t.Errorf("unparseable: %+v, %v", d, err)
	}
	if s := b.Status(); len(s) != 1 || s[0].State != Up || s[0].Version != "1.0.0" || s[0].PID == 0 {
		t.Errorf("Status: %+v", s)
	}
}

// A provider that does not start costs nobody else anything, and the error says
// what to do.
func TestStartFailures(t *testing.T) {
	t.Parallel()
	types := []string{"ok", "garbage", "exits", "deaf", "oldcookie", "future", "netrpc", "wrongtype", "hangs", "dies"}
	b := newBench(t, types)
	err := b.Start(within(t, 60*time.Second), append(types, "oks"))
	if err == nil {
		t.Fatal("no error")
	}
	for typ, want := range map[string]string{
		"garbage":   `wrote "hello from main" to stdout before the handshake; log on stderr with sdk.NewLogger`,
		"exits":     `ended before the handshake: exit status 3; it wrote: no license for this machine`,
		"deaf":      `closed its stdout before the handshake`,
		"oldcookie": `ended before the handshake: exit status 1; it wrote:`,
		"future":    `speaks version 7 of the protocol, and this al version 1; update al`,
		"netrpc":    `speaks "netrpc" instead of grpc; build it with sdk.Serve`,
		"wrongtype": `it says that its type is "other"; rename it to al-provider-other`,
		"hangs":     `it shook hands but did not describe itself within 5s`,
		"dies":      `panic: gone already`,
		"oks":       `did you mean "ok"?`,
	} {
		found := false
		for line := range strings.Lines(err.Error()) {
			found = found || strings.HasPrefix(line, "provider "+typ+": not started: ") && strings.Contains(line, want)
		}
		if !found {
			t.Errorf("%s: no %q in:\n%v", typ, want, err)
		}
	}
	if strings.Contains(err.Error(), "provider ok:") {
		t.Errorf("ok failed, too: %v", err)
	}
	hasty := newBench(t, []string{"silent"}, func(o *Options) { o.StartTimeout = 2 * time.Second })
	err = hasty.Start(within(t, 60*time.Second), []string{"silent"})
	if want := "no handshake within 2s; sdk.Serve must be the first call of main"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("silent: no %q in: %v", want, err)
	}
	p, _ := b.Provider("ok")
	if _, err := p.Parse(within(t, 20*time.Second), request("/")); err != nil {
		t.Errorf("the good one: %v", err)
	}
	p, _ = b.Provider("exits")
	if _, err := p.Parse(within(t, 300*time.Millisecond), request("/")); !errors.Is(err, ErrProviderDown) || !strings.Contains(err.Error(), "no license") {
		t.Errorf("a call to one that is down: %v", err)
	}
}
