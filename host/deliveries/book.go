package deliveries

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// Records is what is read of the store.
type Records interface {
	Receipts(ctx context.Context, q store.Query) ([]job.Receipt, error)
	Receipt(ctx context.Context, id string) (job.Receipt, error)
	Taken(ctx context.Context, receipts []string) ([]store.Taken, error)
	RunsOf(ctx context.Context, job int64) ([]job.Run, error)
}

// Book is the records and the configuration that they are read by.
type Book struct {
	Records Records
	// View returns the configuration of the moment.
	View func() *View
	// Live says that the view is what a running gateway works by.
	Live bool
}

// View is a configuration, put together with the providers that know what its
// deliveries mean. It never changes.
type View struct {
	Routes   *ingest.Routes
	Sources  []Source
	Triggers []Trigger // of all agents, in the order of the configuration
	// Disabled matches the triggers of agents that are switched off, to say
	// what they would do.
	Disabled *match.Matcher
}

// Source is a source as far as it matters to whom a delivery belongs.
type Source struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Credentials []string `json:"credentials,omitempty"` // their instances; none: it takes unsigned requests
	// Settings are those that its provider has beside the host's keys.
	Settings []SourceSetting `json:"settings,omitempty"`
	// At is where it is written: file:line:column.
	At string `json:"at,omitempty"`
}

// SourceSetting is a setting of a source as it is written.
type SourceSetting struct {
	Name string `json:"name"`
	// Value is a string, a boolean, a number, or a list or an object of strings.
	Value any    `json:"value"`
	At    string `json:"at"`
}

// Trigger is where a trigger is written, and what the matcher calls it.
type Trigger struct {
	Agent    string
	Source   string
	Label    string // "webhooks[0]"
	At       string // file:line:column
	Disabled bool
	Index    int // into those that its matcher was compiled from
}

// ErrUnread: nobody can say what a delivery means, and why is for whoever asked.
var ErrUnread = errors.New("the delivery can not be read")

// parse asks the provider what a recorded request means. Its errors are
// ErrUnread, unless ctx is done.
func (v *View) parse(ctx context.Context, r job.Receipt) ([]sdk.Event, error) {
	return v.parseAs(ctx, r, v.settledSources(r.Provider, r.Sources))
}

// settledSources are sources with their settings, for a provider that has some.
func (v *View) settledSources(typ string, names []string) []sdk.Source {
	if route := v.Routes.Types[typ]; route != nil {
		return route.SourcesNamed(names)
	}
	return nil
}

// parseAs is parse by given settings of the sources.
func (v *View) parseAs(ctx context.Context, r job.Receipt, as []sdk.Source) ([]sdk.Event, error) {
	route := v.Routes.Types[r.Provider]
	switch {
	case route == nil:
		return nil, fmt.Errorf("%w: no source in config.toml has the type %s", ErrUnread, r.Provider)
	case route.Unavailable != nil:
		return nil, fmt.Errorf("%w: the provider %s does not run: %w", ErrUnread, r.Provider, route.Unavailable)
	}
	events, err := sdk.Parse(ctx, route.Provider, sdk.Request{
		Method: r.Method, Path: r.Path, Query: r.Query, Header: r.Header, Body: r.Body, ReceivedAt: r.ReceivedAt,
		Sources: as,
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnread, err)
	}
	return events, nil
}

// sourcesOf lists the names of the sources of a type.
func (v *View) sourcesOf(typ string) []string {
	var names []string
	for _, s := range v.Sources {
		if s.Type == typ {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}
