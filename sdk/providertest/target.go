package providertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
)

// Target is a provider and the way to it. Make one with [Direct], [Loopback] or
// [Launch], and close it.
type Target struct {
	// Name is the word for the way in findings: direct, grpc or binary.
	Name string

	provider sdk.Provider
	close    func() error
	// describe asks for the descriptor afresh: of a new process, where there
	// are processes.
	describe func(context.Context) (sdk.Descriptor, error)
	log      *capture // what a process wrote; nil where there is none
	exited   func() bool
}

// Direct calls a provider as a function. Whatever else it may be, a fault that
// shows here is the provider's own.
func Direct(p sdk.Provider) *Target {
	return &Target{
		Name:     "direct",
		provider: p,
		close:    func() error { return nil },
		describe: func(context.Context) (sdk.Descriptor, error) { return sdk.Describe(p), nil },
	}
}

// Loopback calls a provider in this process over gRPC, which shows what does
// not survive the wire.
func Loopback(ctx context.Context, p sdk.Provider) (*Target, error) {
	served, ok := sdk.GRPCPlugin(p).(plugin.GRPCPlugin)
	if !ok {
		return nil, errors.New("sdk.GRPCPlugin returns no gRPC plugin")
	}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage), grpc.UnaryInterceptor(recovered))
	if err := served.GRPCServer(nil, server); err != nil {
		return nil, fmt.Errorf("serve provider: %w", err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(listener) // ends when it is stopped
	}()
	conn, err := grpc.NewClient("passthrough:///provider",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		server.Stop()
		<-stopped
		return nil, fmt.Errorf("connect to provider: %w", err)
	}
	t := &Target{Name: "grpc", close: func() error {
		err := conn.Close()
		server.Stop()
		<-stopped
		return err
	}}
	t.describe = func(ctx context.Context) (sdk.Descriptor, error) { return describeOver(ctx, conn) }
	if t.provider, err = client.Connect(ctx, conn); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// maxMessage is what the host allows by default.
const maxMessage = sdk.DefaultMaxBody + sdk.MessageOverhead

func describeOver(ctx context.Context, conn grpc.ClientConnInterface) (sdk.Descriptor, error) {
	c, err := client.Connect(ctx, conn)
	if err != nil {
		return sdk.Descriptor{}, err
	}
	return c.Describe(), nil
}

// Describe returns what the provider says of itself.
func (t *Target) Describe() sdk.Descriptor { return sdk.Describe(t.provider) }

// Exited says that the target's process is gone, so that nothing more can be
// asked of it. A target without a process never is.
func (t *Target) Exited() bool { return t.exited != nil && t.exited() }

// Close ends what was started for the target.
func (t *Target) Close() error { return t.close() }

// onWire says that header names reach the provider as they are written. In
// process they are canonical by contract.
func (t *Target) onWire() bool { return t.Name != "direct" }

// panicText begins the error of a call that panicked, as in sdk.Serve.
const panicText = "provider panicked"

// recovered is what sdk.Serve has, too: it is not exported, and without it a
// provider that panics would end the test.
func recovered(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			resp, err = nil, status.Errorf(codes.Internal, "%s: %s", panicText, thrownAt(thrown))
		}
	}()
	return next(ctx, req)
}

// thrownAt says what was thrown, and the line of the provider that did it.
func thrownAt(thrown any) string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%v, at %s:%d", thrown, f.File, f.Line)
		}
	}
	return fmt.Sprint(thrown)
}

func panicked(err error) bool { return err != nil && strings.Contains(err.Error(), panicText) }

// gone says that the process has ended. The connection notices that a moment
// before whoever waits for the process does.
func (t *Target) gone() bool {
	if t.exited == nil {
		return false
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		if t.exited() {
			return true
		}
		<-tick.C
	}
	return false
}
