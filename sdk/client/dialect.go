package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/action-llama/gateway/sdk"
)

// Remote is a provider in another process, whichever version of the protocol
// it speaks.
type Remote interface {
	sdk.Provider
	sdk.Challenger
	sdk.Deliverer
	sdk.Sampler
	sdk.SettingsChecker
	// Ping asks whether the provider still answers.
	Ping(context.Context) error
}

// Dialect makes a Remote of a connection on which one version of the protocol
// is spoken. It makes the first call, to Describe.
type Dialect func(context.Context, grpc.ClientConnInterface) (Remote, error)

// Dialects are the versions of the protocol that a host speaks. Go-plugin takes
// the highest one that the provider speaks too.
type Dialects map[int]Dialect

// Spoken returns the versions that this module speaks. A version is added here
// with an adapter of its own; see docs/compatibility.md for when one may go.
func Spoken() Dialects {
	return Dialects{
		sdk.ProtocolVersion: func(ctx context.Context, conn grpc.ClientConnInterface) (Remote, error) { return Connect(ctx, conn) },
	}
}

// Versions lists them, the oldest first.
func (d Dialects) Versions() []int { return slices.Sorted(maps.Keys(d)) }

// Plugins is what go-plugin negotiates with. What it dispenses, under
// [sdk.PluginName], is a grpc.ClientConnInterface for Connect: go-plugin itself
// has no deadline to give to a first call.
func (d Dialects) Plugins() map[int]plugin.PluginSet {
	sets := make(map[int]plugin.PluginSet, len(d))
	for version := range d {
		sets[version] = plugin.PluginSet{sdk.PluginName: connPlugin{}}
	}
	return sets
}

// Connect speaks the version that was negotiated.
func (d Dialects) Connect(ctx context.Context, version int, conn grpc.ClientConnInterface) (Remote, error) {
	dialect, ok := d[version]
	if !ok {
		return nil, fmt.Errorf("version %d of the protocol is not spoken here", version)
	}
	return dialect(ctx, conn)
}

// connPlugin dispenses the connection itself.
type connPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (connPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is the host's end; a provider's is sdk.Serve")
}

func (connPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}
