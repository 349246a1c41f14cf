package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
)

// describeTimeout bounds the first call after the handshake. Describe only
// returns what is compiled in.
const describeTimeout = 5 * time.Second

// keptEnv is what a provider sees of the host's environment: what programs need
// to find their files, speak the user's language and trust certificates. The
// rest of it may be secret.
var keptEnv = []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}

// goEnv tunes the Go runtime of a provider, other languages do not mind. A
// provider computes for some 50 µs per delivery: a second thread and an eager
// collector cost more than they gain (measured: a quarter of the CPU time of a
// delivery, host included), and one core verifies thousands a second. The limit
// makes the collector eager again when large bodies come. [plugins] can say
// otherwise, since what it names comes later.
var goEnv = []string{"GOMAXPROCS=1", "GOGC=400", "GOMEMLIMIT=256MiB"}

// instance is one process of a provider, from its handshake to its end.
type instance struct {
	client client.Remote
	plugin *plugin.Client
	proc   *process
	dir    *socketDir
	stderr *ring
	path   string
	up     time.Time
	// protocol is the version that was negotiated.
	protocol int
	// owner and file are set once it has described itself.
	owner *Provider
	file  fileID
	// hides are files of the same type that come later.
	hides []string
	// leaving is closed when a process that was replaced takes no calls any more.
	leaving chan struct{}
	// slots bounds the calls in flight; whoever holds all of them knows that
	// there are none.
	slots chan struct{}
	calls atomic.Uint64 // that were ever made
}

// launch starts a process of a type and returns it once it has described
// itself. Everything that go-plugin needs is made anew: a client, its config and
// its command work for one process only. What hangs on the way ends with the
// process, which ctx and the timeouts end.
func (h *Host) launch(ctx context.Context, typ string) (*instance, error) {
	bin, err := Lookup(h.opts.Dirs, typ)
	if err != nil {
		return nil, faultOfFile(err)
	}
	if err := h.approve(bin); err != nil {
		return nil, faulty(FaultFile, err)
	}
	dir, err := newSocketDir(h.opts.RuntimeDir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, h.opts.StartTimeout+describeTimeout)
	defer cancel()

	in := &instance{
		proc:   newProcess(bin.Path, max(0, h.opts.MaxMemory)),
		dir:    dir,
		stderr: new(ring),
		path:   bin.Path,
		slots:  make(chan struct{}, maxCalls),

		leaving: make(chan struct{}),
		hides:   bin.Shadowed,
	}
	in.plugin = plugin.NewClient(h.clientConfig(typ, in))
	release := context.AfterFunc(ctx, in.proc.kill)
	begun := time.Now()
	err = h.connect(ctx, in, typ)
	if !release() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		took := time.Since(begun)
		in.proc.kill()
		in.plugin.Kill() // nothing to wait for but the goroutines that read its output
		return nil, errors.Join(h.explain(in, err, took), dir.remove())
	}
	in.up = time.Now()
	return in, nil
}

// approve asks whether a file may be started. Somebody who can change the file
// between this and its start is not kept from anything.
func (h *Host) approve(bin Binary) error {
	if h.opts.Approve == nil {
		return nil
	}
	if err := h.opts.Approve(bin); err != nil {
		return fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return nil
}

func (h *Host) clientConfig(typ string, in *instance) *plugin.ClientConfig {
	log := h.log.Named(typ)
	output := &throttle{limit: outputLines, every: outputEvery, now: time.Now, flood: func() { h.fault(typ, FaultFlood) }}
	stdout := func() { h.fault(typ, FaultOutput) }
	return &plugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		VersionedPlugins: h.dialects.Plugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		Managed:          false, // its list of clients is global and closed once
		SkipHostEnv:      true,
		StartTimeout:     h.opts.StartTimeout,
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			in.proc.env = h.environment(typ, in.dir.path, cmd.Env)
			return in.proc, nil
		},
		// It makes a directory for sockets whatever we do; ours goes with it.
		UnixSocketConfig:    &plugin.UnixSocketConfig{TempDir: in.dir.path},
		Logger:              quiet{Logger: log, program: filepath.Base(in.path), provider: &throttled{log, output}},
		Stderr:              in.stderr,
		SyncStdout:          &lineLogger{log: &throttled{log.With("stream", "stdout"), output}, told: stdout},
		SyncStderr:          &lineLogger{log: &throttled{log.With("stream", "stderr"), output}},
		PluginLogBufferSize: stderrLineMax,
		GRPCDialOptions:     dialOptions(int(h.opts.MaxBody) + sdk.MessageOverhead),
	}
}

// environment is exactly what a provider sees. The names that [plugins] lists
// for its type are looked up here; "NAME=value" is passed as it is.
func (h *Host) environment(typ, socketDir string, fromPlugin []string) []string {
	var env []string
	for _, name := range slices.Concat(keptEnv, goEnv, h.opts.Env[typ]) {
		if strings.Contains(name, "=") {
			env = append(env, name)
		} else if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, v := range fromPlugin {
		if !strings.HasPrefix(v, plugin.EnvUnixSocketDir+"=") {
			env = append(env, v)
		}
	}
	return append(env,
		plugin.EnvUnixSocketDir+"="+socketDir,
		sdk.MaxBodyEnv+"="+strconv.FormatInt(h.opts.MaxBody, 10),
		sdk.HostPIDEnv+"="+strconv.Itoa(os.Getpid()),
	)
}

func dialOptions(maxMessage int) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		// As in sdk.Serve: bodies do not wait for window updates, and nobody
		// probes for a better size, which would be a tenth of a call's CPU time.
		grpc.WithInitialWindowSize(1 << 20),
		grpc.WithInitialConnWindowSize(8 << 20),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithChainStreamInterceptor(optionalStreams),
	}
}

