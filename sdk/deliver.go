package sdk

import (
	"context"
	"fmt"
)

// Delivery is everything a provider has to say about one request.
type Delivery struct {
	// Which of the secrets signed it; empty when unsigned or an unsigned
	// handshake.
	Which Which
	// Unsigned says that the request carried no signature and that this was
	// allowed by DeliverOptions.
	Unsigned bool
	// Reply is the answer to a handshake. There are no events then.
	Reply *Reply
	// Events in the order of the payload.
	Events []Event
}

// DeliverOptions changes how Deliver treats a request.
type DeliverOptions struct {
	// AllowUnsigned lets a request through that carries none of the
	// descriptor's signature headers: there is a source without credential.
	AllowUnsigned bool
}

// Deliverer composes verify, challenge and parse into one call. The host's
// client implements it as one round trip; a provider never needs to.
type Deliverer interface {
	// Deliver is [Deliver], by another way. An error means what it means there,
	// and the Delivery beside it still says who signed.
	Deliver(ctx context.Context, req Request, secrets []Secret, opts DeliverOptions) (Delivery, error)
}

// Deliver verifies a request, answers it if it is a handshake and otherwise
// parses it. When parsing fails the returned Delivery still says who signed.
func Deliver(ctx context.Context, p Provider, req Request, secrets []Secret, opts DeliverOptions) (Delivery, error) {
	if d, ok := p.(Deliverer); ok {
		return d.Deliver(ctx, req, secrets, opts)
	}
	return deliver(ctx, p, Describe(p), req, secrets, opts)
}

// Describe returns what a provider says of itself, completed by what the SDK
// can see: whether it answers handshakes and checks settings, which samples it can
// make, and the default reply deadline.
func Describe(p Provider) Descriptor {
	d := p.Describe()
	if _, ok := p.(Deliverer); !ok {
		_, d.Challenges = p.(Challenger)
		_, d.ChecksSettings = p.(SettingsChecker)
		d.Samples = nil
		if s, ok := p.(Sampler); ok {
			d.Samples = s.Samples()
		}
	}
	switch {
	case d.ReplyDeadline <= 0:
		d.ReplyDeadline = defaultReplyDeadline
	case d.ReplyDeadline > maxReplyDeadline:
		d.ReplyDeadline = maxReplyDeadline
	}
	return d
}

func deliver(ctx context.Context, p Provider, desc Descriptor, req Request, secrets []Secret, opts DeliverOptions) (Delivery, error) {
	var d Delivery
	proved := secrets
	if opts.AllowUnsigned && !Signed(desc, req) {
		d.Unsigned = true
	} else {
		which, err := verifyEach(ctx, p, desc, req, secrets)
		if err != nil {
			return d, err
		}
		if len(which) > 0 {
			if proved, err = pick(secrets, which); err != nil {
				return d, err
			}
		}
		d.Which = which
	}
	if len(d.Which) > 0 || d.Unsigned {
		req = req.narrowed(proved, d.Unsigned)
	}

	if c, ok := p.(Challenger); ok {
		reply, err := challengeEach(ctx, c, desc, req, proved)
		if err != nil {
			return d, err
		}
		if reply != nil {
			d.Reply = reply
			return d, nil
		}
	}
	if len(d.Which) == 0 && !d.Unsigned {
		return d, fmt.Errorf("unsigned, and not a handshake: %w", ErrBadSignature)
	}

	events, err := parseEach(ctx, p, desc, req)
	if err != nil {
		return d, err
	}
	d.Events = events
	return d, nil
}

// Signed says whether a request carries a signature, right or wrong, of any of
// the sources that it may be for.
func Signed(desc Descriptor, req Request) bool {
	if len(desc.Settings) > 0 {
		for _, one := range readings(desc, req) {
			desc = desc.With(one.Settings)
		}
	}
	for _, name := range desc.SignatureHeaders {
		if len(req.Header.Values(name)) > 0 {
			return true
		}
	}
	return false
}

// pick returns the secrets that which names. A provider that names one it was
// not given is broken, and nothing it says about this request can be trusted.
func pick(secrets []Secret, which Which) ([]Secret, error) {
	picked := make([]Secret, 0, len(which))
	for _, i := range which {
		if i < 0 || i >= len(secrets) {
			return nil, fmt.Errorf("verify names secret %d of %d", i, len(secrets))
		}
		picked = append(picked, secrets[i])
	}
	return picked, nil
}
