// Package app puts the gateway together: it is the one package that knows all
// the others, and holds nothing but their wiring and the order in which they
// start and stop. What each part does is in its own package.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/cron"
	"github.com/action-llama/gateway/host/handover"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/page"
	"github.com/action-llama/gateway/host/queue"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/scrape"
	"github.com/action-llama/gateway/host/tracing"
	"github.com/action-llama/gateway/host/version"
)

// Options of New.
type Options struct {
	Project     *config.Project // as config.Load returns it
	Credentials config.Credentials
	Log         hclog.Logger
	// SetLogLevel makes [gateway] logLevel hold, now and when it changes. Nil
	// leaves the level as it is.
	SetLogLevel func(level string)
	// Providers replaces the provider processes, in tests and benchmarks.
	Providers Providers
	// Listener is the port, when somebody else has opened it: systemd. It is
	// closed in the end, also by a New that fails.
	Listener *net.TCPListener
	// Takeover has the gateway take over from the one that runs on the project,
	// if one does, instead of refusing to start beside it.
	Takeover bool
	// Timing makes reloading quicker, in tests.
	Timing Timing
}

// App is a gateway for one project, from New to the end of Run.
type App struct {
	config      configuration
	credentials config.Credentials
	log         hclog.Logger
	setLogLevel func(level string)
	started     time.Time
	self        Instance
	machine     string // its name

	// Of the gateway that this one takes over from, of those that finish their
	// runs, and of the one that takes over from this.
	before     *handover.Successor // nil when there is none, or it was told all
	ticksSince time.Time           // zero for now
	atStart    []Instance
	unburied   unburied
	left       leaving

	listener    *net.TCPListener
	lock        *handover.Lock  // of the project
	registered  func() error    // undoes it
	offer       *handover.Offer // nil when nobody can take over
	connections connections
	closed      chan struct{} // when the port's part is over
	server      *http.Server
	store       storage
	told        told // by other hosts
	providers   Providers
	rewire      chan struct{} // a provider came up: what it says may be new
	metrics     *metrics
	traces      *tracing.Tracer // nil when nobody wants any
	sources     chan struct{}   // they changed: there may be some that nothing is known of
	ingest      *ingest.Handler
	dispatcher  *queue.Dispatcher
	cron        *cron.Scheduler
	history     *History
	page        *page.Page
	runner      *runner.Runner
	use         *credentialUse
	stopping    *stopping
	keeper      *keeper
	key         atomic.Pointer[string] // of the API

	// cleanups undo New, the last first.
	cleanups []func() error
}

// URL is where the gateway listens.
func (a *App) URL() string { return a.self.URL }

// New makes a gateway that is ready to Run: the project is locked, the port
// open, the store recovered, and its providers answer or have failed once. What
// went wrong is undone.
func New(ctx context.Context, o Options) (app *App, err error) {
	a := &App{
		config: configuration{now: &snapshot{project: o.Project}}, credentials: o.Credentials, log: o.Log, setLogLevel: o.SetLogLevel,
		started: time.Now(), rewire: make(chan struct{}, 1), stopping: newStopping(),
		left: leaving{asked: make(chan struct{})}, closed: make(chan struct{}), sources: make(chan struct{}, 1),
	}
	a.self = Instance{PID: os.Getpid(), StartedAt: a.started, ID: newGatewayID(), Version: version.Version}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.cleanup())
		}
	}()

	a.later(func() error { a.endTalk(); return nil })
	if a.machine, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("find this host's name: %w", err)
	}
	a.later(a.releaseProject)
	if err := a.findPlace(ctx, o); err != nil {
		return nil, err
	}

	registry := prometheus.NewRegistry()
	board := scrape.New(registry)
	m := newMetrics(registry)
	a.metrics = m
	if err := a.startTraces(ctx, o.Project.Gateway, registry); err != nil {
		return nil, err
	}
	providersUp, err := a.startProviders(ctx, o, m)
	if err != nil {
		return nil, err
	}
	key, err := ensureAPIKey(o.Credentials)
	if err != nil {
		return nil, err
	}
	a.key.Store(&key)
	if a.before == nil { // else it is in use, and waits until all else is ready
		if err := a.openStore(ctx, o.Project, m); err != nil {
			return nil, err
		}
	}
	<-providersUp
	first, problems, err := a.firstConfiguration(ctx, o.Project)
	if err != nil {
		return nil, err
	}
	if a.before != nil {
		if err := a.takeOver(ctx); err != nil {
			return nil, err
		}
		if err := a.openStore(ctx, o.Project, m); err != nil {
			return nil, err
		}
	}
	if err := a.register(o.Project); err != nil {
		return nil, err
	}
	if err := a.prepareWork(ctx, o.Project, registry, board); err != nil {
		return nil, err
	}
	if err := a.serve(o.Project.Gateway, board); err != nil {
		return nil, err
	}
	if _, err := a.install(ctx, first); err != nil {
		return nil, err
	}
	a.keeper = newKeeper(a, o.Timing, m, problems)
	if a.before != nil {
		if err := a.mayBegin(ctx, o.Project.Dir); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *App) later(undo func() error) { a.cleanups = append(a.cleanups, undo) }

