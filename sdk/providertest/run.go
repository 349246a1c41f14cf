package providertest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// T is what Run needs of a *testing.T.
type T[S any] interface {
	// Helper marks the caller as one whose lines are not of interest.
	Helper()
	// Context is done when the test is.
	Context() context.Context
	// Errorf reports a finding, and the test goes on.
	Errorf(format string, args ...any)
	// Fatalf reports what leaves nothing to go on with.
	Fatalf(format string, args ...any)
	// Run runs f as a test below this one.
	Run(name string, f func(S)) bool
}

// Options is what Run has to know of a provider.
type Options struct {
	// New makes the provider, to be called in process. Required.
	New func() sdk.Provider
	// Package is that of the provider's command, as the go tool takes it from
	// the directory of the test, for example "..". Run builds it, which costs
	// some seconds once. Without Package and Binary nothing is checked that
	// needs a process: the handshake and the log.
	Package string
	// Binary is the path of a provider that is built already; it goes before
	// Package.
	Binary string
	// Cases is the folder of the cases. Defaults to "testdata".
	Cases string
	// Update rewrites the expectations of the cases and, with Sign, their
	// signatures, but for what is published. A test has a flag for it.
	Update bool

	// Sign signs a request as the vendor does, with one of the secrets of a
	// case: it sets the headers, over req.Body and, where a time is signed, for
	// req.ReceivedAt; req.Settings are those of the source. Defaults to what the kit can find out by itself: that a
	// case is signed by HMAC-SHA256 over the body, or over a header with
	// "timestamp" in its name and the body.
	Sign func(req *sdk.Request, secret map[string]string)
	// Tolerance is how far a signed time may be from the time of receipt.
	// Requests received later or earlier than twice that must be stale.
	// Defaults to a day if a header whose name has "timestamp" in it counts,
	// and else to no signed time.
	Tolerance time.Duration
	// Events are the names of events that the provider documents. Each must
	// have a case.
	Events []string
	// AlwaysPresent says of attributes why every event of this vendor has them,
	// so that no case can be without. An attribute that is the event's name
	// needs no reason.
	AlwaysPresent map[string]string
	// Forgeable says of a body that anybody can get a signature for it, because
	// the vendor's handshake has the receiver sign what a stranger chooses. Such
	// a body must be sdk.ErrBadSignature, whatever signature it carries. Defaults
	// to none.
	Forgeable func(body []byte) bool
	// SampleSecret has the fields of a credential that samples can be signed with
	// (see sdk.Sampler), where the secrets of the cases only verify. Defaults to
	// the first that signed a case.
	SampleSecret map[string]string
	// Short leaves out bodies beyond a megabyte, which take seconds. A test
	// sets it to testing.Short().
	Short bool
}

// Run checks a provider: in process, over gRPC and as a binary. It fails t for
// each [Finding], with subtests by target and case.
func Run[S T[S]](t S, o Options) {
	t.Helper()
	if o.New == nil {
		t.Fatalf("providertest: Options.New is missing")
		return
	}
	if o.Cases == "" {
		o.Cases = "testdata"
	}
	cases, err := ReadCases(o.Cases)
	if err != nil {
		t.Fatalf("providertest: %v", err)
		return
	}
	s := &Suite{Cases: cases, Sign: o.Sign, Tolerance: o.Tolerance, Events: o.Events, AlwaysPresent: o.AlwaysPresent, Forgeable: o.Forgeable, SampleSecret: o.SampleSecret, Short: o.Short}
	if o.Update {
		if err := s.Update(t.Context(), Direct(o.New())); err != nil {
			t.Fatalf("providertest: update: %v", err)
			return
		}
	}
	desc := sdk.Describe(o.New())
	fail(t, s.CheckCases(desc))
	t.Run("direct", func(t S) { runOn(t, s, Direct(o.New())) })
	t.Run("grpc", func(t S) {
		target, err := Loopback(t.Context(), o.New())
		if err != nil {
			t.Fatalf("providertest: %v", err)
			return
		}
		runOn(t, s, target)
	})
	if o.Binary == "" && o.Package == "" {
		return
	}
	t.Run("binary", func(t S) { runBinary(t, s, o, desc) })
}

