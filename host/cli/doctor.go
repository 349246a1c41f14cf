package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
)

type doctorOptions struct {
	streams Streams
	project string
	json    bool
	strict  bool
	fix     bool
}

func newDoctor(s Streams, run func(context.Context, doctorOptions) error) *cobra.Command {
	o := doctorOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check a project and say what to mend",
		Long: `Check a project: its files, triggers, schedules, credentials, providers,
harness, port and store. Everything that is wrong is told at once, with its
place and a way out, the worst first. It may run beside the gateway; then it also
sends each of its sources a wrongly signed request, which has to be refused.

It changes nothing, unless --fix lets it do what takes nothing away from anybody
but strangers: modes of credentials and of .al, and a missing line in .gitignore.

The exit code is 1 when there are errors.`,
		Example: `  al doctor
  al doctor -p my-agents --json
  al doctor --strict             warnings count as errors
  al doctor --fix                mend what can be mended safely`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "warnings count as errors")
	cmd.Flags().BoolVar(&o.fix, "fix", false, "mend what can be mended safely, and say so")
	return cmd
}

func runDoctor(ctx context.Context, o doctorOptions) error {
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return err
	}
	d := diagnosis{options: o}
	p, problems := config.Load(o.project, config.Options{CheckSchedule: app.CheckSchedule})
	for _, problem := range problems {
		d.findings = append(d.findings, app.Finding{Topic: app.AboutConfig, Problem: problem})
	}
	if isProject(o.project) {
		// Faults of providers are among the findings; their log would only
		// repeat them.
		busy := startProgress(o.streams, "starting providers, asking harnesses")
		d.checked, err = app.Check(ctx, p, credentials, hclog.NewNullLogger())
		busy.stop()
		if err != nil {
			return err
		}
		d.project = p
		d.findings = append(d.findings, d.checked.Findings...)
	}
	if o.fix {
		d.mend()
	}
	d.sort()
	if o.json {
		err = writeJSON(o.streams, d.report())
	} else {
		d.show()
	}
	if err == nil && !d.ok() {
		return errShown
	}
	return err
}

// diagnosis is all that was found about a project.
type diagnosis struct {
	options  doctorOptions
	project  *config.Project // nil when there is none
	checked  app.Checked
	findings []app.Finding
	mended   []mended
}

type mended struct {
	finding app.Finding
	did     string
}

// mend does what is safe. What could not be mended stays a finding.
func (d *diagnosis) mend() {
	var left []app.Finding
	for _, f := range d.findings {
		if f.Mend == nil {
			left = append(left, f)
			continue
		}
		did, err := f.Mend()
		if err != nil {
			f.Problem.Fix += fmt.Sprintf(" (--fix could not: %v)", err)
			left = append(left, f)
			continue
		}
		d.mended = append(d.mended, mended{f, did})
	}
	d.findings = left
}

// sort brings the findings into the order in which a person would work through
// them: the subject with the worst news first, and in each the worst first.
func (d *diagnosis) sort() {
	topics := app.Topics()
	worst := map[app.Topic]config.Severity{}
	files := map[string]int{}
	for _, f := range d.findings {
		if s, ok := worst[f.Topic]; !ok || f.Problem.Severity < s {
			worst[f.Topic] = f.Problem.Severity
		}
		if _, ok := files[f.Problem.Pos.File]; !ok {
			files[f.Problem.Pos.File] = len(files)
		}
	}
	slices.SortStableFunc(d.findings, func(a, b app.Finding) int {
		return cmp.Or(
			cmp.Compare(worst[a.Topic], worst[b.Topic]),
			cmp.Compare(slices.Index(topics, a.Topic), slices.Index(topics, b.Topic)),
			cmp.Compare(a.Problem.Severity, b.Problem.Severity),
			cmp.Compare(files[a.Problem.Pos.File], files[b.Problem.Pos.File]),
			cmp.Compare(a.Problem.Pos.Line, b.Problem.Pos.Line),
			cmp.Compare(a.Problem.Pos.Column, b.Problem.Pos.Column),
		)
	})
}

func (d *diagnosis) count(severity config.Severity) int {
	n := 0
	for _, f := range d.findings {
		if f.Problem.Severity == severity {
			n++
		}
	}
	return n
}

func (d *diagnosis) ok() bool {
	return d.count(config.Fault) == 0 && (!d.options.strict || d.count(config.Warning) == 0)
}

// show prints the findings on stderr, where problems belong, and what is fine on
// stdout.
func (d *diagnosis) show() {
	s := d.options.streams
	var topic app.Topic
	for _, f := range d.findings {
		if f.Topic != topic {
			topic = f.Topic
			fmt.Fprintln(s.Err, s.errPaint(bold, strings.ToUpper(string(topic[:1]))+string(topic[1:])))
		}
		showProblems(s, config.Problems{f.Problem})
	}
	if len(d.findings) > 0 {
		fmt.Fprintln(s.Err)
	}
	for _, m := range d.mended {
		fmt.Fprintf(s.Out, "%s %s: %s\n", s.paint(green, "fixed:"), m.finding.Problem.Pos, m.did)
	}
	d.showFine()
	summary := fmt.Sprintf("%s, %s, %s", count(d.count(config.Fault), "error"), count(d.count(config.Warning), "warning"), count(d.count(config.Note), "note"))
	if n := d.mendable(); n > 0 {
		summary += fmt.Sprintf("; --fix mends %d of them", n)
	}
	fmt.Fprintln(s.Out, summary)
}

func (d *diagnosis) mendable() int {
	n := 0
	for _, f := range d.findings {
		if f.Mend != nil && !d.options.fix {
			n++
		}
	}
	return n
}

