package app

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// Deliveries is what the gateway has to say about past deliveries.
func (a *App) Deliveries() *deliveries.Book {
	return &deliveries.Book{Records: a.store, View: func() *deliveries.View { return a.config.get().view }, Live: true}
}

// Replay lets a recorded delivery happen again.
func (a *App) Replay(ctx context.Context, id string) deliveries.Replayed {
	out := deliveries.Replayed{Of: id}
	r, err := a.store.Receipt(ctx, id)
	var sum ingest.Summary
	if err == nil {
		sum, err = a.ingest.Replay(ctx, r)
	}
	switch {
	case err == nil:
		out.Receipt, out.Events, out.Matched = sum.Receipt, sum.Events, sum.Matched
		out.Queued, out.Merged, out.Dropped, out.Duplicate = sum.Queued, sum.Merged, sum.Dropped, sum.Duplicate
	case errors.Is(err, store.ErrNotFound):
		out.Error = "there is no such receipt"
	default:
		out.Error = err.Error()
	}
	return out
}

// sourcesOf are the sources of a project as far as it matters to whom a
// delivery belongs.
func sourcesOf(p *config.Project) []deliveries.Source {
	out := make([]deliveries.Source, 0, len(p.Sources))
	for _, s := range p.Sources {
		one := deliveries.Source{Name: s.Name, Type: s.Type, At: s.Pos.String()}
		for _, in := range s.Settings {
			one.Settings = append(one.Settings, deliveries.SourceSetting{Name: in.Name, Value: in.Value, At: in.ValuePos.String()})
		}
		for _, ref := range s.Credentials {
			one.Credentials = append(one.Credentials, ref.Instance)
		}
		out = append(out, one)
	}
	return out
}

// Propose turns a project into what a plan is made of.
func Propose(p *config.Project) deliveries.Proposal {
	out := deliveries.Proposal{Sources: sourcesOf(p), Agents: []deliveries.ProposedAgent{}}
	for _, a := range p.Agents {
		one := deliveries.ProposedAgent{Name: a.Name, Disabled: a.Scale == 0, Triggers: []deliveries.ProposedTrigger{}}
		for _, t := range a.Triggers {
			trigger := deliveries.ProposedTrigger{
				Source: t.Source, At: t.Pos.String(), Filters: []deliveries.ProposedFilter{}, IgnoreSenders: t.Flow.IgnoreSenders,
			}
			for _, f := range t.Filters {
				trigger.Filters = append(trigger.Filters, deliveries.ProposedFilter{Name: f.Name, Values: f.Values, List: f.IsList, At: f.Pos.String()})
			}
			one.Triggers = append(one.Triggers, trigger)
		}
		out.Agents = append(out.Agents, one)
	}
	return out
}

// OfflineOptions of OpenDeliveries. All but Providers are needed.
type OfflineOptions struct {
	Project *config.Project // one with problems will do where no meanings are asked for
	Log     hclog.Logger
	// Providers replaces the provider processes, in tests.
	Providers Providers
}

// OpenDeliveries are those of a project whose gateway is down, read from its
// store by the configuration in its files. Providers are started when somebody
// first asks what a delivery means, and run until the book is closed. ctx
// bounds their start.
func OpenDeliveries(ctx context.Context, o OfflineOptions) (*deliveries.Book, func() error, error) {
	stored, shut, err := openRecords(ctx, o.Project)
	if err != nil {
		return nil, nil, err
	}
	book := &deliveries.Book{Records: stored}
	stop := func() error { return nil }
	book.View = sync.OnceValue(func() *deliveries.View {
		find := lookup(nil)
		if o.Providers != nil {
			find = o.Providers.Get
		} else {
			providers, stopAll, err := startForCheck(ctx, o.Project, o.Log)
			if err != nil {
				find = func(string) (sdk.Provider, error) { return nil, err }
			} else {
				find, stop = providers.Get, stopAll
			}
		}
		// Nobody sends here, so there is nobody to prove.
		return wire(o.Project, config.Credentials{Dir: os.DevNull}, find).view
	})
	return book, func() error { return errors.Join(stop(), shut()) }, nil
}

func (nothing) Receipts(context.Context, store.Query) ([]job.Receipt, error) { return nil, nil }
func (nothing) Receipt(context.Context, string) (job.Receipt, error) {
	return job.Receipt{}, store.ErrNotFound
}
func (nothing) Taken(context.Context, []string) ([]store.Taken, error) { return nil, nil }

var _ api.Deliveries = (*App)(nil)