func runBinary[S T[S]](t S, s *Suite, o Options, desc sdk.Descriptor) {
	path := o.Binary
	if path == "" {
		dir, err := os.MkdirTemp("", "providertest")
		if err != nil {
			t.Fatalf("providertest: %v", err)
			return
		}
		defer os.RemoveAll(dir)
		if path, err = Build(t.Context(), dir, o.Package, desc.Type); err != nil {
			t.Fatalf("providertest: %v", err)
			return
		}
	}
	target, err := Launch(t.Context(), path)
	if err != nil {
		t.Fatalf("providertest: %v", err)
		return
	}
	served := sdk.Describe(target.provider)
	served.Version = desc.Version // stamped by a build, usually
	if part := differingPart(desc, served); part != "" {
		t.Errorf("%s", Finding{Target: target.Name, Check: checkDescriptor, Message: "it is not that of Options.New (" + part + "); is the binary an old one?"})
	}
	runOn(t, s, target)
}

func runOn[S T[S]](t S, s *Suite, target *Target) {
	fail(t, s.CheckProvider(t.Context(), target))
	for _, c := range s.Cases {
		t.Run(c.Name, func(t S) { fail(t, s.CheckCase(t.Context(), target, c)) })
	}
	fail(t, s.CheckLog(target))
}

func fail[S T[S]](t S, findings []Finding) {
	t.Helper()
	for _, f := range findings {
		t.Errorf("%s", f)
	}
}

// Update writes what a provider makes of each case into its file. With Sign it
// signs cases again, but for those whose signature is published. Without, it
// signs cases of signed requests that have no signature yet, in the way
// in which another case of the folder or a sample of the provider is signed, if
// it is one that the kit knows.
func (s *Suite) Update(ctx context.Context, t *Target) error {
	desc := sdk.Describe(t.provider)
	for _, c := range s.Cases {
		if err := c.settle(desc); err != nil {
			return fmt.Errorf("case %s: %w", c.Name, err)
		}
	}
	for _, c := range s.Cases {
		switch {
		case !c.signs() || c.published == publishedSignature:
		case s.Sign != nil:
			c.sign(s.Sign)
		case !sdk.Signed(desc, c.Request):
			if known := s.learned(ctx, t, c); known != nil {
				c.sign(known.sign)
			}
		}
		if err := c.update(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// learned is the scheme by which the first case that has one is signed, or else
// a sample.
func (s *Suite) learned(ctx context.Context, t *Target, fresh *Case) *scheme {
	secret := fresh.Secrets[0]
	for _, c := range s.Cases {
		if c.accepted() && c.Request.Settings.Equal(fresh.Request.Settings) {
			if known := c.guess(); known != nil {
				return known
			}
		}
	}
	sampler, ok := t.provider.(sdk.Sampler)
	if !ok {
		return nil
	}
	for _, sample := range sampler.Samples() {
		req, err := sampler.Sample(ctx, sdk.SampleAsk{
			Name: sample.Name, Secret: &secret, Settings: fresh.Request.Settings, SentAt: DefaultReceivedAt(), Unique: "one",
		})
		if err != nil {
			continue
		}
		c := &Case{Request: req, Secrets: []sdk.Secret{secret}, want: &outcome{Which: []int{0}}}
		if known := c.guess(); known != nil {
			return known
		}
	}
	return nil
}

func (c *Case) update(ctx context.Context, t *Target) error {
	ctx, cancel := context.WithTimeout(ctx, largeLimit)
	defer cancel()
	d, err := sdk.Deliver(ctx, t.provider, cloned(c.Request), clonedSecrets(c.Secrets), sdk.DeliverOptions{AllowUnsigned: c.AllowUnsigned})
	if err != nil && kindOf(err) == "" {
		return fmt.Errorf("case %s: %w", c.Name, err)
	}
	o, err := outcomeOf(d, err)
	if err != nil {
		return fmt.Errorf("case %s: %w", c.Name, err)
	}
	if fault := c.lost(o); fault != "" {
		return fmt.Errorf("case %s: %s", c.Name, fault)
	}
	text, err := o.json()
	if err != nil {
		return fmt.Errorf("case %s: %w", c.Name, err)
	}
	c.want = o
	c.setFile(wantFile, text)
	return c.write()
}

// sign signs the case with the secret that signed it before, or the first.
func (c *Case) sign(sign func(*sdk.Request, map[string]string)) {
	which := 0
	if c.want != nil {
		which = c.want.Which[0]
	}
	before := c.Request.Header.Clone()
	sign(&c.Request, c.Secrets[which].Fields)
	changed := http.Header{}
	for name := range c.Request.Header {
		if c.Request.Header.Get(name) != before.Get(name) {
			changed.Set(name, c.Request.Header.Get(name))
		}
	}
	if len(changed) > 0 {
		c.setHeaders(changed)
	}
}
