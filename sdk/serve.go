package sdk

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// stderr is kept from before go-plugin replaces os.Stderr by a pipe: log lines
// written to that one arrive without their level.
var stderr = os.Stderr

// NewLogger returns a logger whose lines arrive in the host's log with their
// level and fields. Never log a body, a header or a secret.
func NewLogger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{JSONFormat: true, Level: hclog.Debug, Output: stderr})
}

// Serve is all of a provider's main function. It must be the first thing that
// main does: a line on stdout before it ends the start.
//
//	func main() { sdk.Serve(provider{}) }
//
// It speaks go-plugin with the host, bounds messages as the host asks, keeps a
// panic in one call from ending the others, and leaves when the host stops it
// or is gone.
func Serve(p Provider) {
	handshake := Handshake()
	if os.Getenv(handshake.MagicCookieKey) != handshake.MagicCookieValue {
		explain(p)
		return
	}
	log := NewLogger()
	go leaveWithHost(log)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  handshake,
		VersionedPlugins: map[int]plugin.PluginSet{ProtocolVersion: {PluginName: GRPCPlugin(p)}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, serverOptions(log)...)...)
		},
		Logger: log,
	})
}

// explain tells a person who runs a provider by hand what it is for.
func explain(p Provider) {
	d := p.Describe()
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Fprintf(stderr, "%s%s %s (protocol %d)\n", BinaryPrefix, d.Type, d.Version, ProtocolVersion)
		os.Exit(0)
	}
	fmt.Fprintf(stderr, `This is the %s provider (version %s, protocol %d) for the al gateway.
It is started by al, not by hand: put this file into a folder where al looks
for providers (beside al in plugins/, or .al/plugins of a project) under the
name %s%s, and use type = %q in config.toml.
`, d.Name, d.Version, ProtocolVersion, BinaryPrefix, d.Type, d.Type)
	os.Exit(1)
}

func serverOptions(log hclog.Logger) []grpc.ServerOption {
	limit := maxMessage(os.Getenv(MaxBodyEnv))
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(limit),
		grpc.MaxSendMsgSize(limit),
		grpc.ChainUnaryInterceptor(recoverPanics(log)),
		// A request of usual size travels without waiting for window updates.
		grpc.InitialWindowSize(1 << 20),
		grpc.InitialConnWindowSize(8 << 20),
	}
}

func maxMessage(env string) int {
	body, err := strconv.Atoi(env)
	if err != nil || body <= 0 {
		body = DefaultMaxBody
	}
	return body + MessageOverhead
}

// leaveWithHost ends the process when its parent is gone, on systems where
// nothing else does: a host that was killed can not say goodbye.
func leaveWithHost(log hclog.Logger) {
	parent := os.Getppid()
	if pid, err := strconv.Atoi(os.Getenv(HostPIDEnv)); err == nil && pid != parent {
		log.Error("the host was gone before this provider started")
		os.Exit(1)
	}
	for range time.Tick(time.Second) {
		if os.Getppid() != parent {
			os.Exit(0) // no log line: nobody reads it, and the pipe may block
		}
	}
}
