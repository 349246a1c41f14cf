package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
)

// ErrProviderDown: there is no process to answer, or it died while it did. The
// error that wraps it says why. Trying again later may work.
var ErrProviderDown = errors.New("provider is down")

const (
	// maxCalls bounds the calls in flight to one process, and those that wait
	// for one. A provider answers in well under a millisecond, so more than
	// this only happens to one that hangs.
	maxCalls = 256
	// spareTime is what a call that waits for a restart leaves of its
	// deadline, for the answer to be written.
	spareTime = 100 * time.Millisecond
)

// Provider is a provider in a process of its own, whichever one that is at the
// moment. It is safe for concurrent use.
type Provider struct {
	typ  string
	host *Host
	log  hclog.Logger

	alive context.Context // until it is removed, or the host stops
	end   context.CancelFunc

	current    atomic.Pointer[instance] // nil while there is none
	descriptor atomic.Pointer[sdk.Descriptor]
	described  atomic.Bool
	waiting    atomic.Int32
	orders     chan *order
	retiring   sync.WaitGroup

	first    chan struct{} // closed when the first launch worked or failed
	firstErr error         // valid then
	done     chan struct{} // closed when the supervisor has ended
	stopErr  error         // valid then
	logged   string        // the supervisor's: the error of a launch that it logged last
	served   fileID        // the supervisor's: what answered last
	hidden   []string      // the supervisor's: the files of the same type that it logged last

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the state changes
	status  Status
	tried   fileID // what the last launch was of

	telling sync.Mutex // over the metrics of up and restart
	removed bool       // nothing more is told
}

var (
	_ sdk.Provider   = (*Provider)(nil)
	_ sdk.Challenger = (*Provider)(nil)
	_ sdk.Deliverer  = (*Provider)(nil)
	_ sdk.Sampler    = (*Provider)(nil)

	_ sdk.SettingsChecker = (*Provider)(nil)
)

func newProvider(h *Host, typ string) *Provider {
	p := &Provider{
		typ:     typ,
		host:    h,
		log:     h.log.With("provider", typ),
		orders:  make(chan *order),
		first:   make(chan struct{}),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
		status:  Status{Type: typ, State: Starting, Since: time.Now()},
	}
	p.descriptor.Store(&sdk.Descriptor{Type: typ})
	p.alive, p.end = context.WithCancel(h.alive)
	return p
}

// remove ends the provider for good.
func (p *Provider) remove() {
	p.telling.Lock()
	defer p.telling.Unlock()
	p.removed = true
	if gone := p.host.opts.Metrics.Gone; gone != nil {
		gone(p.typ)
	}
	p.end()
}

// tell tells the metrics of what happened, while the provider is one of those
// that are measured.
func (p *Provider) tell(what func(Metrics)) {
	p.telling.Lock()
	defer p.telling.Unlock()
	if !p.removed {
		what(p.host.opts.Metrics)
	}
}

func (p *Provider) tellUp(version string, is bool) {
	p.tell(func(m Metrics) {
		if m.Up != nil {
			m.Up(p.typ, version, is)
		}
	})
}

// Describe returns what the process said when it was started; after a restart
// from another file it may be something else. Before the first start there is
// only the type.
func (p *Provider) Describe() sdk.Descriptor { return *p.descriptor.Load() }

// Described says whether a process has ever said what it is.
func (p *Provider) Described() bool { return p.described.Load() }

// StartError is why the first launch failed, or nil when it worked or is still
// under way.
func (p *Provider) StartError() error {
	select {
	case <-p.first:
		return p.firstErr
	default:
		return nil
	}
}

// Verify implements [sdk.Provider].
func (p *Provider) Verify(ctx context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	return p.verify(ctx, nil, req, secrets)
}

func (p *Provider) verify(ctx context.Context, pin *instance, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	return call(ctx, p, pin, "verify", func(ctx context.Context, c client.Remote) (sdk.Which, error) {
		which, err := c.Verify(ctx, req, secrets)
		if err == nil {
			err = checkWhich(which, secrets)
		}
		return which, err
	})
}

