package app

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/cron"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/host/queue"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/scrape"
)

// startProviders begins to start the providers; they take most of the time that
// the gateway needs to be ready, and the rest can be done meanwhile.
func (a *App) startProviders(ctx context.Context, o Options, m *metrics) (<-chan struct{}, error) {
	p := o.Project
	a.providers = o.Providers
	if a.providers == nil {
		folders, err := FoldersOf(p)
		if err != nil {
			return nil, err
		}
		a.providers = processes{pluginhost.New(pluginhost.Options{
			Dirs:         folders.Dirs,
			Approve:      folders.approve,
			RuntimeDir:   StateDir(p.Dir),
			Log:          a.log,
			MaxBody:      p.Gateway.MaxBodyBytes,
			StartTimeout: p.Plugins.StartTimeout,
			CallTimeout:  p.Plugins.CallTimeout,
			MaxMemory:    maxMemory(p.Plugins),
			Env:          p.Plugins.Env,
			Fit:          a.fits,
			Metrics:      m.ofProviders(a.providerUp),
		})}
	}
	up := make(chan struct{})
	go func() {
		defer close(up)
		// Each failure is told by the wiring, with the source that needs it.
		_ = a.providers.Start(ctx, typesOf(p))
	}()
	a.later(func() error {
		<-up
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		return a.providers.Stop(ctx)
	})
	return up, nil
}

// providerUp asks for a new wiring; one that is asked for already will do.
func (a *App) providerUp() {
	select {
	case a.rewire <- struct{}{}:
	default:
	}
}

func (a *App) openStore(ctx context.Context, p *config.Project, m *metrics) error {
	s, err := openStorage(ctx, p, storageOptions{
		log: a.log.Named("store"), onCommit: m.committed, told: &a.told, beside: a.before != nil,
	})
	if err != nil {
		return err
	}
	a.store = s
	a.history = &History{records: s, runs: RunsDir(p.Dir)}
	a.later(s.Close)
	return nil
}

// killLeftovers ends what is left of the runs of killed gateways. Their jobs run
// again; what can not be ended must not keep the rest from working.
func (a *App) killLeftovers(dir string) {
	killed, err := runner.KillLeftovers(dir)
	if err != nil {
		a.log.Warn("some runs of a killed gateway could not be ended", "error", err)
	}
	if killed > 0 {
		a.log.Warn("runs of a killed gateway ended", "count", killed)
	}
}

func (a *App) prepareWork(ctx context.Context, p *config.Project, registry *prometheus.Registry, board *scrape.Board) error {
	a.killLeftovers(RunsDir(p.Dir))
	underWay, _, err := a.runsOfOthers(ctx, a.atStart)
	if err != nil {
		return err
	}
	if err := runner.RemoveLeftoverCredentials(RunsDir(p.Dir), underWay); err != nil {
		a.log.Error("credentials of runs of a killed gateway could not be removed", "error", err)
	}
	if a.runner, err = runner.New(runner.Options{Dir: RunsDir(p.Dir), Log: a.log.Named("runner")}); err != nil {
		return err
	}
	a.dispatcher, err = queue.New(queue.Options{
		Store: a.store, Execute: a.execute, Host: a.hostName(a.self.ID), Log: a.log.Named("queue"),
		Registerer: registry, Board: board, MaxAttempts: p.MaxAttempts, Retry: a.retryAt,
		Exclusive: !a.store.shared, // the project is locked, and the store is a file in it
		Living:    a.livingHosts, Fence: a.store.shared, Lease: a.store.lease,
		Labels: func() []string { return a.config.get().project.Labels },
		Now:    a.store.now,
	})
	if err != nil {
		return err
	}
	a.told.to.Store(a.dispatcher)
	queue.NewCollector(board, a.store.Queues, a.store.now, a.log.Named("queue"))
	registry.MustRegister(
		queue.NewProjectCollector(a.store.Project, a.store.now, a.log.Named("queue")),
		pluginhost.NewUsageCollector(a.providers.Status),
		newDiskCollector(StateDir(p.Dir), DatabaseFile(p.Dir)),
	)

	a.cron, err = cron.New(cron.Options{
		Accept: a.accept, Wake: a.dispatcher.Wake, Log: a.log.Named("cron"), Registerer: registry,
		LastTicks: a.lastTicks, Now: a.store.now,
	})
	if err != nil {
		return err
	}

	a.use = newCredentialUse(p.Dir, a.log.Named("credentials"))
	loops := prometheus.NewRegistry()
	a.ingest = ingest.New(ingest.Options{
		Agents: loops, Counted: board.Add("", loops).Touch, // of all agents, and hardly ever one more
		Tracer: a.tracer(),
		Store:  intake{a}, Wake: a.dispatcher.Wake, Cancel: a.dispatcher.CancelRun,
		Log: a.log.Named("ingest"), Registerer: registry,
		MaxBodyBytes: p.Gateway.MaxBodyBytes, MaxInflightBytes: p.Gateway.MaxInflightBytes,
		Now: a.store.now, Proved: a.use.used,
	})
	return nil
}

// serve prepares the HTTP server.
func (a *App) serve(g config.Gateway, board *scrape.Board) error {
	mux := http.NewServeMux()
	a.ingest.Register(mux)
	api.Register(mux, api.Options{Gateway: surface{a, a.history}, Key: a.apiKey, Metrics: board.Handler(), Log: a.log.Named("api")})
	if err := a.servePage(mux); err != nil {
		return err
	}
	a.server = newServer(a.closing(mux), g, a.log.Named("http"))
	a.server.ConnState = a.connections.count
	a.server.RegisterOnShutdown(a.page.Close)
	return nil
}
