package sdk_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// scripted is a provider that answers as a test says.
type scripted struct {
	which     sdk.Which
	verifyErr error
	reply     *sdk.Reply
	parsed    *bool
	offered   *[]sdk.Secret
}

func (s scripted) Describe() sdk.Descriptor {
	return sdk.Descriptor{Type: "scripted", SignatureHeaders: []string{"X-Sig"}}
}

func (s scripted) Verify(context.Context, sdk.Request, []sdk.Secret) (sdk.Which, error) {
	return s.which, s.verifyErr
}

func (s scripted) Challenge(_ context.Context, _ sdk.Request, secrets []sdk.Secret) (*sdk.Reply, error) {
	if s.offered != nil {
		*s.offered = secrets
	}
	return s.reply, nil
}

func (s scripted) Parse(context.Context, sdk.Request) ([]sdk.Event, error) {
	if s.parsed != nil {
		*s.parsed = true
	}
	return []sdk.Event{{Name: "event"}}, nil
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	two := []sdk.Secret{secret("a", "1"), secret("b", "2")}
	signed := http.Header{"X-Sig": {"whatever"}}
	pong := &sdk.Reply{Status: http.StatusOK}
	for name, tt := range map[string]struct {
		provider scripted
		header   http.Header
		unsigned bool // allowed
		err      error
		events   int
		parsed   bool
		offered  int // secrets that Challenge sees
	}{
		"signed":                             {provider: scripted{which: sdk.Which{1}}, header: signed, events: 1, parsed: true, offered: 1},
		"bad signature is never parsed":      {provider: scripted{verifyErr: sdk.ErrBadSignature}, header: signed, err: sdk.ErrBadSignature},
		"handshake is not parsed":            {provider: scripted{which: sdk.Which{0}, reply: pong}, header: signed, offered: 1},
		"unsigned handshake sees all":        {provider: scripted{reply: pong}, offered: 2},
		"unsigned and no handshake":          {provider: scripted{}, err: sdk.ErrBadSignature, offered: 2},
		"unsigned where that is allowed":     {provider: scripted{verifyErr: sdk.ErrBadSignature}, unsigned: true, events: 1, parsed: true, offered: 2},
		"wrongly signed is never unsigned":   {provider: scripted{verifyErr: sdk.ErrBadSignature}, header: signed, unsigned: true, err: sdk.ErrBadSignature},
		"signed beside an unsigned source":   {provider: scripted{which: sdk.Which{0}}, header: signed, unsigned: true, events: 1, parsed: true, offered: 1},
		"provider names a secret not given":  {provider: scripted{which: sdk.Which{2}}, header: signed, err: errAny},
		"provider names a negative secret":   {provider: scripted{which: sdk.Which{-1}}, header: signed, err: errAny},
		"empty signature header counts, too": {provider: scripted{verifyErr: sdk.ErrBadSignature}, header: http.Header{"X-Sig": {""}}, unsigned: true, err: sdk.ErrBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var parsed bool
			var offered []sdk.Secret
			tt.provider.parsed, tt.provider.offered = &parsed, &offered
			req := sdk.Request{Method: http.MethodPost, Header: tt.header}
			d, err := sdk.Deliver(t.Context(), tt.provider, req, two, sdk.DeliverOptions{AllowUnsigned: tt.unsigned})
			if (err == nil) != (tt.err == nil) || (!errors.Is(tt.err, errAny) && !errors.Is(err, tt.err)) {
				t.Errorf("error %v; want %v", err, tt.err)
			}
			if len(d.Events) != tt.events || parsed != tt.parsed || len(offered) != tt.offered {
				t.Errorf("events %d, parsed %v, offered %d; want %d, %v, %d", len(d.Events), parsed, len(offered), tt.events, tt.parsed, tt.offered)
			}
		})
	}
}

var errAny = errors.New("any error")

func TestDescribeSaysWhetherHandshakesAreAnswered(t *testing.T) {
	t.Parallel()
	if !sdk.Describe(scripted{}).Challenges {
		t.Error("a Challenger does not say so")
	}
	if d := sdk.Describe(bell{}); d.Challenges || d.ReplyDeadline == 0 {
		t.Errorf("challenges %v, deadline %v", d.Challenges, d.ReplyDeadline)
	}
}
