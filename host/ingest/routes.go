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
}

// Match returns the agents that an event starts, and whether there are others
// that ignore who caused it.
func (r *Routes) Match(sources []string, e *sdk.Event) (hits []match.Hit, heldBack bool) {
	hits = r.Matcher.MatchFunc(sources, e.Attributes, func(trigger int) bool {
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

// Source is one [webhooks.<name>] with the secrets that prove it.
type Source struct {
	Name    string
	Secrets []sdk.Secret
	// Unsigned: the source has no credential and takes what nobody signed.
	Unsigned bool
	// Unusable, when set, is why its credential could not be read. Others of
	// the type still work.
	Unusable error
}

// candidates are the sources that a request to a path may belong to, in the
// form that a provider needs.
type candidates struct {
	secrets  []sdk.Secret
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
