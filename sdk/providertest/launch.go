package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
)

const (
	startTimeout = 10 * time.Second // the host's, from launch to handshake
	stopTimeout  = 5 * time.Second  // then the process is killed

	// maxCapture is how much of a process's output is kept to be searched. A
	// provider that is asked thousands of things writes less than this, unless
	// it writes down what it is asked.
	maxCapture = 8 << 20
)

// Launch starts a provider's binary as the host does: the same handshake and
// environment, AutoMTLS, and a directory of its own for the socket. The binary
// may be written in any language.
func Launch(ctx context.Context, path string) (*Target, error) {
	log := new(capture)
	p, err := start(ctx, path, log)
	if err != nil {
		return nil, err
	}
	return &Target{
		Name:     "binary",
		provider: p.client,
		close:    p.stop,
		log:      log,
		exited:   p.plugin.Exited,
		describe: func(ctx context.Context) (sdk.Descriptor, error) {
			again, err := start(ctx, path, log)
			if err != nil {
				return sdk.Descriptor{}, err
			}
			return again.client.Describe(), again.stop()
		},
	}, nil
}

// process is one run of a binary.
type process struct {
	plugin *plugin.Client
	cmd    *exec.Cmd
	client client.Remote
	dir    string
}

func start(ctx context.Context, path string, log *capture) (*process, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("start provider: %w", err)
	}
	dir, err := socketDir()
	if err != nil {
		return nil, fmt.Errorf("start provider: %w", err)
	}
	cmd := exec.Command(path) // go-plugin ends it, and stop does where that fails
	cmd.Env = environment(dir)
	p := &process{cmd: cmd, dir: dir, plugin: plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		VersionedPlugins: client.Spoken().Plugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              cmd,
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     startTimeout,
		Logger:           hclog.NewNullLogger(),
		Stderr:           log,
		SyncStdout:       log,
		SyncStderr:       log,
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage))},
	})}
	if err := p.connect(ctx); err != nil {
		err = errors.Join(fmt.Errorf("start %s: %w", path, err), p.stop())
		if wrote := log.tail(); wrote != "" {
			err = fmt.Errorf("%w; it wrote: %s", err, wrote)
		}
		return nil, err
	}
	return p, nil
}

func (p *process) connect(ctx context.Context) error {
	protocol, err := p.plugin.Client()
	if err != nil {
		if strings.Contains(err.Error(), "Unrecognized remote plugin message") {
			return fmt.Errorf("it wrote something else than the handshake to stdout; sdk.Serve has to be the first call of main, and logs go to stderr with sdk.NewLogger: %w", err)
		}
		return err
	}
	conn, err := protocol.Dispense(sdk.PluginName)
	if err != nil {
		return err
	}
	channel, ok := conn.(grpc.ClientConnInterface)
	if !ok {
		return fmt.Errorf("go-plugin dispenses a %T", conn)
	}
	ctx, cancel := context.WithTimeout(ctx, describeLimit)
	defer cancel()
	p.client, err = client.Spoken().Connect(ctx, p.plugin.NegotiatedVersion(), channel)
	return err
}

// stop asks the process to leave, and makes it leave. What go-plugin waits for
// has no deadline of its own.
func (p *process) stop() error {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p.plugin.Kill()
	}()
	select {
	case <-gone:
	case <-time.After(stopTimeout):
		if p.cmd.Process != nil {
			_ = p.cmd.Process.Kill() // what is gone already is fine
		}
		select {
		case <-gone:
		case <-time.After(stopTimeout):
			return errors.Join(errors.New("the provider's process does not end, or a child of it holds its output"), os.RemoveAll(p.dir))
		}
	}
	return os.RemoveAll(p.dir)
}

// socketDir is short: the path of a socket ends near 107 bytes, 103 on macOS,
// where the usual directory for temporary files is long.
func socketDir() (string, error) {
	if dir, err := os.MkdirTemp("/tmp", "al"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "al")
}

// environment is what the host lets a provider see.
func environment(socketDir string) []string {
	env := []string{
		"GOMAXPROCS=1", "GOGC=400", "GOMEMLIMIT=256MiB",
		plugin.EnvUnixSocketDir + "=" + socketDir,
		sdk.MaxBodyEnv + "=" + strconv.Itoa(sdk.DefaultMaxBody),
		sdk.HostPIDEnv + "=" + strconv.Itoa(os.Getpid()),
	}
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Build compiles the command of a provider with the go tool, into dir under the
// name that the host looks for. The package is named as on the go tool's
// command line, from the directory that the test runs in.
func Build(ctx context.Context, dir, pkg, typ string) (string, error) {
	path := filepath.Join(dir, sdk.BinaryPrefix+typ)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// capture keeps what processes write.
type capture struct {
	mu   sync.Mutex
	text []byte
}

// Write implements [io.Writer]; beyond the bound it forgets.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p[:min(len(p), maxCapture-len(c.text))]...)
	return len(p), nil
}

func (c *capture) lines() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Split(bytes.Clone(c.text), []byte("\n"))
}

// tail returns the end of what was written.
func (c *capture) tail() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	const most = 600
	return strings.ToValidUTF8(strings.TrimSpace(string(c.text[max(0, len(c.text)-most):])), "")
}
