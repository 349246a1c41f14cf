package sdk

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Sources with different settings may be meant by one request, and even have
// signed it. A provider never sees that: it is asked once for each group of
// sources with the same settings, and finds those in Request.Settings.

// readings are a request as each group of its sources has it read.
func readings(desc Descriptor, req Request) []Request {
	if len(req.Sources) == 0 { // from a host that knows no settings
		req.Settings = desc.DefaultSettings()
		return []Request{req}
	}
	var out []Request
	for _, source := range req.Sources {
		i := slices.IndexFunc(out, func(r Request) bool { return r.Settings.Equal(source.Settings) })
		if i < 0 {
			one := req
			one.Settings, one.Sources = source.Settings, nil
			i = len(out)
			out = append(out, one)
		}
		out[i].Sources = append(out[i].Sources, source)
	}
	return out
}

func (r Request) isFor(source string) bool {
	return len(r.Sources) == 0 || slices.ContainsFunc(r.Sources, func(s Source) bool { return s.Name == source })
}

// own returns the secrets of a reading's sources, and where they are among all.
func (r Request) own(secrets []Secret) (own []Secret, at []int) {
	for i, secret := range secrets {
		if r.isFor(secret.Source) {
			own, at = append(own, secret), append(at, i)
		}
	}
	return own, at
}

// narrowed leaves the sources that a request was proved to be for.
func (r Request) narrowed(proved []Secret, unsigned bool) Request {
	if len(r.Sources) == 0 {
		return r
	}
	all := r.Sources
	r.Sources = nil
	for _, s := range all {
		if unsigned && s.Unsigned || !unsigned && slices.ContainsFunc(proved, func(p Secret) bool { return p.Source == s.Name }) {
			r.Sources = append(r.Sources, s)
		}
	}
	return r
}

// verifyEach asks a provider for each reading who signed it.
func verifyEach(ctx context.Context, p Provider, desc Descriptor, req Request, secrets []Secret) (Which, error) {
	if len(desc.Settings) == 0 {
		return p.Verify(ctx, req, secrets)
	}
	var which Which
	var refused error
	handshake := false
	for _, one := range readings(desc, req) {
		own, at := one.own(secrets)
		found, err := p.Verify(ctx, one, own)
		switch {
		case err != nil:
			if refused == nil || weight(err) > weight(refused) {
				refused = err
			}
			continue
		case len(found) == 0:
			handshake = true
		}
		for _, i := range found {
			if i < 0 || i >= len(at) {
				return nil, fmt.Errorf("verify names secret %d of %d", i, len(at))
			}
			which = append(which, at[i])
		}
	}
	if len(which) == 0 && !handshake {
		return nil, refused
	}
	slices.Sort(which)
	return which, nil
}

// weight says which of several refusals tells most. What is the provider's own
// fault comes first: the sender may well be right, and shall come again.
func weight(err error) int {
	switch {
	case errors.Is(err, ErrStale):
		return 2
	case errors.Is(err, ErrBadSignature):
		return 1
	case errors.Is(err, ErrCredential): // of one source; others could be checked
		return 0
	default:
		return 3
	}
}

// challengeEach asks for each reading whether it is a handshake. The first
// answer counts.
func challengeEach(ctx context.Context, c Challenger, desc Descriptor, req Request, secrets []Secret) (*Reply, error) {
	if len(desc.Settings) == 0 {
		return c.Challenge(ctx, req, secrets)
	}
	for _, one := range readings(desc, req) {
		own, _ := one.own(secrets)
		if reply, err := c.Challenge(ctx, one, own); err != nil || reply != nil {
			return reply, err
		}
	}
	return nil, nil
}

// Parse has a provider read the events out of a request, once for each of the
// settings that the sources in it have. Events say then for which sources they
// are. It is unparseable when it is so by all of the settings.
func Parse(ctx context.Context, p Provider, req Request) ([]Event, error) {
	if _, ok := p.(Deliverer); ok { // the other end does it
		return p.Parse(ctx, req)
	}
	return parseEach(ctx, p, p.Describe(), req)
}

func parseEach(ctx context.Context, p Provider, desc Descriptor, req Request) ([]Event, error) {
	if len(desc.Settings) == 0 {
		return p.Parse(ctx, req)
	}
	ways := readings(desc, req)
	if len(ways) == 1 {
		return p.Parse(ctx, ways[0])
	}
	var events []Event
	var unparseable error
	understood := false
	for _, one := range ways {
		found, err := p.Parse(ctx, one)
		switch {
		case errors.Is(err, ErrUnparseable):
			if unparseable == nil {
				unparseable = err
			}
			continue
		case err != nil:
			return nil, err
		}
		understood = true
		for _, e := range found {
			if len(e.Sources) == 0 {
				for _, s := range one.Sources {
					e.Sources = append(e.Sources, s.Name)
				}
			}
			events = append(events, e)
		}
	}
	if !understood {
		return nil, unparseable
	}
	return events, nil
}