// Challenge implements [sdk.Challenger].
func (p *Provider) Challenge(ctx context.Context, req sdk.Request, secrets []sdk.Secret) (*sdk.Reply, error) {
	return p.challenge(ctx, nil, req, secrets)
}

func (p *Provider) challenge(ctx context.Context, pin *instance, req sdk.Request, secrets []sdk.Secret) (*sdk.Reply, error) {
	return call(ctx, p, pin, "challenge", func(ctx context.Context, c client.Remote) (*sdk.Reply, error) {
		reply, err := c.Challenge(ctx, req, secrets)
		if err == nil && reply != nil {
			err = checkReply(reply)
		}
		return reply, err
	})
}

// Parse implements [sdk.Provider].
func (p *Provider) Parse(ctx context.Context, req sdk.Request) ([]sdk.Event, error) {
	return p.parse(ctx, nil, req)
}

func (p *Provider) parse(ctx context.Context, pin *instance, req sdk.Request) ([]sdk.Event, error) {
	return call(ctx, p, pin, "parse", func(ctx context.Context, c client.Remote) ([]sdk.Event, error) {
		events, err := c.Parse(ctx, req)
		if err == nil {
			err = checkEvents(events)
		}
		return events, err
	})
}

// Deliver implements [sdk.Deliverer] in one round trip.
func (p *Provider) Deliver(ctx context.Context, req sdk.Request, secrets []sdk.Secret, opts sdk.DeliverOptions) (sdk.Delivery, error) {
	return p.deliver(ctx, nil, req, secrets, opts)
}

func (p *Provider) deliver(ctx context.Context, pin *instance, req sdk.Request, secrets []sdk.Secret, opts sdk.DeliverOptions) (sdk.Delivery, error) {
	return call(ctx, p, pin, "deliver", func(ctx context.Context, c client.Remote) (sdk.Delivery, error) {
		out, err := c.Deliver(ctx, req, secrets, opts)
		if bad := checkDelivery(c.Describe(), req, secrets, opts, out); bad != nil {
			return sdk.Delivery{}, bad // whatever else it says
		}
		return out, err
	})
}

// Samples implements [sdk.Sampler].
func (p *Provider) Samples() []sdk.Sample { return p.Describe().Samples }

// Sample implements [sdk.Sampler].
func (p *Provider) Sample(ctx context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	return p.sample(ctx, nil, ask)
}

func (p *Provider) sample(ctx context.Context, pin *instance, ask sdk.SampleAsk) (sdk.Request, error) {
	return call(ctx, p, pin, "sample", func(ctx context.Context, c client.Remote) (sdk.Request, error) {
		return c.Sample(ctx, ask)
	})
}

// CheckSettings implements [sdk.SettingsChecker].
func (p *Provider) CheckSettings(ctx context.Context, source sdk.Source) ([]sdk.SettingProblem, error) {
	return p.checkSettings(ctx, nil, p.Describe(), source)
}

func (p *Provider) checkSettings(ctx context.Context, pin *instance, d sdk.Descriptor, source sdk.Source) ([]sdk.SettingProblem, error) {
	if !d.ChecksSettings {
		return nil, nil
	}
	return call(ctx, p, pin, "check_settings", func(ctx context.Context, c client.Remote) ([]sdk.SettingProblem, error) {
		return c.CheckSettings(ctx, source)
	})
}

// call makes one call to a process, or, when that is none or has left, to the
// process of the moment, waiting for one while there is none. It is never made
// twice: what killed the process would kill the next.
func call[T any](ctx context.Context, p *Provider, pin *instance, method string, f func(context.Context, client.Remote) (T, error)) (T, error) {
	in, err := p.acquire(ctx, pin)
	if err != nil {
		var none T
		return none, fmt.Errorf("provider %s: %s: %w", p.typ, method, err)
	}
	defer func() { <-in.slots }()

	in.calls.Add(1)
	start := time.Now()
	if deadline, ok := ctx.Deadline(); !ok || deadline.Sub(start) > p.host.opts.CallTimeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.host.opts.CallTimeout)
		defer cancel()
	}
	out, err := f(ctx, in.client)
	took := time.Since(start)
	if observe := p.host.opts.Metrics.RPC; observe != nil {
		observe(p.typ, method, took)
	}
	if err != nil {
		err = p.judge(ctx, in, err, took)
		p.blame(err)
		err = fmt.Errorf("provider %s: %s: %w", p.typ, method, err)
	}
	return out, err
}

