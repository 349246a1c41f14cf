package app

import (
	"context"
	"time"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/tracing"
	"github.com/action-llama/gateway/host/version"
)

// tracesTimeout is for what is left to be sent when the gateway ends.
const tracesTimeout = 3 * time.Second

// startTracing makes the tracer, if somebody wants traces.
func (a *App) startTracing(ctx context.Context, endpoint string) (err error) {
	if !tracing.Wanted(endpoint) {
		return nil
	}
	if a.tracer, err = tracing.New(ctx, tracing.Options{Endpoint: endpoint, Version: version.Version, Log: a.log.Named("traces")}); err != nil {
		return err
	}
	a.later(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), tracesTimeout)
		defer cancel()
		if err := a.tracer.Close(ctx); err != nil {
			a.log.Warn("the last traces were not sent", "error", err)
		}
		return nil
	})
	return nil
}

// passed is what ingest tells of deliveries, or nil when nobody wants to know.
func (a *App) passed() func(ingest.Passage) {
	if a.tracer == nil {
		return nil
	}
	return func(p ingest.Passage) {
		d := tracing.Delivery{
			Receipt: p.Receipt, Provider: p.Provider, Outcome: string(p.Outcome), Code: p.Code, Start: p.Start, End: p.End,
		}
		for _, s := range p.Stages {
			d.Steps = append(d.Steps, tracing.Step(s))
		}
		a.tracer.Delivery(d)
	}
}

func (a *App) traceRun(c store.Claimed, result runner.Result) {
	if a.tracer == nil {
		return
	}
	r := tracing.Run{
		ID: c.Run.ID, Agent: c.Job.Agent, Trigger: string(c.Job.Trigger), Outcome: string(result.State), Receipt: c.Job.Receipt,
		Attempt: c.Run.Attempt, ExitCode: result.ExitCode, Failed: result.State == job.Failed,
		Queued: c.Job.QueuedAt, Start: c.Run.StartedAt, End: result.Ended,
	}
	if r.Failed {
		r.Reason = result.Reason
	}
	for _, e := range c.Merged {
		if e.Receipt != "" {
			r.Merged = append(r.Merged, e.Receipt)
		}
	}
	a.tracer.Run(r)
}