func (a *App) cleanup() error {
	var errs []error
	for i := len(a.cleanups) - 1; i >= 0; i-- {
		errs = append(errs, a.cleanups[i]())
	}
	a.cleanups = nil
	return errors.Join(errs...)
}

// firstConfiguration refuses to run what can never work, and tells of the rest.
func (a *App) firstConfiguration(ctx context.Context, p *config.Project) (*snapshot, config.Problems, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("stopped while starting: %w", context.Cause(ctx))
	}
	select {
	case <-a.rewire: // of the start itself
	default:
	}
	first, problems := a.assemble(p)
	if err := problems.Err(); err != nil {
		return nil, nil, err
	}
	a.warn(problems)
	return first, problems, nil
}

// Run takes deliveries and runs agents until ctx ends or somebody asks it to
// stop, and then stops in order: no new runs, time for those under way, no more
// deliveries, and last the store.
func (a *App) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.cleanup()) }()

	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	// What only the gateway that serves does.
	duties, endDuties := context.WithCancel(work)
	defer endDuties()
	ticks, stopTicks := context.WithCancel(duties)
	defer stopTicks()
	failed := make(chan error, 11) // the parts, and the announcement: none ever waits
	var parts sync.WaitGroup
	part := func(what string, run func() error) {
		parts.Go(func() {
			if err := run(); err != nil && !errors.Is(err, context.Canceled) {
				failed <- fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	part("dispatcher", func() error { return a.dispatcher.Run(work) })
	part("cron", func() error { return a.cron.Run(ticks) })
	part("configuration", func() error { a.keeper.run(duties); return nil })
	part("history", func() error { a.keepShort(duties); return nil })
	part("gateways before", func() error { a.watchOthers(duties); return nil })
	part("credentials", func() error { a.use.run(work); return nil })
	part("page", func() error { a.page.Run(work); return nil })
	part("sources", func() error { a.recallEvents(work); return nil })
	part("http", a.serveHTTP)
	if a.offer != nil {
		part("handover", func() error { return a.offer.Serve(work) })
	}

	p := a.config.get().project
	if err := announce(p.Dir, a.self); err != nil {
		failed <- err
	}
	a.nowServing(ctx)
	a.log.Info("gateway ready", "url", a.self.URL, "agents", len(p.Agents), "sources", len(p.Sources),
		"took", time.Since(a.started).Round(time.Millisecond))

	select {
	case <-ctx.Done():
	case <-a.stopping.asked:
	case <-a.left.asked:
		endDuties()
		a.finish(&parts)
	case err = <-failed:
		a.log.Error("stopping: a part of the gateway failed", "error", err)
	}
	if a.left.now.Load() && !a.StopRequested() {
		a.log.Info("leaving: the runs of this gateway have ended")
		a.RequestStop(false)
	} else {
		until := a.RequestStop(false)
		a.log.Info("stopping", "grace", max(0, time.Until(until).Round(time.Second)))
	}
	stopTicks() // a tick that nobody runs any more is let go by
	err = errors.Join(err, a.drain())
	stopWork()
	parts.Wait()
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	if a.left.now.Load() {
		return err // the file is the next one's
	}
	return errors.Join(err, unannounce(p.Dir))
}
