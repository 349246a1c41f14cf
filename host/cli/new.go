package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/sdk"
)

type newOptions struct {
	streams   Streams
	dir       string
	providers []string
	harness   string
	agent     string
	schedule  string
	yes       bool
}

const (
	standardAgent    = "hello"
	standardHarness  = "print"
	standardSchedule = "*/15 * * * *"
	noProvider       = "none"
)

func newNew(s Streams, run func(context.Context, newOptions) error) *cobra.Command {
	o := newOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "Make a project that works at once",
		Long: `Make a project: a commented configuration, one agent, and, where the vendor lets
the operator choose it, a webhook secret. At a terminal it asks which vendors
send events and which coding agent is to run; everything can be given as a flag
as well. The harness "print" only prints what it is told, so that nothing needs
an account.`,
		Example: `  al new my-agents
  al new my-agents --provider acme --harness claude --agent dev
  al new my-agents --provider none --schedule '0 9 * * 1-5' --yes`,
		Args: words(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = args[0]
			if err := o.check(); err != nil {
				return &usageError{err: err, usage: cmd.UsageString()}
			}
			return run(cmd.Context(), o)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.Flags().StringArrayVar(&o.providers, "provider", nil, `type of a vendor that sends events, or "none"; may be repeated`)
	cmd.Flags().StringVar(&o.harness, "harness", "", "what a run executes, by name")
	cmd.Flags().StringVar(&o.agent, "agent", "", `name of the agent (default "`+standardAgent+`")`)
	cmd.Flags().StringVar(&o.schedule, "schedule", "", "when to start the agent: a cron expression")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "ask nothing; what is not said is chosen")
	_ = cmd.RegisterFlagCompletionFunc("provider", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		types, err := app.InstalledTypes()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return append(types, noProvider), cobra.ShellCompDirectiveNoFileComp
	})
	_ = cmd.RegisterFlagCompletionFunc("harness", cobra.FixedCompletions(runner.Presets(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("agent", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("schedule", cobra.NoFileCompletions)
	return cmd
}

// check finds what is wrong with the words of the call.
func (o newOptions) check() error {
	var errs []error
	if o.harness != "" {
		if _, ok := runner.Preset(o.harness); !ok {
			errs = append(errs, app.UnknownHarness(o.harness))
		}
	}
	if o.agent != "" {
		if err := config.CheckAgentName(o.agent); err != nil {
			errs = append(errs, fmt.Errorf("--agent %q: %w", o.agent, err))
		}
	}
	if o.schedule != "" {
		if err := app.CheckSchedule(o.schedule, "Local"); err != nil {
			errs = append(errs, fmt.Errorf("--schedule %q: %w", o.schedule, err))
		}
	}
	if slices.Contains(o.providers, noProvider) && len(o.providers) > 1 {
		errs = append(errs, fmt.Errorf("--provider %s goes with no other", noProvider))
	}
	return errors.Join(errs...)
}

func runNew(ctx context.Context, o newOptions) error {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	if err := mustBeEmpty(dir); err != nil {
		return err
	}
	plan := projectPlan{name: safeName(filepath.Base(dir)), agent: o.agent, schedule: o.schedule}
	installed, failed, err := installedProviders(ctx, o.streams, o.providers)
	if err != nil {
		return err
	}
	d, ask := o.streams.dialog()
	ask = ask && !o.yes
	if plan.providers, err = o.chooseProviders(ctx, d, ask, installed, failed); err != nil {
		return err
	}
	if plan.harness, err = o.chooseHarness(ctx, d, ask); err != nil {
		return err
	}
	if err := o.chooseAgent(ctx, d, ask, &plan); err != nil {
		return err
	}
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return err
	}
	for _, p := range plan.providers {
		state, err := plan.credential(ctx, d, ask, credentials, p)
		if err != nil {
			return err
		}
		plan.credentials = append(plan.credentials, state)
	}
	for _, c := range plan.credentials {
		if len(c.values) > 0 {
			if err := credentials.Write(c.ref.Type, c.ref.Instance, c.values); err != nil {
				return err
			}
		}
	}
	for name, text := range plan.files() {
		if err := writeNew(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	plan.explain(o.streams, o.dir)
	return nil
}

// mustBeEmpty refuses a folder in which something could be overwritten.
func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty; choose another folder", dir)
	}
	return nil
}

// installedProviders describes those that are wanted, or all.
func installedProviders(ctx context.Context, s Streams, wanted []string) (found []sdk.Descriptor, failed error, err error) {
	types := wanted
	if slices.Equal(wanted, []string{noProvider}) {
		return nil, nil, nil
	}
	if len(wanted) == 0 {
		if types, err = app.InstalledTypes(); err != nil || len(types) == 0 {
			return nil, nil, err
		}
	}
	busy := startProgress(s, "asking the providers")
	defer busy.stop()
	found, failed = app.DescribeProviders(ctx, types, hclog.NewNullLogger())
	return found, failed, nil
}

// chooseProviders returns those that the project begins with. Unless a person
// says otherwise it is one whose secret can be made up here, so that the project
// works at once; none when none is installed, as a schedule needs none.
func (o newOptions) chooseProviders(ctx context.Context, d *dialog, ask bool, installed []sdk.Descriptor, failed error) ([]sdk.Descriptor, error) {
	if len(o.providers) > 0 {
		return installed, failed // all that were named, or none
	}
	if len(installed) == 0 {
		return nil, nil
	}
	standard := installed[0]
	if i := slices.IndexFunc(installed, canGenerate); i >= 0 {
		standard = installed[i]
	}
	types := make([]string, len(installed))
	options := make([]option, len(installed))
	for i, p := range installed {
		types[i], options[i] = p.Type, option{p.Type, p.Name}
	}
	if !ask {
		if len(installed) > 1 {
			fmt.Fprintf(o.streams.Err, "installed providers: %s; beginning with %s (--provider chooses others)\n", strings.Join(types, ", "), standard.Type)
		}
		return []sdk.Descriptor{standard}, nil
	}
	picked, err := d.pick(ctx, "Which vendors send events?", options, standard.Type, true)
	var chosen []sdk.Descriptor
	for _, p := range installed {
		if slices.Contains(picked, p.Type) {
			chosen = append(chosen, p)
		}
	}
	return chosen, err
}

func (o newOptions) chooseHarness(ctx context.Context, d *dialog, ask bool) (runner.Harness, error) {
	name := o.harness
	if name == "" && ask {
		standard := standardHarness
		var options []option
		for _, h := range runner.Harnesses() {
			note := ""
			switch {
			case h.Name == standardHarness:
				note = "only prints what it is told"
			case installedHarness(h):
				note = "is installed"
				if standard == standardHarness {
					standard = h.Name
				}
			}
			options = append(options, option{h.Name, note})
		}
		picked, err := d.pick(ctx, "What is to run?", options, standard, false)
		if err != nil {
			return runner.Harness{}, err
		}
		name = picked[0]
	}
	if name == "" {
		name = standardHarness
	}
	h, _ := runner.FindHarness(name) // it was looked up before
	return h, nil
}

func installedHarness(h runner.Harness) bool {
	if h.Name == standardHarness {
		return true // it is part of al
	}
	_, err := exec.LookPath(h.Command[0])
	return err == nil
}

// chooseAgent completes the agent's name and what starts it.
func (o newOptions) chooseAgent(ctx context.Context, d *dialog, ask bool, plan *projectPlan) error {
	if plan.agent == "" && ask {
		name, err := askUntil(ctx, d, "Name of the agent (Enter for "+standardAgent+"):", config.CheckAgentName)
		if err != nil {
			return err
		}
		plan.agent = name
	}
	if plan.agent == "" {
		plan.agent = standardAgent
	}
	if len(plan.providers) > 0 || plan.schedule != "" {
		return nil
	}
	if ask {
		expr, err := askUntil(ctx, d, "When to start it, as a cron expression (Enter for "+standardSchedule+"):",
			func(text string) error { return app.CheckSchedule(text, "Local") })
		if err != nil {
			return err
		}
		plan.schedule = expr
	}
	if plan.schedule == "" {
		plan.schedule = standardSchedule
	}
	return nil
}

// askUntil repeats a question until the answer is good, or empty.
func askUntil(ctx context.Context, d *dialog, question string, check func(string) error) (string, error) {
	for {
		answer, err := d.line(ctx, question)
		if err != nil || answer == "" {
			return "", err
		}
		wrong := check(answer)
		if wrong == nil {
			return answer, nil
		}
		d.say("%v", wrong)
	}
}

// canGenerate says whether a credential of the provider can be made up here.
func canGenerate(d sdk.Descriptor) bool {
	return slices.ContainsFunc(d.Credential.Fields, func(f sdk.Field) bool { return f.Generated })
}

// safeName makes a folder's name one that a credential can have.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '-'
	}, name)
	name = strings.Trim(name, "-_")
	if name == "" {
		return config.DefaultInstance
	}
	return name[:min(len(name), 60)]
}

func writeNew(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // a project is no secret: it is made to be committed
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // as above
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