// judge says what a failed call means.
func (p *Provider) judge(ctx context.Context, in *instance, err error, took time.Duration) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return faulty(FaultTimeout, fmt.Errorf("no answer within %s: %w", took.Round(time.Millisecond), err))
	case errors.Is(err, context.Canceled) && ctx.Err() == nil:
		// The supervisor closed the connection to what is dead.
	case status.Code(err) == codes.ResourceExhausted:
		return faulty(FaultSize, fmt.Errorf("its answer is too large: %w", err))
	case status.Code(err) == codes.Internal:
		return faulty(FaultPanic, err)
	case status.Code(err) != codes.Unavailable:
		return err
	}
	// The connection ended, and so most likely did the process; which of the
	// two is noticed first is chance.
	timer := time.NewTimer(p.host.timing.notice)
	defer timer.Stop()
	select {
	case <-in.proc.exited:
		how, _ := in.proc.end()
		return fmt.Errorf("%w: its process ended during the call: %s", ErrProviderDown, how)
	case <-timer.C:
	case <-ctx.Done():
	}
	return fmt.Errorf("%w: %w", ErrProviderDown, err)
}

// acquire returns a process with one of its slots taken: the one that is asked
// for, or that of the moment.
func (p *Provider) acquire(ctx context.Context, pin *instance) (*instance, error) {
	for {
		in := pin
		if in == nil || !in.there() {
			in = p.living()
		}
		if in == nil {
			var err error
			if in, err = p.await(ctx); err != nil {
				return nil, err
			}
		}
		select {
		case in.slots <- struct{}{}:
		default:
			if err := in.awaitSlot(ctx, p.host); err != nil {
				return nil, err
			}
		}
		if p.living() == in || in == pin && in.there() {
			return in, nil
		}
		<-in.slots // it was replaced while we waited
	}
}

// there says whether a process, the one of the moment or one before it, takes
// calls.
func (in *instance) there() bool {
	select {
	case <-in.leaving:
		return false
	case <-in.proc.exited:
		return false
	default:
		return true
	}
}

// living returns the process of the moment, unless it has ended without the
// supervisor's having got to it: a call that follows a crash is for the next.
func (p *Provider) living() *instance {
	in := p.current.Load()
	if in != nil {
		select {
		case <-in.proc.exited:
			return nil
		default:
		}
	}
	return in
}

func (in *instance) awaitSlot(ctx context.Context, h *Host) error {
	limit := h.opts.CallTimeout
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case in.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d calls are in flight already: %w", maxCalls, context.Cause(ctx))
	case <-timer.C:
		return fmt.Errorf("%d calls are in flight already, for %s: %w", maxCalls, limit, context.DeadlineExceeded)
	}
}

// await waits for a process, within what the context and the bound on a call
// allow, less the time to answer.
func (p *Provider) await(ctx context.Context) (*instance, error) {
	if p.waiting.Add(1) > maxCalls {
		p.waiting.Add(-1)
		return nil, p.down(fmt.Errorf("%d calls wait for it already", maxCalls))
	}
	defer p.waiting.Add(-1)

	limit := p.host.opts.CallTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)-spareTime)
	}
	timer := time.NewTimer(max(0, limit))
	defer timer.Stop()
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		if in := p.living(); in != nil {
			return in, nil
		}
		select {
		case <-changed:
		case <-p.alive.Done():
			return nil, fmt.Errorf("%w: it is being stopped", ErrProviderDown)
		case <-ctx.Done():
			return nil, p.down(context.Cause(ctx))
		case <-timer.C:
			return nil, p.down(nil)
		}
	}
}

// down says that there is no process, why, and why it is not waited for.
func (p *Provider) down(waited error) error {
	s := p.Status()
	err := fmt.Errorf("%w (%s)", ErrProviderDown, s.State)
	if s.LastError != "" {
		err = fmt.Errorf("%w: %s", err, s.LastError)
	}
	if waited != nil {
		err = fmt.Errorf("%w: %w", err, waited)
	}
	return err
}
