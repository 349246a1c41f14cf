package app

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/queue"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/tracing"
	"github.com/action-llama/gateway/host/version"
)

// startTraces begins to tell of deliveries and runs, if there is somebody to
// tell. What is told last is that of the runs that end with the gateway.
func (a *App) startTraces(ctx context.Context, g config.Gateway, registry *prometheus.Registry) (err error) {
	a.traces, err = tracing.New(ctx, tracing.Options{
		Endpoint: g.OTLPEndpoint, Version: version.Version, Instance: a.self.ID, Host: a.machine,
		Log: a.log.Named("traces"), Registerer: registry,
	})
	a.later(func() error { a.traces.Close(); return nil })
	return err
}

// tracer is who is told of deliveries; nil for nobody.
func (a *App) tracer() ingest.Tracer {
	if a.traces == nil {
		return nil
	}
	return a.traces
}

// outcomeOf says how a run ended, in the words of the queue.
func outcomeOf(ctx context.Context, r runner.Result) string {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, queue.ErrLost):
		return "lost"
	case errors.Is(cause, queue.ErrKilled):
		return "killed"
	case r.Released():
		return "released"
	case r.State == job.Done:
		return "done"
	default:
		return "failed"
	}
}
