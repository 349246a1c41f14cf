package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/config"
)

type credsTypesOptions struct {
	streams Streams
	project string
	types   []string
	json    bool
}

func newCredsTypes(s Streams, run func(context.Context, credsTypesOptions) error) *cobra.Command {
	o := credsTypesOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "types [TYPE...]",
		Short: "List the types of credentials, or say all about some",
		Long: `List the types of credentials: those that the installed providers verify
deliveries with, and those that agents commonly use, with the variables that
their runs see. With TYPE it says where to find each field.

Any other type can be stored as well, for agents of your own.`,
		Example: "  al creds types\n  al creds types acme_webhook_secret\n  al creds types --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.types = args
			return run(cmd.Context(), o)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
			defer cancel()
			p, _ := projectHere(o.project, false)
			c, err := readCatalog(ctx, Streams{}, p)
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return slices.DeleteFunc(c.names(), func(name string) bool { return slices.Contains(args, name) }), cobra.ShellCompDirectiveNoFileComp
		},
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// credsTypesReport is the JSON of al creds types. Fields are added, never
// renamed.
type credsTypesReport struct {
	Types []credsType `json:"types"`
}

type credsType struct {
	Type     string           `json:"type"`
	Name     string           `json:"name"`
	Provider string           `json:"provider,omitempty"` // whose deliveries it proves
	Agents   bool             `json:"agents"`             // commonly used by agents
	Fields   []credsTypeField `json:"fields"`
	Stored   []string         `json:"stored"` // instances
}

type credsTypeField struct {
	Name      string   `json:"name"`
	Label     string   `json:"label"`
	Secret    bool     `json:"secret"`
	Optional  bool     `json:"optional"`
	Generated bool     `json:"generated"` // the operator makes it up
	Pattern   string   `json:"pattern,omitempty"`
	Help      string   `json:"help,omitempty"`
	Variables []string `json:"variables"` // that a run sees
}

func runCredsTypes(ctx context.Context, o credsTypesOptions) error {
	p, _ := projectHere(o.project, false)
	known, err := readCatalog(ctx, o.streams, p)
	if err != nil {
		return err
	}
	stored, err := storedCredentials()
	if err != nil {
		return err
	}
	listed := known.types
	if len(o.types) > 0 {
		listed = nil
		for _, name := range o.types {
			t, ok := known.find(name)
			if !ok {
				return fmt.Errorf("%s", known.unknown(name))
			}
			listed = append(listed, t)
		}
	}
	switch {
	case o.json:
		report := credsTypesReport{Types: []credsType{}}
		for _, t := range listed {
			report.Types = append(report.Types, t.json(stored))
		}
		return writeJSON(o.streams, report)
	case len(o.types) > 0:
		for i, t := range listed {
			if i > 0 {
				fmt.Fprintln(o.streams.Out)
			}
			showType(o.streams, t.json(stored))
		}
		return nil
	default:
		return showTypes(o.streams, known)
	}
}

func (t credentialType) json(stored []config.CredentialRef) credsType {
	out := credsType{Type: t.Type, Name: t.Name, Provider: t.Provider, Agents: t.Agents, Fields: []credsTypeField{}, Stored: []string{}}
	for _, f := range t.Fields {
		out.Fields = append(out.Fields, credsTypeField{
			Name: f.Name, Label: f.Label, Secret: f.Secret, Optional: f.Optional, Generated: f.Generated,
			Pattern: f.Pattern, Help: f.Help, Variables: f.AllVariables(),
		})
	}
	for _, ref := range stored {
		if ref.Type == t.Type {
			out.Stored = append(out.Stored, ref.Instance)
		}
	}
	return out
}

func showTypes(s Streams, known catalog) error {
	for _, group := range []struct {
		head  string
		holds func(credentialType) bool
	}{
		{"Deliveries are verified with", func(t credentialType) bool { return t.Provider != "" }},
		{"Agents commonly use", func(t credentialType) bool { return t.Provider == "" }},
	} {
		w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
		head := group.head
		for _, t := range known.types {
			if !group.holds(t) {
				continue
			}
			if head != "" {
				fmt.Fprintln(s.Out, s.paint(bold, head))
				head = ""
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", t.Type, t.Name, t.fieldNames())
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if head == "" {
			fmt.Fprintln(s.Out)
		}
	}
	fmt.Fprintln(s.Out, "al creds types TYPE says where to find each field. Any other type can be stored, too.")
	return nil
}

func showType(s Streams, t credsType) {
	what := t.Name
	if t.Provider != "" {
		what += fmt.Sprintf("; proves deliveries of sources with type = %q", t.Provider)
	}
	fmt.Fprintf(s.Out, "%s  %s\n", s.paint(bold, t.Type), what)
	for _, f := range t.Fields {
		var notes []string
		for note, holds := range map[string]bool{"optional": f.Optional, "you make it up": f.Generated} {
			if holds {
				notes = append(notes, note)
			}
		}
		line := "  " + f.Name + "  " + f.Label
		if len(notes) > 0 {
			slices.Sort(notes)
			line += " (" + strings.Join(notes, ", ") + ")"
		}
		fmt.Fprintln(s.Out, line)
		if f.Help != "" {
			fmt.Fprintln(s.Out, "      "+f.Help)
		}
		if len(f.Variables) > 0 {
			fmt.Fprintln(s.Out, "      A run sees it as "+strings.Join(f.Variables, ", ")+".")
		}
	}
	if len(t.Stored) > 0 {
		fmt.Fprintln(s.Out, "  stored: "+strings.Join(t.Stored, ", "))
	}
}
