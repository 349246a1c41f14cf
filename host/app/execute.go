package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/queue"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/host/store"
)

// defaultHarness needs no account and no program: it prints what it was told.
const defaultHarness = "print"

var errNoAgent = errors.New("the agent was removed before this run began")

const removedPause = time.Second

// execute runs a claimed job as its agent is configured now.
func (a *App) execute(ctx context.Context, c store.Claimed) queue.Result {
	result, out := a.perform(ctx, c)
	if !out.Unstarted {
		a.traces.Run(c, outcomeOf(ctx, result), result)
	}
	return out
}

func (a *App) perform(ctx context.Context, c store.Claimed) (runner.Result, queue.Result) {
	spec, err := a.spec(c)
	if errors.Is(err, errNoAgent) {
		// It was claimed in the moment in which its agent was removed. The store
		// starts no more of them; should it think otherwise, this does not spin.
		select {
		case <-time.After(removedPause):
		case <-ctx.Done():
		}
		return runner.Result{}, queue.Result{State: job.Waiting, Unstarted: true, Reason: err.Error()}
	}
	if err != nil {
		r := runner.Result{State: job.Failed, ExitCode: 126, Reason: err.Error()}
		return r, queue.Result{State: r.State, ExitCode: r.ExitCode, Reason: r.Reason}
	}
	// The queue's reasons to end a run, in the runner's words.
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), queue.ErrKilled) {
			cancel(runner.ErrKilled)
		} else {
			cancel(runner.ErrShutdown)
		}
	})()
	result := a.runner.Run(run, spec)
	return result, queue.Result{State: result.State, ExitCode: result.ExitCode, Reason: result.Reason, Launched: result.Launched}
}

func (a *App) spec(c store.Claimed) (runner.Spec, error) {
	p := a.config.get().project
	agent, ok := p.Agent(c.Job.Agent)
	if !ok {
		return runner.Spec{}, fmt.Errorf("%w: %s", errNoAgent, c.Job.Agent)
	}
	command, err := commandOf(agent.Runner)
	if err != nil {
		return runner.Spec{}, err
	}
	g, err := grant(a.credentials, agent.Credentials, runner.CredentialsDir(RunsDir(p.Dir), c.Run.ID))
	if err != nil {
		return runner.Spec{}, err
	}
	for _, ref := range agent.Credentials {
		a.use.used(ref.Type, ref.Instance, time.Now())
	}
	return runner.Spec{
		RunID:     c.Run.ID,
		Agent:     agent.Name,
		Trigger:   c.Job.Trigger,
		Attempt:   c.Run.Attempt,
		WorkDir:   p.Dir,
		Command:   command,
		Pre:       agent.Hooks.Pre,
		Post:      agent.Hooks.Post,
		Env:       g.env,
		Files:     g.files,
		Secrets:   g.secrets,
		Sensitive: c.Job.Sensitive,
		Skill:     agent.Skill,
		Params:    agent.Params,
		Context:   c.Job.Context,
		Merged:    c.Merged,
		Schedule:  agent.Schedule,
		Timeout:   agent.Timeout,

		TraceParent: a.traces.TraceParent(c),
	}, nil
}

// maxRetryDelay bounds the wait for another attempt, however often it doubled.
const maxRetryDelay = time.Hour

// retryAt returns when a job whose run failed is tried again, as its agent is
// configured now, or zero for never.
func (a *App) retryAt(j job.Job, failedAt time.Time) time.Time {
	agent, ok := a.config.get().project.Agent(j.Agent)
	if !ok || j.Failures >= agent.Retries {
		return time.Time{}
	}
	delay := agent.RetryDelay
	for range j.Failures {
		if delay *= 2; delay >= maxRetryDelay {
			break
		}
	}
	return failedAt.Add(min(delay, max(maxRetryDelay, agent.RetryDelay)))
}

// commandOf returns what a run of an agent executes.
func commandOf(r config.Runner) ([]string, error) {
	if len(r.Command) > 0 {
		return r.Command, nil
	}
	name := r.Harness
	if name == "" {
		name = defaultHarness
	}
	command, ok := runner.Preset(name)
	if !ok {
		return nil, UnknownHarness(name)
	}
	return command, nil
}

// UnknownHarness says what to do about a name that no harness has.
func UnknownHarness(name string) error {
	names := runner.Presets()
	if near := spelling.Nearest(name, names); near != "" {
		return fmt.Errorf("there is no harness %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("there is no harness %q; use one of %s, or [runner] command", name, strings.Join(names, ", "))
}
