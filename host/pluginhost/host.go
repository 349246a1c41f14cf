package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
)

const (
	// DefaultStartTimeout is for the handshake. A Go program needs some 50 ms;
	// the rest is for a busy machine, and for what is translated at first start.
	DefaultStartTimeout = 10 * time.Second
	// DefaultCallTimeout bounds a call whatever its context allows. Providers
	// compute; none of them has to wait for anything.
	DefaultCallTimeout = 5 * time.Second
)

// Options of a Host. The zero value of a field is its default.
type Options struct {
	// Dirs are the folders with providers, in the order of [Find].
	Dirs []string
	// RuntimeDir is the project's .al; sockets go to run/ in it.
	RuntimeDir string
	Log        hclog.Logger
	// MaxBody is the largest body that a request may have, in bytes. Message
	// sizes on both ends follow from it. Defaults to [sdk.DefaultMaxBody].
	MaxBody int64
	// StartTimeout is how long a provider may take to shake hands. Defaults to
	// [DefaultStartTimeout].
	StartTimeout time.Duration
	// CallTimeout bounds each call besides its context. Defaults to
	// [DefaultCallTimeout].
	CallTimeout time.Duration
	// Env lists, by type, what a provider sees of the environment beyond the
	// few variables that all of them see: the names of variables of the host,
	// or "NAME=value". Never a secret.
	Env map[string][]string
	// MaxMemory bounds the memory of a provider's process with its children, in
	// bytes; below zero nothing does. Defaults to [DefaultMaxMemory].
	MaxMemory int64
	// Approve is asked before each launch whether the file that was found may be
	// started, and says why not. Nil approves of everything.
	Approve func(Binary) error
	// Fit says whether the gateway can go on by what the process describes that
	// is to replace another one. Nil takes any that passes the self-test.
	Fit     func(typ string, next sdk.Provider) error
	Metrics Metrics
}

// Metrics is told what happens. Its functions may be nil, and must not block.
type Metrics struct {
	// RPC is told of each call, failed or not, without the time it waited for
	// a restart.
	RPC func(provider, method string, took time.Duration)
	// Up is told when a provider with that version begins or ceases to answer.
	Up func(provider, version string, up bool)
	// Restart is told of each launch after the first that worked or failed.
	Restart func(provider string)
	// Replaced is told of each attempt to put another file in the place of a
	// process that runs.
	Replaced func(provider string, ok bool)
	// Fault is told of each thing that a provider does wrong.
	Fault func(provider string, kind Fault)
	// Gone is told of a provider that was removed; the others but RPC are not
	// told of it any more.
	Gone func(provider string)
}

// timing is what tests make shorter.
type timing struct {
	health, ping           time.Duration // how often a provider is asked whether it answers, and how long it may take
	healthy                time.Duration // after which a death counts as the first
	backoffMin, backoffMax time.Duration
	lookAgain              time.Duration // the longest wait before looking again for a file that was missing or unusable
	drain, stop, killed    time.Duration // for calls in flight, for leaving when asked, for being gone after SIGKILL
	notice                 time.Duration // how long a failed call waits to learn that its process has ended
	watch, spin            time.Duration // how often it is looked at what a provider takes, and how long it may compute for nobody
	spinShare              float64       // of a core, in that time
	handover               time.Duration // how long a process that was replaced is there for those who hold it
}

var defaultTiming = timing{
	health:     5 * time.Second,
	ping:       2 * time.Second,
	healthy:    time.Minute,
	backoffMin: 200 * time.Millisecond,
	backoffMax: 30 * time.Second,
	lookAgain:  5 * time.Second,
	drain:      5 * time.Second,
	stop:       5 * time.Second,
	killed:     2 * time.Second,
	notice:     250 * time.Millisecond,
	watch:      500 * time.Millisecond,
	spin:       30 * time.Second,
	spinShare:  0.8, // which is no housekeeping
	// New routes are in place within milliseconds, and a delivery asks as soon
	// as it has its routes.
	handover: 2 * time.Second,
}

// Host owns the provider processes of this gateway.
type Host struct {
	opts   Options
	log    hclog.Logger
	timing timing
	// dialects are the versions of the protocol that are spoken.
	dialects client.Dialects

	alive context.Context // until Stop
	end   context.CancelFunc
	force context.Context // until Stop runs out of time
	rush  context.CancelFunc

	mu        sync.Mutex
	providers map[string]*Provider
	leaving   []*Provider // removed, and not yet ended
	stopped   bool
}

