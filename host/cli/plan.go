package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/deliveries"
)

type planOptions struct {
	streams Streams
	gateway gateway
	project string // the folder of the changed configuration
	another bool   // it is not the gateway's own
	since   span
	agent   string
	all     bool
	json    bool
}

func newPlan(s Streams, run func(context.Context, planOptions) error) *cobra.Command {
	o := planOptions{streams: s, since: span(7 * 24 * time.Hour)}
	var w where
	var against string
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Say which past events a changed configuration would start agents for",
		Long: `Hold a changed configuration against the events of the last days, and say for each
agent which of them would newly start it, which would start it no longer, and how
many stay the same. Nothing is started, and nothing changes.

The changed configuration is the project's files as they are now, or those in
another folder that --against names. It is compared with what the running gateway
works by or, when none runs, with what was recorded of each event. A running
gateway takes up changed files by itself, so make a change that you want to plan
first in a copy of the folder.

Events are judged by sources, filters and ignoreSenders. What concurrency keys,
debouncing, budgets and full queues do with the jobs depends on the moment.`,
		Example: `  al plan                                  the files, with no gateway running
  cp -r my-agents next && edit next/agents/dev/config.toml
  al plan -p my-agents --against next      a changed copy
  al plan --against next --since 14d --agent dev --all`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			o.project, o.another = o.gateway.dir, against != ""
			switch {
			case o.another:
				o.project = against
			case !o.gateway.local():
				return &usageError{err: errors.New("--against has to name the changed configuration for a gateway elsewhere"), usage: cmd.UsageString()}
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.Flags().StringVar(&against, "against", "", "the folder with the changed configuration, instead of the project")
	_ = cmd.MarkFlagDirname("against")
	cmd.Flags().Var(&o.since, "since", "how far to look back: 90m, 24h, 7d")
	cmd.Flags().StringVar(&o.agent, "agent", "", "only this agent")
	_ = cmd.RegisterFlagCompletionFunc("agent", completesAny(&w, s, agentsOf))
	cmd.Flags().BoolVar(&o.all, "all", false, "list every event, also those that stay the same")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runPlan(ctx context.Context, o planOptions) error {
	if o.another && !isProject(o.project) {
		return fmt.Errorf("there is no configuration in %s; --against takes the folder of a project", o.project)
	}
	changed, _, _, err := load(o.streams, o.project, nil)
	if err != nil {
		return err
	}
	r, done, err := o.gateway.deliveries(ctx, o.streams, true)
	if err != nil {
		return err
	}
	defer done()
	plan, problems, err := planned(ctx, o, r, app.Propose(changed))
	if err != nil {
		return err
	}
	if faulty := showPlanProblems(o.streams, problems); faulty {
		return errShown
	}
	if o.agent != "" {
		if _, ok := changed.Agent(o.agent); !ok && !slices.ContainsFunc(plan.Agents, func(a deliveries.PlannedAgent) bool { return a.Agent == o.agent }) {
			return fmt.Errorf("there is no agent %q, neither in %s nor among the events", o.agent, o.project)
		}
		plan.Agents = slices.DeleteFunc(plan.Agents, func(a deliveries.PlannedAgent) bool { return a.Agent != o.agent })
	}
	if o.json {
		return writeJSON(o.streams, plan)
	}
	showPlan(o, plan)
	return nil
}

// planned asks for page after page.
func planned(ctx context.Context, o planOptions, r records, proposal deliveries.Proposal) (deliveries.Plan, []deliveries.Problem, error) {
	until := time.Now()
	q := deliveries.PlanRequest{Proposal: proposal, Since: until.Add(-time.Duration(o.since))}
	tally := deliveries.NewTally(q.Since, until)
	p := startProgress(o.streams, "reading deliveries")
	defer p.stop()
	var problems []deliveries.Problem
	for {
		page, err := r.Plan(ctx, q)
		if err != nil {
			return deliveries.Plan{}, nil, err
		}
		problems = page.Problems // the same on every page
		tally.Add(page)
		if page.Next == "" {
			return tally.Plan(), problems, nil
		}
		q.Before = page.Next
		p.update(fmt.Sprintf("reading deliveries: %d so far", tally.Receipts()))
	}
}

func showPlanProblems(s Streams, problems []deliveries.Problem) (faulty bool) {
	for _, p := range problems {
		colour := yellow
		if p.Severity == "error" {
			colour, faulty = red, true
		}
		fmt.Fprintf(s.Err, "%s %s: %s\n", s.errPaint(colour, p.Severity+":"), p.At, p.Message)
	}
	return faulty
}

func showPlan(o planOptions, plan deliveries.Plan) {
	s := o.streams
	against := "what was recorded"
	if plan.Against == deliveries.AgainstRunning {
		against = "what the running gateway works by"
	}
	fmt.Fprintf(s.Out, "%s of the last %s, compared with %s\n", count(plan.Events, "event"), o.since.String(), against)
	changes := 0
	for _, a := range plan.Agents {
		changes += len(a.Starts) + len(a.Stops)
		section(s, a.Agent)
		showStarts(s, green, "+", "would newly start a run", a.Starts, true)
		showStarts(s, red, "-", "would start a run no longer", a.Stops, true)
		showStarts(s, dim, "=", stays(len(a.Same)), a.Same, o.all)
	}
	if len(plan.Agents) == 0 {
		fmt.Fprintln(s.Out, "none of them starts an agent, neither before nor after")
	}
	showPlanNotes(o, plan, changes)
}

func stays(n int) string {
	if n == 1 {
		return "stays as it is"
	}
	return "stay as they are"
}

func showStarts(s Streams, colour, sign, text string, starts []deliveries.PlannedStart, list bool) {
	if len(starts) == 0 {
		return
	}
	fmt.Fprintf(s.Out, "  %s %s %s\n", s.paint(colour, sign), count(len(starts), "event"), text)
	if !list {
		return
	}
	for _, e := range starts {
		fmt.Fprintf(s.Out, "      %s  %s  %s\n", when(e.ReceivedAt), e.Receipt,
			strings.TrimSpace(printableLine(strings.Join(e.Sources, ",")+"  "+e.Event+"  "+e.Subject)))
	}
}

// showPlanNotes says what a person should know about how far to trust a plan.
func showPlanNotes(o planOptions, plan deliveries.Plan, changes int) {
	s := o.streams
	note := func(format string, args ...any) {
		fmt.Fprintf(s.Err, "%s %s\n", s.errPaint(dim, "note:"), fmt.Sprintf(format, args...))
	}
	for _, source := range slices.Sorted(maps.Keys(plan.Lost)) {
		note("%s came for the source %s, which the changed configuration does not have", count(plan.Lost[source], "event"), source)
	}
	if n := len(plan.Unread); n > 0 {
		note("%s could not be read and %s left out; the first is %s: %s", deliveriesText(n), was(n), plan.Unread[0].Receipt, printableLine(plan.Unread[0].Why))
	}
	if changes == 0 && !o.another && plan.Against == deliveries.AgainstRunning {
		note("the running gateway takes up changed files by itself; to plan a change, make it in a copy of the folder and name that with --against")
	}
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
