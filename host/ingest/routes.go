package ingest

import (
	"slices"

	"github.com/action-llama/gateway/host/flow"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/sdk"
)

// Routes is everything a delivery is judged by: one immutable picture of the
// configuration, swapped whole when that changes.
type Routes struct {
	Types   map[string]*Route // by provider type
	Matcher *match.Matcher
	// Policies say of each trigger how its jobs go through the queue, by the
	// trigger's index in the matcher.
	Policies []flow.Policy
	// Agents are all that the configuration has.
	Agents []string
}

// Match returns the agents that an event of a delivery starts, and whether there are others
// that ignore who caused it.
func (r *Routes) Match(sources []string, e *sdk.Event) (hits []match.Hit, heldBack bool) {
	hits = r.Matcher.MatchFunc(EventSources(sources, e), e.Attributes, func(trigger int) bool {
		_, held := r.HoldsBack(trigger, e)
		heldBack = heldBack || held
		return !held
	})
	return hits, heldBack
}

// HoldsBack says whether a trigger ignores who caused an event, and why, for
// people.
func (r *Routes) HoldsBack(trigger int, e *sdk.Event) (reason string, held bool) {
	p := r.policy(trigger)
	if p == nil {
		return "", false
	}
	return p.HoldsBack(e)
}

// policy returns that of a trigger, or nil when it has none.
func (r *Routes) policy(trigger int) *flow.Policy {
	if trigger >= len(r.Policies) {
		return nil
	}
	return &r.Policies[trigger]
}

// Route leads to the provider of one type.
type Route struct {
	Provider   sdk.Provider
	Descriptor sdk.Descriptor
	Sources    []Source
	// Unavailable, when set, is why nothing can be delivered: the provider has
	// never come up, so that nobody knows what it needs.
	Unavailable error
}

// SignatureHeaders are those by which any source of the route is signed.
func (r *Route) SignatureHeaders() []string {
	d := r.Descriptor
	if len(d.Settings) == 0 {
		return d.SignatureHeaders
	}
	for _, s := range r.Sources {
		d = d.With(s.Settings)
	}
	return d.SignatureHeaders
}

// SourcesNamed returns sources as a provider with settings needs them to read a
// request that they have; nothing for one without.
func (r *Route) SourcesNamed(names []string) []sdk.Source {
	if len(r.Descriptor.Settings) == 0 {
		return nil
	}
	var out []sdk.Source
	for _, s := range r.Sources {
		if slices.Contains(names, s.Name) && !s.Unsettled {
			out = append(out, s.forProvider())
		}
	}
	return out
}

// Source is one [webhooks.<name>] with the secrets that prove it.
type Source struct {
	Name    string
	Secrets []sdk.Secret
	// Settings are what its provider is to know of it.
	Settings sdk.Settings
	// Unsettled: the settings make no sense to the provider. Unusable says why,
	// and nothing is delivered.
	Unsettled bool
	// Unsigned: the source has no credential and takes what nobody signed.
	Unsigned bool
	// Unusable, when set, is why its credential could not be read. Others of
	// the type still work.
	Unusable error
}

func (s Source) forProvider() sdk.Source {
	return sdk.Source{Name: s.Name, Settings: s.Settings, Unsigned: s.Unsigned}
}

// candidates are the sources that a request to a path may belong to, in the
// form that a provider needs.
type candidates struct {
	secrets  []sdk.Secret
	sources  []sdk.Source // for a provider with settings
	unsigned []string
	unusable error
}

// candidates returns false when there is no source of that name; an empty name
// means all of them.
func (r *Route) candidates(name string) (candidates, bool) {
	var c candidates
	found := false
	for _, s := range r.Sources {
		if name != "" && s.Name != name {
			continue
		}
		found = true
		c.secrets = append(c.secrets, s.Secrets...)
		if len(r.Descriptor.Settings) > 0 && !s.Unsettled {
			c.sources = append(c.sources, s.forProvider())
		}
		if s.Unsigned {
			c.unsigned = append(c.unsigned, s.Name)
		}
		if s.Unusable != nil {
			c.unusable = s.Unusable
		}
	}
	return c, found
}

// proved returns the sources that a delivery belongs to: exactly those whose
// secrets signed it, or those that take what nobody signed.
func (c candidates) proved(d sdk.Delivery) []string {
	if d.Unsigned {
		return c.unsigned
	}
	var names []string
	for _, secret := range c.matched(d) {
		if !slices.Contains(names, secret.Source) {
			names = append(names, secret.Source)
		}
	}
	return names
}

// matched returns the secrets that signed a delivery.
func (c candidates) matched(d sdk.Delivery) []sdk.Secret {
	var secrets []sdk.Secret
	for _, i := range d.Which {
		if i >= 0 && i < len(c.secrets) {
			secrets = append(secrets, c.secrets[i])
		}
	}
	return secrets
}

// EventSources returns the sources of a delivery that an event is for: all, unless
// the provider says which.
func EventSources(delivered []string, e *sdk.Event) []string {
	if len(e.Sources) == 0 {
		return delivered
	}
	return slices.DeleteFunc(slices.Clone(delivered), func(name string) bool { return !slices.Contains(e.Sources, name) })
}

// strayEvent says which source an event claims that the delivery was not proved
// for, if there is one.
func strayEvent(delivered []string, events []sdk.Event) (source string, stray bool) {
	for _, e := range events {
		for _, name := range e.Sources {
			if !slices.Contains(delivered, name) {
				return name, true
			}
		}
	}
	return "", false
}
