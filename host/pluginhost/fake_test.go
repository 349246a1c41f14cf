package pluginhost

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providerv1"
)

// The test binary is also the providers and the hosts that are killed: what it
// is depends on the name under which it is started.
func TestMain(m *testing.M) {
	name := filepath.Base(os.Args[0])
	if mode, ok := sdk.TypeOfBinary(name); ok {
		runFake(mode)
		return
	}
	if name == "victim-host" {
		runVictimHost()
		return
	}
	goleak.VerifyTestMain(m)
}

// runFake is a provider whose type says what is wrong with its start. What is
// to go wrong later comes in the path of a request.
func runFake(mode string) {
	typ := mode
	if other := beside("mode"); other != "" {
		mode = other
	}
	switch mode {
	case "garbage":
		fmt.Println("hello from main")
	case "exits":
		fmt.Fprintln(os.Stderr, "no license for this machine")
		os.Exit(3)
	case "silent":
		forever()
	case "deaf":
		os.Stdout.Close()
		forever()
	case "oldcookie":
		os.Setenv(sdk.Handshake().MagicCookieKey, "another")
	case "future":
		fmt.Println("1|7|unix|/nowhere|grpc|")
		forever()
	case "netrpc":
		fmt.Println("1|1|unix|/nowhere|netrpc|")
		forever()
	case "wrongtype":
		typ = "other"
	case "hangs":
		serveBad(func() { select {} })
		return
	case "dies":
		serveBad(func() {
			fmt.Fprintln(realStderr, "panic: gone already")
			os.Exit(2)
		})
		return
	case "foreign": // does not notice when its host is gone
		serveBad(func() {})
		return
	case "second", "both":
		serveSecond(fake{typ: typ}, mode == "both")
		return
	case "sampler", "credulous", "unsigned", "forgetful", "sampleless", "promiscuous", "panics":
		sdk.Serve(sampler{fake: fake{typ: typ, atStart: look()}, wrong: mode})
		return
	case "liar":
		serveLiar(typ, func(*providerv1.Descriptor) {})
		return
	case "clash":
		serveLiar(typ, func(d *providerv1.Descriptor) {
			d.Filters = []*providerv1.Filter{{Name: "label", Attribute: "label"}, {Name: "labels", Attribute: "label", MatchCase: true}}
		})
		return
	case "typeless":
		serveLiar(typ, func(d *providerv1.Descriptor) { d.Type = "" })
		return
	case "escapes":
		serveLiar(typ, func(d *providerv1.Descriptor) { d.Version = "1.0.0\x1b[2J" })
		return
	case "boundless":
		serveLiar(typ, func(d *providerv1.Descriptor) {
			for n := range maxDescribed + 1 {
				d.Filters = append(d.Filters, &providerv1.Filter{Name: fmt.Sprint("f", n), Attribute: "label"})
			}
		})
		return
	case "stubborn":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		defer func() { select {} }() // Serve returns when it is asked to leave
	case "parent", "parent2":
		fork(mode == "parent2")
	}
	sdk.Serve(fake{typ: typ, atStart: look()})
}

// forever waits. A select without cases would be taken for a deadlock and end the
// process where it is built without cgo.
func forever() {
	for {
		<-time.After(time.Hour)
	}
}

// serveBad shakes hands as it should, without what sdk.Serve does besides, and
// does something before it describes itself.
func serveBad(describe func()) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: sdk.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{
			sdk.ProtocolVersion: {sdk.PluginName: badPlugin{describe: describe}},
		},
		GRPCServer: plugin.DefaultGRPCServer,
	})
}

var realStderr = os.Stderr // before go-plugin replaces it

type badPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	providerv1.UnimplementedProviderServiceServer
	describe func()
}

func (p badPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	providerv1.RegisterProviderServiceServer(s, p)
	return nil
}

func (badPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (p badPlugin) Describe(context.Context, *providerv1.DescribeRequest) (*providerv1.DescribeResponse, error) {
	p.describe()
	return &providerv1.DescribeResponse{Descriptor_: &providerv1.Descriptor{Type: "foreign"}}, nil
}

// fork starts a child that keeps the pipes to the host open.
func fork(ownSession bool) {
	child := exec.Command("/bin/sleep", "600")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: ownSession}
	if err := child.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("FAKE_CHILD", fmt.Sprint(child.Process.Pid))
}

