package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/action-llama/gateway/plugins/github/provider"
	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
	"github.com/action-llama/gateway/sdk/providerv1"
)

// What it would bring to hand a provider several deliveries at once: the same
// provider and the same messages over go-plugin, but whoever waits while a call
// is under way shares the next one. It is not a part of the protocol; the row
// says why.

const (
	// batchedEnv has the gateway in this program use it.
	batchedEnv = "AL_BENCH_BATCHED"
	// batchProvider is the name under which this program is the provider's end.
	batchProvider = "al-provider-github"

	batchMethod = "/bench.Batch/Deliver"
	batchMost   = 64 // deliveries in a call
	batchCalls  = 2  // under way at once, so that both ends have something to do
)

// framesCodec passes what is already encoded, and encodes the rest as usual:
// go-plugin's own services share the connection.
type framesCodec struct{}

type frames struct{ encoded []byte }

func (framesCodec) Name() string { return "proto" }

func (framesCodec) Marshal(v any) ([]byte, error) {
	if f, ok := v.(*frames); ok {
		return f.encoded, nil
	}
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("a %T is no message", v)
	}
	return proto.Marshal(m)
}

func (framesCodec) Unmarshal(raw []byte, v any) error {
	if f, ok := v.(*frames); ok {
		f.encoded = append([]byte(nil), raw...)
		return nil
	}
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("a %T is no message", v)
	}
	return proto.Unmarshal(raw, m)
}

// add appends one message, behind the code that a provider answered with.
func (f *frames) add(code uint32, m proto.Message) error {
	size := proto.Size(m)
	f.encoded = binary.AppendUvarint(f.encoded, uint64(code))
	f.encoded = binary.AppendUvarint(f.encoded, uint64(size))
	var err error
	f.encoded, err = proto.MarshalOptions{}.MarshalAppend(f.encoded, m)
	return err
}

// next takes the first message off.
func (f *frames) next() (code uint32, message []byte, err error) {
	c, n := binary.Uvarint(f.encoded)
	size, m := binary.Uvarint(f.encoded[max(0, n):])
	at := n + m
	if n <= 0 || m <= 0 || uint64(len(f.encoded)-at) < size {
		return 0, nil, errors.New("a frame is cut off")
	}
	message, f.encoded = f.encoded[at:at+int(size)], f.encoded[at+int(size):]
	return uint32(c), message, nil
}

// batchPlugin serves a provider as the SDK does, and batches besides.
type batchPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	served plugin.GRPCPlugin
	// server is the SDK's: who serves a call is told with the call.
	server *atomic.Value
}

func (p batchPlugin) GRPCServer(broker *plugin.GRPCBroker, s *grpc.Server) error {
	if err := p.served.GRPCServer(broker, s); err != nil {
		return err
	}
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Batch", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Deliver", Handler: p.deliver}},
	}, p)
	return nil
}

func (batchPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

func (p batchPlugin) deliver(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // the order that grpc.MethodHandler asks for
	var in, out frames
	if err := decode(&in); err != nil {
		return nil, err
	}
	server := p.server.Load()
	for len(in.encoded) > 0 {
		_, message, err := in.next()
		if err != nil {
			return nil, err
		}
		answer, err := deliverHandler(server, ctx, func(v any) error { return framesCodec{}.Unmarshal(message, v) }, nil)
		var code uint32
		reply, ok := answer.(proto.Message)
		if err != nil || !ok {
			code, reply = uint32(status.Code(err)), status.Convert(err).Proto()
		}
		if err := out.add(code, reply); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

var deliverHandler = func() grpc.MethodHandler {
	for _, m := range providerv1.ProviderService_ServiceDesc.Methods {
		if m.MethodName == "Deliver" {
			return m.Handler
		}
	}
	return nil
}()

func serveBatches() error {
	served, ok := sdk.GRPCPlugin(provider.New("bench")).(plugin.GRPCPlugin)
	if !ok {
		return errors.New("the SDK serves no gRPC")
	}
	server := new(atomic.Value)
	remember := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if info.FullMethod == providerv1.ProviderService_Describe_FullMethodName {
			server.Store(info.Server)
		}
		return next(ctx, req)
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  sdk.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{sdk.ProtocolVersion: {sdk.PluginName: batchPlugin{served: served, server: server}}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.ForceServerCodec(framesCodec{}), grpc.UnaryInterceptor(remember),
				grpc.MaxRecvMsgSize(sdk.DefaultMaxBody), grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(8<<20))...)
		},
		Logger: hclog.NewNullLogger(),
	})
	return nil
}

