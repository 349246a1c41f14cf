package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
)

// completePatience bounds what a person waits for after pressing Tab.
const completePatience = 2 * time.Second

type completer func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective)

// completes offers for the first argument what offer finds. What goes wrong
// offers nothing: there is no place for a message in the middle of a line.
func completes(w *where, s Streams, offer func(context.Context, gateway) []cobra.Completion) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const nothing = cobra.ShellCompDirectiveNoFileComp
		g, err := w.find(cmd, quiet(s))
		if err != nil || len(args) > 0 {
			return nil, nothing
		}
		ctx, cancel := context.WithTimeout(context.Background(), completePatience)
		defer cancel()
		return offer(ctx, g), nothing
	}
}

// quiet are streams on which nothing is said.
func quiet(s Streams) Streams {
	s.Err = nowhere{}
	return s
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// agentsOf lists the agents, with what they are or how they stand.
func agentsOf(ctx context.Context, g gateway) []cobra.Completion {
	var out []cobra.Completion
	if g.local() {
		p, _ := config.Load(g.dir, config.Options{CheckSchedule: app.CheckSchedule})
		for _, a := range p.Agents { // also of a project with problems
			out = append(out, cobra.CompletionWithDesc(a.Name, a.Description))
		}
		return out
	}
	status, err := g.remote.Status(ctx)
	if err != nil {
		return nil
	}
	for _, a := range status.Agents {
		out = append(out, cobra.CompletionWithDesc(a.Name, a.State))
	}
	return out
}

// runsOf lists the newest runs in a state, or in any.
func runsOf(state api.RunState) func(context.Context, gateway) []cobra.Completion {
	return func(ctx context.Context, g gateway) []cobra.Completion {
		h, done, err := g.history(ctx)
		if err != nil {
			return nil
		}
		defer done()
		runs, err := h.Runs(ctx, api.RunsQuery{State: state, Limit: 20})
		if err != nil {
			return nil
		}
		out := make([]cobra.Completion, len(runs))
		for i, r := range runs {
			out[i] = cobra.CompletionWithDesc(r.ID, fmt.Sprintf("%s, %s", r.Agent, lastRun(&r, time.Now())))
		}
		return out
	}
}

// either offers what two others do.
func either(a, b func(context.Context, gateway) []cobra.Completion) func(context.Context, gateway) []cobra.Completion {
	return func(ctx context.Context, g gateway) []cobra.Completion { return append(a(ctx, g), b(ctx, g)...) }
}
