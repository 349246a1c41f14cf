package pluginhost

import (
	"context"
	"strings"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providerv1"
)

// liar speaks the protocol without the SDK, which would not let it say all this.
// What it says depends on the path of the request.
type liar struct {
	plugin.NetRPCUnsupportedPlugin
	providerv1.UnimplementedProviderServiceServer
	descriptor *providerv1.Descriptor
}

func serveLiar(typ string, change func(*providerv1.Descriptor)) {
	d := &providerv1.Descriptor{
		Type: typ, Name: "Liar", Version: "1.0.0", SignatureHeaders: []string{"X-Signature"}, Challenges: true,
		Credential: &providerv1.Credential{Type: "liar_secret", Fields: []*providerv1.Field{{Name: "secret", Secret: true}}},
	}
	change(d)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  sdk.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{sdk.ProtocolVersion: {sdk.PluginName: liar{descriptor: d}}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxSendMsgSize(1<<30))...)
		},
	})
}

func (l liar) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	providerv1.RegisterProviderServiceServer(s, l)
	return nil
}

func (liar) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (l liar) Describe(context.Context, *providerv1.DescribeRequest) (*providerv1.DescribeResponse, error) {
	return &providerv1.DescribeResponse{Descriptor_: l.descriptor}, nil
}

func (liar) Deliver(_ context.Context, in *providerv1.DeliverRequest) (*providerv1.DeliverResponse, error) {
	out := &providerv1.DeliverResponse{Which: []int32{0}}
	out.Events, out.Reply = lies(in.GetRequest().GetPath())
	switch in.GetRequest().GetPath() {
	case "/source":
		out.Which = []int32{0, 1}
	case "/negative":
		out.Which = []int32{-1}
	case "/unsigned":
		out.Which, out.Unsigned = nil, true
	}
	return out, nil
}

func (liar) Parse(_ context.Context, in *providerv1.ParseRequest) (*providerv1.ParseResponse, error) {
	events, _ := lies(in.GetRequest().GetPath())
	return &providerv1.ParseResponse{Events: events}, nil
}

func (liar) Verify(context.Context, *providerv1.VerifyRequest) (*providerv1.VerifyResponse, error) {
	return &providerv1.VerifyResponse{Which: []int32{5}}, nil
}

func (liar) Challenge(_ context.Context, in *providerv1.ChallengeRequest) (*providerv1.ChallengeResponse, error) {
	_, reply := lies(in.GetRequest().GetPath())
	return &providerv1.ChallengeResponse{Reply: reply}, nil
}

func lies(path string) (events []*providerv1.Event, reply *providerv1.Reply) {
	event := &providerv1.Event{Name: "push"}
	events = []*providerv1.Event{event}
	answer := func(status int32, name, value string) *providerv1.Reply {
		return &providerv1.Reply{Status: status, Headers: []*providerv1.Header{{Name: name, Values: [][]byte{[]byte(value)}}}}
	}
	switch path {
	case "/many":
		events = nil
		for range 10_000 {
			events = append(events, event)
		}
	case "/huge":
		event.Title = strings.Repeat("x", 100<<20)
	case "/nameless":
		event.Name = ""
	case "/heavy":
		event.ExtraJson = []byte(`{"deep":["` + strings.Repeat("x", 2<<20) + `"]}`)
	case "/crlf":
		reply = answer(200, "X-A", "a\r\nSet-Cookie: b=c")
	case "/name":
		reply = answer(200, "X A:", "a")
	case "/status":
		reply = answer(99, "X-A", "a")
	case "/switching":
		reply = answer(101, "X-A", "a")
	case "/hop":
		reply = answer(200, "Transfer-Encoding", "chunked")
	case "/longreply":
		reply = &providerv1.Reply{Status: 200, Body: make([]byte, 2<<20)}
	case "/taken":
		event.Taken = answer(1000, "X-A", "a")
	}
	return events, reply
}