// batcher is a connection that sends together what waits together.
type batcher struct {
	*grpc.ClientConn
	waiting chan *waiter
}

type waiter struct {
	in, out proto.Message
	done    chan error
}

func (b *batcher) Invoke(ctx context.Context, method string, in, out any, opts ...grpc.CallOption) error {
	request, ok1 := in.(proto.Message)
	answer, ok2 := out.(proto.Message)
	if method != providerv1.ProviderService_Deliver_FullMethodName || !ok1 || !ok2 {
		return b.ClientConn.Invoke(ctx, method, in, out, opts...)
	}
	w := &waiter{in: request, out: answer, done: make(chan error, 1)}
	select {
	case b.waiting <- w:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run sends what waits, until the program ends.
func (b *batcher) run() {
	for first := range b.waiting {
		together := []*waiter{first}
	gather:
		for len(together) < batchMost {
			select {
			case w := <-b.waiting:
				together = append(together, w)
			default:
				break gather
			}
		}
		b.send(together)
	}
}

func (b *batcher) send(together []*waiter) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var in, out frames
	var err error
	for _, w := range together {
		err = errors.Join(err, in.add(0, w.in))
	}
	if err == nil {
		err = b.ClientConn.Invoke(ctx, batchMethod, &in, &out, grpc.ForceCodec(framesCodec{}))
	}
	for _, w := range together {
		if err != nil {
			w.done <- err
			continue
		}
		code, message, e := out.next()
		switch {
		case e != nil:
			w.done <- e
		case code != 0:
			w.done <- errors.New("the delivery failed")
		default:
			w.done <- proto.Unmarshal(message, w.out)
		}
	}
}

// startBatched starts the provider's end as a process, with what a host gives
// to its providers, and returns the provider.
func startBatched(ctx context.Context, dir string) (sdk.Provider, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, batchProvider)
	if err := copyFile(path, self); err != nil {
		return nil, err
	}
	cmd := exec.Command(path) // go-plugin ends it
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400", "GOMEMLIMIT=256MiB")
	p := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{sdk.ProtocolVersion: {sdk.PluginName: batchPlugin{}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              cmd,
		AutoMTLS:         true,
		Managed:          true,
		Logger:           hclog.NewNullLogger(),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithInitialWindowSize(1 << 20), grpc.WithInitialConnWindowSize(8 << 20), grpc.WithDisableServiceConfig(),
		},
	})
	protocol, err := p.Client()
	if err != nil {
		return nil, err
	}
	dispensed, err := protocol.Dispense(sdk.PluginName)
	if err != nil {
		return nil, err
	}
	conn, ok := dispensed.(*grpc.ClientConn)
	if !ok {
		return nil, fmt.Errorf("go-plugin dispenses a %T", dispensed)
	}
	b := &batcher{ClientConn: conn, waiting: make(chan *waiter, batchMost)}
	for range batchCalls {
		go b.run()
	}
	return client.Connect(ctx, b)
}

func copyFile(to, from string) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, program, 0o700) //nolint:gosec // a program
}

// batching compares a call for each delivery with one for all that wait, and
// with none, three gateways side by side.
func batching(ctx context.Context, o options, t *table) error {
	single, err := launch(ctx, o, project{agents: 1}, false)
	if err != nil {
		return err
	}
	defer single.stop()
	batched, err := launch(ctx, o, project{agents: 1, batched: true}, true)
	if err != nil {
		return err
	}
	defer batched.stop()
	none, err := launch(ctx, o, project{agents: 1}, true)
	if err != nil {
		return err
	}
	defer none.stop()
	var singles, batches []result
	var singleRatio, batchRatio []float64
	for range o.rounds {
		var r [3]result
		for i, g := range []*gateway{single, batched, none} {
			if r[i], err = load(ctx, g, o.clients, o.round, 0); err != nil {
				return err
			}
		}
		singles, batches = append(singles, r[0]), append(batches, r[1])
		singleRatio = append(singleRatio, r[0].rate()/r[2].rate())
		batchRatio = append(batchRatio, r[1].rate()/r[2].rate())
	}
	a, b := medianOf(singles), medianOf(batches)
	t.add("a call for each delivery", append(a.figures(), fmt.Sprintf("%.0f %% of in process", 100*median(singleRatio)), a.cost())...)
	t.add("a call for all that wait", append(b.figures(), fmt.Sprintf("%.0f %% of in process", 100*median(batchRatio)), b.cost())...)
	return nil
}
