package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

type pluginTestOptions struct {
	streams   Streams
	binary    string
	cases     string
	events    []string
	always    []string
	tolerance time.Duration
	timeout   time.Duration
	short     bool
	update    bool
	json      bool
}

func newPluginTest(s Streams, run func(context.Context, pluginTestOptions) error) *cobra.Command {
	o := pluginTestOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "test BINARY",
		Short: "Run the conformance kit against a provider, whatever it is written in",
		Long: `Start a provider's binary as the gateway does, and check that it keeps the
protocol: every case of a folder has to become what the case says, and what
hostile senders could make of it has to be refused or understood, in time,
without a crash, and without a secret or a body in an error or the log.

A case is one file, request and expectation; docs/writing-a-provider.md has the
format. A new case is a request alone: --update writes what the provider makes
of it, and signs it as the other cases are signed. Read what it wrote.`,
		Example: `  al plugin test dist/al-provider-acme --cases cases
  al plugin test ./al-provider-acme --event order.paid --tolerance 5m --json
  al plugin test ./al-provider-acme --update`,
		Args: words(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.binary = args[0]
			if err := o.check(); err != nil {
				return &usageError{err: err, usage: cmd.UsageString()}
			}
			return run(cmd.Context(), o)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.cases, "cases", "cases", "the folder of the cases")
	f.StringArrayVar(&o.events, "event", nil, "an event that the vendor documents, and that a case has to show; may be repeated")
	f.StringArrayVar(&o.always, "always", nil, "ATTRIBUTE=REASON: why every event of this vendor has the attribute; may be repeated")
	f.DurationVar(&o.tolerance, "tolerance", 0, "how far a signed time may be from the time of receipt (default: what headers tell)")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "end after this time, as failed")
	f.BoolVar(&o.short, "short", false, "leave out bodies beyond a megabyte, which take seconds")
	f.BoolVar(&o.update, "update", false, "write what the provider makes of each case into it, then check")
	f.BoolVar(&o.json, "json", false, "print JSON")
	_ = cmd.MarkFlagDirname("cases")
	for _, name := range []string{"event", "always", "tolerance", "timeout"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	return cmd
}

// check finds what is wrong with the words of the call.
func (o pluginTestOptions) check() error {
	var errs []error
	if o.timeout <= 0 || o.tolerance < 0 {
		errs = append(errs, errors.New("--timeout and --tolerance are times like 5m"))
	}
	for _, text := range o.always {
		if name, reason, _ := strings.Cut(text, "="); name == "" || reason == "" {
			errs = append(errs, fmt.Errorf("--always %q is not ATTRIBUTE=REASON", text))
		}
	}
	return errors.Join(errs...)
}

// pluginTestReport is the JSON of al plugin test. Fields are added, never renamed.
type pluginTestReport struct {
	Binary   string              `json:"binary"`
	Type     string              `json:"type,omitempty"`
	Version  string              `json:"version,omitempty"`
	Passed   bool                `json:"passed"`
	Complete bool                `json:"complete"` // it was not ended before everything was asked
	Seconds  float64             `json:"seconds"`
	Cases    []pluginTestCase    `json:"cases"`
	Findings []pluginTestFinding `json:"findings"`
}

type pluginTestCase struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
}

type pluginTestFinding struct {
	Case    string `json:"case,omitempty"`
	Check   string `json:"check"`
	Message string `json:"message"`
}

func runPluginTest(ctx context.Context, o pluginTestOptions) error {
	cases, err := providertest.ReadCases(o.cases)
	if err != nil {
		return err
	}
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	line := startProgress(o.streams, "starting "+filepath.Base(o.binary))
	k := kit{
		binary: o.binary, line: line,
		suite: &providertest.Suite{
			Cases: cases, Events: o.events, AlwaysPresent: map[string]string{},
			Tolerance: o.tolerance, Short: o.short, Alone: true,
		},
	}
	for _, text := range o.always {
		name, reason, _ := strings.Cut(text, "=")
		k.suite.AlwaysPresent[name] = reason
	}
	err = k.run(limited, o.update)
	line.stop()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && limited.Err() == nil {
		return err
	}
	r := k.report
	r.Binary, r.Seconds = o.binary, time.Since(begun).Seconds()
	r.Complete = limited.Err() == nil
	r.Passed = r.Complete && len(r.Findings) == 0
	if o.json {
		if err := writeJSON(o.streams, r); err != nil {
			return err
		}
	} else {
		o.show(r)
	}
	if !r.Passed {
		return errShown
	}
	return nil
}