var leaked [][]byte

// view is what a process sees of the world when it starts.
type view struct {
	PID, Group int
	Child      string
	Env, Files []string
	Stdin      string
	Status     string // of /proc, when it was asked
	Limits     string
	UserCPU    time.Duration
	SystemCPU  time.Duration
}

func look() view {
	v := view{PID: os.Getpid(), Group: syscall.Getpgrp(), Env: os.Environ(), Child: os.Getenv("FAKE_CHILD")}
	v.Stdin, _ = os.Readlink("/proc/self/fd/0")
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(target, "anon_inode:") && !strings.HasPrefix(target, "/sys/fs/cgroup/") { // Go's own
			v.Files = append(v.Files, e.Name()+" "+target)
		}
	}
	return v
}

type fake struct {
	typ     string
	atStart view
}

func (f fake) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type:             f.typ,
		Name:             "Fake",
		Version:          fakeVersion(),
		Credential:       sdk.Credential{Type: "fake_secret", Fields: []sdk.Field{{Name: "secret", Label: "Secret", Secret: true}}},
		SignatureHeaders: []string{"X-Signature"},
		ReplyDeadline:    10 * time.Second,
	}
}

// beside reads a file beside the program, so that a test can replace what it is.
func beside(what string) string {
	text, err := os.ReadFile(os.Args[0] + "." + what)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func fakeVersion() string {
	if v := beside("version"); v != "" {
		return v
	}
	return "1.0.0"
}

func (f fake) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, "X-Signature", "sha256=")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, "secret", signature, req.Body)
}

func (f fake) Parse(ctx context.Context, req sdk.Request) ([]sdk.Event, error) {
	switch req.Path {
	case "/panic":
		panic("with a body in it")
	case "/crash":
		go panic("crashed on request")
		select {}
	case "/exit":
		os.Exit(7)
	case "/hang":
		<-ctx.Done()
		return nil, ctx.Err()
	case "/deafhang":
		select {}
	case "/leak":
		block := make([]byte, 200<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		leaked = append(leaked, block)
	case "/leakfast":
		for {
			leaked = append(leaked, make([]byte, 64<<20))
		}
	case "/forkmany":
		for range maxChildren + 1 {
			fork(false)
		}
	case "/spin":
		go func() {
			for n := 0; ; n++ {
				leaked = nil
			}
		}()
	case "/flood":
		for n := range 5000 {
			fmt.Fprintln(realStderr, "line", n, "of a flood")
		}
	case "/print":
		fmt.Println("printed to stdout")
		fmt.Fprintln(os.Stderr, "printed to stderr")
	case "/look":
		v := f.atStart
		status, _ := os.ReadFile("/proc/self/status")
		limits, _ := os.ReadFile("/proc/self/limits")
		v.Status, v.Limits = string(status), string(limits)
		var usage unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err == nil {
			v.UserCPU, v.SystemCPU = time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())
		}
		text, err := json.Marshal(v)
		return []sdk.Event{{Name: "look", Extra: map[string]any{"view": string(text)}}}, err
	case "/unparseable":
		return nil, sdk.Unparseable("no action in it")
	case "/size":
		return []sdk.Event{{Name: "size", Number: int64(len(req.Body))}}, nil
	}
	return []sdk.Event{{
		DeliveryID: "72d3162e-cc78-11e3-81ab-4c9367dc0958", Name: "issues", Action: "labeled", Repo: "octo/hello",
		Number: 42, Title: "A title of usual length for an issue", Body: strings.Repeat("text ", 100),
		URL: "https://example.com/octo/hello/issues/42", Author: "octo", Labels: []string{"bug", "agent"}, Sender: "octo",
		Timestamp:  req.ReceivedAt,
		Attributes: map[string][]string{"label": {"agent"}, "repo": {"octo/hello"}, "event": {"issues"}, "action": {"labeled"}},
	}}, nil
}

func request(path string) sdk.Request {
	return sdk.Request{Method: http.MethodPost, Path: path, Header: http.Header{}, Body: []byte("{}"), ReceivedAt: time.Now()}
}
