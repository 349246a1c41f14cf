package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
)

type doctorOptions struct {
	streams Streams
	project string
	json    bool
	strict  bool
}

func newDoctor(s Streams, run func(context.Context, doctorOptions) error) *cobra.Command {
	o := doctorOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check a project and say what to mend",
		Long: `Check a project: its files, triggers, credentials, providers, harness and store.
Everything that is wrong is told at once, with its place and a way out. It
changes nothing, and may run beside the gateway.

The exit code is 1 when there are errors.`,
		Example: `  al doctor
  al doctor -p my-agents --json
  al doctor --strict             warnings count as errors`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "warnings count as errors")
	return cmd
}

// doctorReport is the JSON of al doctor. Fields are added, never renamed.
type doctorReport struct {
	OK        bool             `json:"ok"`
	Project   string           `json:"project"`
	Agents    int              `json:"agents"`
	Sources   int              `json:"sources"`
	Problems  []doctorProblem  `json:"problems"`
	Providers []doctorProvider `json:"providers"`
}

type doctorProblem struct {
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Message  string `json:"message"`
	Fix      string `json:"fix,omitempty"`
}

type doctorProvider struct {
	Type    string `json:"type"`
	Version string `json:"version,omitempty"`
	Path    string `json:"path,omitempty"`
	OK      bool   `json:"ok"`
}

func runDoctor(ctx context.Context, o doctorOptions) error {
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return err
	}
	p, problems := config.Load(o.project, config.Options{CheckSchedule: app.CheckSchedule})
	var checked app.Checked
	if p != nil {
		// Faults of providers are among the findings; their log would only
		// repeat them.
		if checked, err = app.Check(ctx, p, credentials, hclog.NewNullLogger()); err != nil {
			return err
		}
	}
	problems = append(problems, checked.Problems...).Sorted()
	bad := len(problems.Of(config.Fault)) > 0 || (o.strict && len(problems.Of(config.Warning)) > 0)

	if o.json {
		err = writeJSON(o.streams, report(o.project, p, problems, checked.Providers, !bad))
	} else {
		showProblems(o.streams, problems)
		showChecked(o.streams, p, problems, checked.Providers)
	}
	if err == nil && bad {
		return errShown
	}
	return err
}

func report(dir string, p *config.Project, problems config.Problems, providers []pluginhost.Status, ok bool) doctorReport {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	r := doctorReport{OK: ok, Project: dir, Problems: []doctorProblem{}, Providers: []doctorProvider{}}
	if p != nil {
		r.Agents, r.Sources = len(p.Agents), len(p.Sources)
	}
	for _, f := range problems {
		r.Problems = append(r.Problems, doctorProblem{
			Severity: f.Severity.String(), File: f.Pos.File, Line: f.Pos.Line, Column: f.Pos.Column,
			Message: f.Message, Fix: f.Fix,
		})
	}
	for _, s := range providers {
		r.Providers = append(r.Providers, doctorProvider{Type: s.Type, Version: s.Version, Path: s.Path, OK: s.State == pluginhost.Up})
	}
	return r
}

func showChecked(s Streams, p *config.Project, problems config.Problems, providers []pluginhost.Status) {
	for _, st := range providers {
		if st.State == pluginhost.Up {
			fmt.Fprintf(s.Out, "%s provider %s %s (%s)\n", s.paint(green, "ok:"), st.Type, st.Version, st.Path)
		}
	}
	if p != nil && len(problems.Of(config.Fault)) == 0 {
		fmt.Fprintf(s.Out, "%s %s and %s\n", s.paint(green, "ok:"), count(len(p.Agents), "agent"), count(len(p.Sources), "source"))
	}
	fmt.Fprintf(s.Out, "%s, %s, %s\n", count(len(problems.Of(config.Fault)), "error"),
		count(len(problems.Of(config.Warning)), "warning"), count(len(problems.Of(config.Note)), "note"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