// kit is one run of the conformance kit against a binary.
type kit struct {
	binary string
	suite  *providertest.Suite
	line   *progress
	target *providertest.Target
	report pluginTestReport
}

func (k *kit) run(ctx context.Context, update bool) error {
	k.report.Cases, k.report.Findings = []pluginTestCase{}, []pluginTestFinding{}
	if err := k.launch(ctx); err != nil {
		return err
	}
	d := k.target.Describe()
	k.report.Type, k.report.Version = d.Type, d.Version
	if update {
		k.line.update("updating cases")
		if err := k.suite.Update(ctx, k.target); err != nil {
			return errors.Join(err, k.target.Close())
		}
	}
	k.name(d)
	k.line.update("asking what the provider is")
	k.add(k.suite.CheckProvider(ctx, k.target)...)
	k.add(k.suite.CheckCases(d)...)
	for i, c := range k.suite.Cases {
		if ctx.Err() != nil {
			break
		}
		if k.target.Exited() { // what is wrong with one case says nothing about the next
			k.add(k.suite.CheckLog(k.target)...)
			if err := k.launch(ctx); err != nil {
				return err
			}
		}
		k.line.update(fmt.Sprintf("case %d of %d: %s", i+1, len(k.suite.Cases), c.Name))
		found := k.suite.CheckCase(ctx, k.target, c)
		k.add(found...)
		if ctx.Err() == nil {
			k.report.Cases = append(k.report.Cases, pluginTestCase{Name: c.Name, Passed: len(found) == 0})
		}
	}
	k.add(k.suite.CheckLog(k.target)...)
	return nil //nolint:nilerr // that the time was over is in the report
}

func (k *kit) launch(ctx context.Context) (err error) {
	k.target, err = providertest.Launch(ctx, k.binary)
	return err
}

// name looks at the file's name, by which a gateway knows the type.
func (k *kit) name(d sdk.Descriptor) {
	file := filepath.Base(k.binary)
	if typ, ok := sdk.TypeOfBinary(file); !ok || typ != d.Type {
		k.add(providertest.Finding{Check: "name", Message: fmt.Sprintf("the file is named %s, and a gateway looks for %s%s: that is the type which the provider says it has",
			file, sdk.BinaryPrefix, d.Type)})
	}
}

func (k *kit) add(found ...providertest.Finding) {
	for _, f := range found {
		k.report.Findings = append(k.report.Findings, pluginTestFinding{Case: f.Case, Check: f.Check, Message: f.Message})
	}
}

// show prints a report for people.
func (o pluginTestOptions) show(r pluginTestReport) {
	out, s := o.streams.Out, o.streams
	for _, c := range r.Cases {
		word := s.paint(green, "ok")
		if !c.Passed {
			word = s.paint(red, "FAIL")
		}
		fmt.Fprintf(out, "%-4s  %s\n", word, c.Name)
	}
	for _, f := range r.Findings {
		where := "provider"
		if f.Case != "" {
			where = "case " + f.Case
		}
		fmt.Fprintf(out, "\n%s: %s: %s\n", s.paint(bold, where), f.Check, f.Message)
	}
	if len(r.Findings) > 0 {
		fmt.Fprintln(out)
	}
	if r.Type == "" { // it did not come so far
		r.Type = filepath.Base(r.Binary)
	}
	took := time.Duration(r.Seconds * float64(time.Second)).Round(100 * time.Millisecond)
	what := fmt.Sprintf("%s: %s in %s", strings.TrimSpace(r.Type+" "+r.Version), count(len(r.Cases), "case"), took)
	switch {
	case !r.Complete:
		fmt.Fprintf(out, "%s: not finished within --timeout %s, %s so far\n", what, o.timeout, count(len(r.Findings), "fault"))
	case r.Passed:
		fmt.Fprintf(out, "%s: %s\n", what, s.paint(green, "passed"))
	default:
		fmt.Fprintf(out, "%s: %s\n", what, s.paint(red, count(len(r.Findings), "fault")))
	}
}
