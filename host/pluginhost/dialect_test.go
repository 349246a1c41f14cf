package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
)

// A version 2 of the protocol, for tests only, and as unlike version 1 as it
// can be: one call with one free-form message. What it shows is that a host
// speaks two versions at once, each through an adapter of its own, and that
// nothing else of the host notices.

const secondService = "actionllama.provider.v2test.Provider"

// secondServer is the provider's end of it.
type secondServer struct {
	plugin.NetRPCUnsupportedPlugin
	provider fake
}

// second is what grpc wants to see of a service that nothing generated.
type second interface {
	do(context.Context, *structpb.Struct) (*structpb.Struct, error)
}

func (s secondServer) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: secondService,
		HandlerType: (*second)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Do",
			Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				in := new(structpb.Struct)
				if err := decode(in); err != nil {
					return nil, err
				}
				service, ok := srv.(second)
				if !ok {
					return nil, errors.New("another service")
				}
				return service.do(ctx, in)
			},
		}},
	}, s)
	return nil
}

func (secondServer) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a provider's end")
}

func (s secondServer) do(ctx context.Context, in *structpb.Struct) (*structpb.Struct, error) {
	fields := in.AsMap()
	out := map[string]any{}
	switch fields["what"] {
	case "describe":
		d := s.provider.Describe()
		out["type"], out["name"], out["version"] = d.Type, d.Name, "2.0.0"
		out["signature header"] = d.SignatureHeaders[0]
		out["credential"] = d.Credential.Type
	case "deliver":
		path, _ := fields["path"].(string)
		body, _ := fields["body"].(string)
		signature, _ := fields["signature"].(string)
		secret, _ := fields["secret"].(string)
		req := sdk.Request{Method: http.MethodPost, Path: path, Body: []byte(body), Header: http.Header{"X-Signature": {signature}}}
		d, err := sdk.Deliver(ctx, s.provider, req, []sdk.Secret{{Fields: map[string]string{"secret": secret}}}, sdk.DeliverOptions{})
		if err != nil {
			out["error"] = err.Error()
			break
		}
		out["event"] = d.Events[0].Name
	}
	return structpb.NewStruct(out)
}

// serveSecond is a provider that speaks version 2, and 1 besides if it is
// told to.
func serveSecond(p fake, firstToo bool) {
	versions := map[int]plugin.PluginSet{2: {sdk.PluginName: secondServer{provider: p}}}
	if firstToo {
		versions[1] = plugin.PluginSet{sdk.PluginName: sdk.GRPCPlugin(p)}
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: sdk.Handshake(), VersionedPlugins: versions, GRPCServer: plugin.DefaultGRPCServer,
	})
}

// secondRemote is the host's end: the adapter of version 2.
type secondRemote struct {
	client.Remote // what this version lacks is never called
	conn          grpc.ClientConnInterface
	descriptor    sdk.Descriptor
}

func connectSecond(ctx context.Context, conn grpc.ClientConnInterface) (client.Remote, error) {
	r := &secondRemote{conn: conn}
	said, err := r.do(ctx, map[string]any{"what": "describe"})
	if err != nil {
		return nil, err
	}
	word := func(name string) string { s, _ := said[name].(string); return s }
	r.descriptor = sdk.Descriptor{
		Type: word("type"), Name: word("name"), Version: word("version"), SignatureHeaders: []string{word("signature header")},
		Credential: sdk.Credential{Type: word("credential"), Fields: []sdk.Field{{Name: "secret", Label: "Secret", Secret: true}}},
	}
	return r, nil
}

func (r *secondRemote) do(ctx context.Context, in map[string]any) (map[string]any, error) {
	message, err := structpb.NewStruct(in)
	if err != nil {
		return nil, err
	}
	out := new(structpb.Struct)
	if err := r.conn.Invoke(ctx, "/"+secondService+"/Do", message, out); err != nil {
		return nil, err
	}
	return out.AsMap(), nil
}

func (r *secondRemote) Describe() sdk.Descriptor { return r.descriptor }

func (r *secondRemote) Ping(ctx context.Context) error {
	_, err := r.do(ctx, map[string]any{"what": "describe"})
	return err
}

func (r *secondRemote) Deliver(ctx context.Context, req sdk.Request, secrets []sdk.Secret, _ sdk.DeliverOptions) (sdk.Delivery, error) {
	out, err := r.do(ctx, map[string]any{
		"what": "deliver", "path": req.Path, "body": string(req.Body), "signature": req.Header.Get("X-Signature"),
		"secret": secrets[0].Fields["secret"],
	})
	if err != nil {
		return sdk.Delivery{}, err
	}
	if text, failed := out["error"].(string); failed {
		return sdk.Delivery{}, fmt.Errorf("%w: %s", sdk.ErrBadSignature, text)
	}
	name, _ := out["event"].(string)
	return sdk.Delivery{Which: sdk.Which{0}, Events: []sdk.Event{{Name: name}}}, nil
}

func TestProvidersOfTwoVersionsAnswerSideBySide(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"plain", "both", "second"})
	b.dialects[2] = connectSecond

	for typ, protocol := range map[string]int{"plain": 1, "both": 2, "second": 2} {
		p := b.start(t, typ)
		if got := p.Status().Protocol; got != protocol {
			t.Errorf("%s: version %d is spoken, want %d", typ, got, protocol)
		}
		secrets := []sdk.Secret{{Source: "s", Instance: "default", Fields: map[string]string{"secret": "a secret"}}}
		req := request("/webhooks/" + typ)
		if _, err := p.Deliver(t.Context(), req, secrets, sdk.DeliverOptions{}); !errors.Is(err, sdk.ErrBadSignature) {
			t.Errorf("%s: unsigned: %v", typ, err)
		}
		req.Header.Set("X-Signature", sdk.SignHMACSHA256("sha256=", "a secret", req.Body))
		d, err := p.Deliver(t.Context(), req, secrets, sdk.DeliverOptions{})
		if err != nil || !slices.Equal(d.Which, sdk.Which{0}) || len(d.Events) != 1 || d.Events[0].Name != "issues" {
			t.Errorf("%s: %+v, %v", typ, d, err)
		}
	}
}

// What is released today meets providers of tomorrow: it takes the version that
// both speak, and refuses, with what to do, those that left it behind.
func TestAHostOfVersionOneMeetsTheNext(t *testing.T) {
	t.Parallel()
	b := newBench(t, []string{"both", "second"})
	if p := b.start(t, "both"); p.Status().Protocol != 1 {
		t.Errorf("version %d is spoken", p.Status().Protocol)
	}
	err := b.Start(t.Context(), []string{"second"})
	if err == nil {
		t.Fatal("a provider that speaks version 2 alone was started")
	}
	for _, want := range []string{"speaks version 2 of the protocol, and this al version 1", "update al, or use an older provider"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwithout: %s", err, want)
		}
	}
}
