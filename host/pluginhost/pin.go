package pluginhost

import (
	"context"

	"github.com/action-llama/gateway/sdk"
)

// pinned is a provider as one process of it describes it.
type pinned struct {
	*Provider
	in *instance // nil: none was there
}

var (
	_ sdk.Provider        = pinned{}
	_ sdk.Challenger      = pinned{}
	_ sdk.Deliverer       = pinned{}
	_ sdk.Sampler         = pinned{}
	_ sdk.SettingsChecker = pinned{}
)

// Pin returns the provider as it is now. Calls go to the process of now for as
// long as it is there: while another takes its place, whoever has read the
// filters of the one is not given the events of the other. Once it has left, by
// then or because it died, calls go to the process of the moment.
func (p *Provider) Pin() sdk.Provider { return pinned{Provider: p, in: p.living()} }

// Describe returns what the process said.
func (p pinned) Describe() sdk.Descriptor {
	if p.in == nil {
		return p.Provider.Describe()
	}
	return p.in.client.Describe()
}

func (p pinned) Verify(ctx context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	return p.verify(ctx, p.in, req, secrets)
}

func (p pinned) Challenge(ctx context.Context, req sdk.Request, secrets []sdk.Secret) (*sdk.Reply, error) {
	return p.challenge(ctx, p.in, req, secrets)
}

func (p pinned) Parse(ctx context.Context, req sdk.Request) ([]sdk.Event, error) {
	return p.parse(ctx, p.in, req)
}

func (p pinned) Deliver(ctx context.Context, req sdk.Request, secrets []sdk.Secret, opts sdk.DeliverOptions) (sdk.Delivery, error) {
	return p.deliver(ctx, p.in, req, secrets, opts)
}

func (p pinned) Samples() []sdk.Sample { return p.Describe().Samples }

func (p pinned) Sample(ctx context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	return p.sample(ctx, p.in, ask)
}

func (p pinned) CheckSettings(ctx context.Context, source sdk.Source) ([]sdk.SettingProblem, error) {
	return p.checkSettings(ctx, p.in, p.Describe(), source)
}