// New returns a Host that runs nothing yet, and sweeps what killed hosts left
// behind.
func New(opts Options) *Host {
	if opts.Log == nil {
		opts.Log = hclog.NewNullLogger()
	}
	if opts.MaxBody <= 0 {
		opts.MaxBody = sdk.DefaultMaxBody
	}
	if opts.StartTimeout <= 0 {
		opts.StartTimeout = DefaultStartTimeout
	}
	if opts.MaxMemory == 0 {
		opts.MaxMemory = DefaultMaxMemory
	}
	if opts.CallTimeout <= 0 {
		opts.CallTimeout = DefaultCallTimeout
	}
	h := &Host{opts: opts, log: opts.Log.Named("provider"), timing: defaultTiming, dialects: client.Spoken(), providers: map[string]*Provider{}}
	h.alive, h.end = context.WithCancel(context.Background())
	h.force, h.rush = context.WithCancel(context.Background())
	if err := sweepSocketDirs(opts.RuntimeDir); err != nil {
		h.log.Warn("old sockets could not be removed", "error", err)
	}
	return h
}

// Start starts the providers of the given types, all at once, and returns when
// each answers or has failed for the first time. The error joins the failures;
// the other providers run, and those that failed are tried again until Stop or
// Remove. Types that were started before are left alone. ctx bounds the waiting only.
func (h *Host) Start(ctx context.Context, types []string) error {
	var started []*Provider
	h.mu.Lock()
	if h.stopped {
		h.mu.Unlock()
		return errors.New("start providers: the host is stopping")
	}
	for _, typ := range types {
		if h.providers[typ] == nil {
			p := newProvider(h, typ)
			h.providers[typ] = p
			started = append(started, p)
			go p.supervise(p.alive)
		}
	}
	h.mu.Unlock()

	var errs []error
	for _, p := range started {
		select {
		case <-p.first:
			if p.firstErr != nil {
				errs = append(errs, fmt.Errorf("provider %s: not started: %w", p.typ, p.firstErr))
			}
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("provider %s: not started yet: %w", p.typ, context.Cause(ctx)))
		}
	}
	return errors.Join(errs...)
}

// Remove ends providers that are not needed any more, and forgets them at once: a
// later Start of the same type is another process. Calls in flight are answered,
// as by Stop; new ones find no provider. It does not wait for the processes,
// which Stop does.
func (h *Host) Remove(types []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaving = slices.DeleteFunc(h.leaving, func(p *Provider) bool {
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	})
	for _, typ := range types {
		p := h.providers[typ]
		if p == nil {
			continue
		}
		delete(h.providers, typ)
		h.leaving = append(h.leaving, p)
		if p.current.Load() != nil {
			p.log.Info("provider is not needed any more")
		}
		p.remove()
	}
}

// Installed returns nil when there is a file to start for a type, and else the
// error of [Lookup].
func (h *Host) Installed(typ string) error {
	_, err := Lookup(h.opts.Dirs, typ)
	return err
}

// Provider returns a provider that was given to Start, whether it is up or not.
func (h *Host) Provider(typ string) (*Provider, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.providers[typ]
	return p, ok
}

// Status returns the state of every provider, by type.
func (h *Host) Status() []Status {
	var all []Status
	for _, p := range h.all() {
		all = append(all, p.Status())
	}
	sortByType(all, func(s Status) string { return s.Type })
	return all
}

func sortByType[T any](list []T, typ func(T) string) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(typ(a), typ(b)) })
}

func (h *Host) all() []*Provider {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*Provider
	for _, p := range h.providers {
		all = append(all, p)
	}
	return all
}

// Stop ends every provider: no new calls, some seconds for those in flight, a
// request to leave, and SIGKILL for whatever is left, children included. It
// takes 12 seconds at the very most, and less when ctx is done before: then
// what still runs is killed at once. When it returns no process is left, or the
// error says which.
func (h *Host) Stop(ctx context.Context) error {
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	release := context.AfterFunc(ctx, h.rush)
	defer release()
	h.end()
	h.mu.Lock()
	leaving := h.leaving
	h.mu.Unlock()
	var errs []error
	for _, p := range append(h.all(), leaving...) {
		<-p.done // bounded by the timing of supervise
		if p.stopErr != nil {
			errs = append(errs, fmt.Errorf("provider %s: %w", p.typ, p.stopErr))
		}
	}
	h.rush()
	return errors.Join(errs...)
}

// delay is the wait before the next launch. Who dies once may have been unlucky,
// and deliveries wait: what had been up comes back at once the first time.
func (t timing) delay(deaths int, wasUp bool) time.Duration {
	if wasUp {
		deaths--
	}
	if deaths <= 0 {
		return 0
	}
	return t.backoff(deaths)
}

// backoff is the wait before the launch after that many quick deaths: doubling,
// and shortened by up to half at random so that providers that died together
// do not start together.
func (t timing) backoff(deaths int) time.Duration {
	d := t.backoffMax
	if shift := max(0, deaths-1); shift < 16 {
		d = min(d, t.backoffMin<<shift)
	}
	return d/2 + rand.N(d/2+1)
}
