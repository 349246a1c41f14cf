package pluginhost

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// A provider sees what it is meant to see, and nothing else of the host.
func TestWhatAProviderSees(t *testing.T) {
	t.Setenv("AL_TEST_SECRET", "do not tell")
	t.Setenv("AL_TEST_NAMED", "named")
	t.Setenv("LANG", "C.UTF-8")
	b := newBench(t, []string{"ok"}, func(o *Options) {
		o.Env = map[string][]string{"ok": {"AL_TEST_NAMED", "AL_TEST_UNSET", "GIVEN=as it is"}, "other": {"AL_TEST_SECRET"}}
	})
	// A file that a host inherits from whoever started it.
	inherited, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(inherited) })
	v := ask(t, b.start(t, "ok"))

	var names []string
	for _, e := range v.Env {
		name, value, _ := strings.Cut(e, "=")
		names = append(names, name)
		switch {
		case name == "AL_TEST_NAMED" && value != "named", name == "GIVEN" && value != "as it is":
			t.Errorf("%s", e)
		case name == sdk.HostPIDEnv && value != strconv.Itoa(os.Getpid()):
			t.Errorf("%s, and not %d", e, os.Getpid())
		case name == "PLUGIN_UNIX_SOCKET_DIR" && !strings.HasPrefix(value, b.opts.RuntimeDir):
			t.Errorf("%s", e)
		}
	}
	want := []string{
		"AL_PROVIDER_HOST_PID", "AL_PROVIDER_MAX_BODY_BYTES", "AL_PROVIDER_PLUGIN", "AL_TEST_NAMED", "GIVEN",
		"GOGC", "GOMAXPROCS", "GOMEMLIMIT", "LANG",
		"PLUGIN_CLIENT_CERT", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR",
	}
	for _, name := range []string{"PATH", "HOME", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if _, ok := os.LookupEnv(name); ok {
			want = append(want, name)
		}
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("environment:\n%v, want\n%v", names, want)
	}

	if runtime.GOOS != "linux" {
		return // no /proc
	}
	if v.Stdin != "/dev/null" {
		t.Errorf("stdin is %s", v.Stdin)
	}
	for _, file := range v.Files {
		if n, target, _ := strings.Cut(file, " "); n != "0" && n != "1" && n != "2" && !strings.HasPrefix(target, "/proc/") {
			t.Errorf("open file %s", file)
		}
	}
}

// What is printed once a provider serves is seen.
func TestUnexpectedOutput(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"ok"})
	p := b.start(t, "ok")
	if _, err := p.Parse(within(t, 20*time.Second), request("/print")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"printed to stdout", "printed to stderr"} {
		until(t, want, func() bool {
			return slices.ContainsFunc(strings.Split(b.log.String(), "\n"), func(line string) bool {
				return strings.Contains(line, "[WARN]") && strings.Contains(line, "unexpected output") && strings.Contains(line, want)
			})
		})
	}
}

// The largest body that the host takes goes through, beside others.
func TestLargeBody(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"ok"})
	p := b.start(t, "ok")
	req := request("/size")
	req.Body = bytes.Repeat([]byte("0123456789abcdef"), sdk.DefaultMaxBody/16)
	req.Header = http.Header{"X-Large": {strings.Repeat("h", 64<<10)}}
	d, err := p.Deliver(within(t, 30*time.Second), req, nil, unsigned)
	if err != nil || d.Events[0].Number != sdk.DefaultMaxBody {
		t.Errorf("32 MiB: %v, %v", d.Events, err)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []string
	tell := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprintf(format, args...))
	}
	b := newBench(t, []string{"ok"}, func(o *Options) {
		o.Metrics = Metrics{
			RPC:     func(provider, method string, took time.Duration) { tell("%s %s %t", provider, method, took > 0) },
			Up:      func(provider, version string, up bool) { tell("%s %s %t", provider, version, up) },
			Restart: func(provider string) { tell("%s restart", provider) },
		}
	})
	p := b.start(t, "ok")
	_, _ = p.Parse(within(t, 20*time.Second), request("/exit"))
	ask(t, p)
	if err := b.Stop(within(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	want := []string{"ok 1.0.0 true", "ok parse true", "ok 1.0.0 false", "ok restart", "ok 1.0.0 true", "ok parse true", "ok 1.0.0 false"}
	// The failed call and the process's end are told in either order.
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