// optionalStreams is about go-plugin's own streams; ours are no streams. When
// its stream for output fails in any other way than this one, go-plugin returns
// without closing the connection it has made.
func optionalStreams(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return stream, nil
}

func (h *Host) connect(ctx context.Context, in *instance, typ string) error {
	if _, err := in.plugin.Start(); err != nil {
		return &handshakeError{err}
	}
	protocol, err := in.plugin.Client()
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	dispensed, err := protocol.Dispense(sdk.PluginName)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	conn, ok := dispensed.(grpc.ClientConnInterface)
	if !ok {
		return fmt.Errorf("connect: go-plugin dispenses a %T instead of a connection", dispensed)
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	in.protocol = in.plugin.NegotiatedVersion()
	if in.client, err = h.dialects.Connect(ctx, in.protocol, conn); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return faulty(FaultStart, fmt.Errorf("it shook hands but did not describe itself within %s: %w", describeTimeout, err))
		}
		return faulty(FaultDescriptor, err)
	}
	return faulty(FaultDescriptor, checkDescriptor(typ, in.client.Describe()))
}

// What is sensible in a descriptor. It goes into logs, metrics and terminals.
const (
	maxDescribed   = 500 // filters, fields, samples
	maxVersionText = 64
)

// checkDescriptor says what is wrong with what a process says of itself.
func checkDescriptor(typ string, d sdk.Descriptor) error {
	if d.Type != typ {
		return fmt.Errorf("it says that its type is %q; rename it to %s%s", clip(d.Type), sdk.BinaryPrefix, clip(d.Type))
	}
	for what, text := range map[string]string{"name": d.Name, "version": d.Version} {
		if len(text) > maxVersionText || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("its description is not valid: the %s %q is not a short text of one line", what, clip(text))
		}
	}
	if n := max(len(d.Filters), len(d.Credential.Fields), len(d.Samples), len(d.SignatureHeaders), len(d.Example)); n > maxDescribed {
		return fmt.Errorf("its description is not valid: it has %d of a kind; %d is the most", n, maxDescribed)
	}
	if err := d.Validate(); err != nil {
		return fmt.Errorf("its description is not valid: %w", err)
	}
	return nil
}

// handshakeError is go-plugin's word on why a process did not start, which is
// the same for many causes.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

// explain says why a start failed, from what the process left behind.
func (h *Host) explain(in *instance, err error, took time.Duration) error {
	var handshake *handshakeError
	if !errors.As(err, &handshake) {
		return in.withQuote(err)
	}
	if in.proc.ID() == "" {
		return faulty(FaultFile, notStarted(in.path, handshake.error))
	}
	line := in.proc.stdout.firstLine()
	fields := strings.Split(line, "|")
	if line != "" && len(fields) < 4 {
		return faulty(FaultHandshake, fmt.Errorf("%s wrote %q to stdout before the handshake; log on stderr with sdk.NewLogger", in.path, clip(line)))
	}
	if len(fields) >= 4 {
		return fmt.Errorf("%s: %w", in.path, h.wrongHandshake(fields, handshake.error))
	}
	select {
	case <-in.proc.exited:
		if end, byHost := in.proc.end(); !byHost {
			return faulty(FaultHandshake, in.withQuote(fmt.Errorf("%s ended before the handshake: %s", in.path, end)))
		}
	default:
	}
	timeout := h.opts.StartTimeout
	if took < timeout {
		return faulty(FaultHandshake, in.withQuote(fmt.Errorf("%s closed its stdout before the handshake, or was stopped meanwhile", in.path)))
	}
	return faulty(FaultStart, in.withQuote(fmt.Errorf("%s: no handshake within %s; sdk.Serve must be the first call of main", in.path, timeout)))
}

func (in *instance) withQuote(err error) error {
	if quote := in.stderr.quote(); quote != "" {
		return fmt.Errorf("%w; it wrote: %s", err, quote)
	}
	return err
}

func notStarted(path string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		hint = "; is its file system mounted noexec?"
	case errors.Is(err, fs.ErrNotExist):
		hint = "; is the interpreter in its first line installed?"
	case errors.Is(err, syscall.ENOEXEC):
		hint = "; it is no program for this machine"
	}
	return fmt.Errorf("start %s: %w%s", path, err, hint)
}

func (h *Host) wrongHandshake(fields []string, err error) error {
	if len(fields) >= 5 && fields[4] != string(plugin.ProtocolGRPC) {
		return faulty(FaultProtocol, fmt.Errorf("speaks %q instead of grpc; build it with sdk.Serve: %w", clip(fields[4]), err))
	}
	version, notNumber := strconv.Atoi(fields[1])
	if _, known := h.dialects[version]; notNumber == nil && !known {
		spoken := h.dialects.Versions()
		advice := "update the provider"
		if version > spoken[len(spoken)-1] {
			advice = "update al, or use an older provider"
		}
		return faulty(FaultProtocol, fmt.Errorf("speaks version %d of the protocol, and this al %s; %s", version, versions(spoken), advice))
	}
	return faulty(FaultHandshake, err)
}

// versions says "version 1" or "versions 1, 2".
func versions(spoken []int) string {
	var words []string
	for _, v := range spoken {
		words = append(words, strconv.Itoa(v))
	}
	if len(words) == 1 {
		return "version " + words[0]
	}
	return "versions " + strings.Join(words, ", ")
}

func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