func (d *diagnosis) showFine() {
	s := d.options.streams
	fine := func(format string, args ...any) {
		fmt.Fprintf(s.Out, "%s %s\n", s.paint(green, "ok:"), fmt.Sprintf(format, args...))
	}
	for _, p := range d.checked.Providers {
		if p.OK {
			fine("provider %s %s (%s), protocol %d, SHA-256 %.12s", p.Type, p.Version, p.Path, p.Protocol, p.SHA256)
		}
	}
	for _, h := range d.checked.Harnesses {
		switch {
		case h.OK && h.Name != "":
			fine("%s", strings.TrimSpace(fmt.Sprintf("harness %s (%s) %s", h.Name, h.Path, h.Version)))
		case h.OK:
			fine("harness %s (%s)", h.Command[0], h.Path)
		}
	}
	for _, c := range d.checked.Schedules {
		if len(c.Next) > 0 {
			fine("agent %s runs next %s", c.Agent, nextTimes(c.Next))
		}
	}
	if g := d.checked.Gateway; g.Running {
		text := "gateway running on " + g.URL
		if len(g.Refused) > 0 {
			text += "; it refuses a wrongly signed request for " + strings.Join(g.Refused, ", ")
		}
		fine("%s", text)
	}
	if d.project != nil && d.count(config.Fault) == 0 {
		fine("%s and %s", count(len(d.project.Agents), "agent"), count(len(d.project.Sources), "source"))
	}
}

// nextTimes is "Fri 2026-11-27 09:00, Mon 2026-11-30 09:00 and ... (Europe/Berlin)".
func nextTimes(times []time.Time) string {
	texts := make([]string, len(times))
	for i, t := range times {
		layout := "Mon 2006-01-02 15:04"
		if t.Second() != 0 {
			layout += ":05"
		}
		texts[i] = t.Format(layout)
	}
	zone := times[0].Location().String()
	if times[0].Location() == time.Local {
		zone, _ = times[0].Zone()
	}
	return fmt.Sprintf("%s (%s)", strings.Join(texts, ", "), zone)
}

// doctorReport is the JSON of al doctor. Fields are added, never renamed.
type doctorReport struct {
	OK        bool             `json:"ok"`
	Project   string           `json:"project"`
	Agents    int              `json:"agents"`
	Sources   int              `json:"sources"`
	Problems  []doctorProblem  `json:"problems"`
	Fixed     []doctorFixed    `json:"fixed"` // by --fix
	Providers []doctorProvider `json:"providers"`
	Harnesses []doctorHarness  `json:"harnesses"`
	Schedules []doctorSchedule `json:"schedules"`
	Gateway   doctorGateway    `json:"gateway"`
}

type doctorProblem struct {
	Topic    string `json:"topic"`
	Severity string `json:"severity"` // error, warning or note
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Message  string `json:"message"`
	Fix      string `json:"fix,omitempty"`
	Fixable  bool   `json:"fixable"` // by --fix
}

type doctorFixed struct {
	File    string `json:"file"`
	Message string `json:"message"`
	Did     string `json:"did"`
}

type doctorProvider struct {
	Type     string `json:"type"`
	Version  string `json:"version,omitempty"`
	Protocol int    `json:"protocol,omitempty"`
	Path     string `json:"path,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
	OK       bool   `json:"ok"`
}

type doctorHarness struct {
	Name    string   `json:"name,omitempty"`
	Command []string `json:"command"`
	Path    string   `json:"path,omitempty"`
	Version string   `json:"version,omitempty"`
	OK      bool     `json:"ok"`
}

type doctorSchedule struct {
	Agent    string      `json:"agent"`
	Schedule string      `json:"schedule"`
	Timezone string      `json:"timezone"`
	Next     []time.Time `json:"next"`
}

type doctorGateway struct {
	Running bool     `json:"running"`
	URL     string   `json:"url,omitempty"`
	Refused []string `json:"refused"` // sources that turned a wrongly signed request away
}

func (d *diagnosis) report() doctorReport {
	dir := d.options.project
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	r := doctorReport{
		OK: d.ok(), Project: dir, Problems: []doctorProblem{}, Fixed: []doctorFixed{}, Providers: []doctorProvider{},
		Harnesses: []doctorHarness{}, Schedules: []doctorSchedule{},
		Gateway: doctorGateway{Running: d.checked.Gateway.Running, URL: d.checked.Gateway.URL, Refused: append([]string{}, d.checked.Gateway.Refused...)},
	}
	if d.project != nil {
		r.Agents, r.Sources = len(d.project.Agents), len(d.project.Sources)
	}
	for _, f := range d.findings {
		p := f.Problem
		r.Problems = append(r.Problems, doctorProblem{
			Topic: string(f.Topic), Severity: p.Severity.String(), File: p.Pos.File, Line: p.Pos.Line, Column: p.Pos.Column,
			Message: p.Message, Fix: p.Fix, Fixable: f.Mend != nil,
		})
	}
	for _, m := range d.mended {
		r.Fixed = append(r.Fixed, doctorFixed{File: m.finding.Problem.Pos.File, Message: m.finding.Problem.Message, Did: m.did})
	}
	for _, p := range d.checked.Providers {
		r.Providers = append(r.Providers, doctorProvider(p))
	}
	for _, h := range d.checked.Harnesses {
		r.Harnesses = append(r.Harnesses, doctorHarness(h))
	}
	for _, c := range d.checked.Schedules {
		r.Schedules = append(r.Schedules, doctorSchedule(c))
	}
	return r
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
