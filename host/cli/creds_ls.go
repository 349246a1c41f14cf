package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
)

type credsLsOptions struct {
	streams Streams
	project string
	named   bool // -p was given
	json    bool
}

func newCredsLs(s Streams, run func(context.Context, credsLsOptions) error) *cobra.Command {
	o := credsLsOptions{streams: s}
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the credentials that are stored, and who uses them",
		Long: `List the credentials that are stored: their fields, how old they are, which
sources and agents of the project use them, and when they last proved a delivery
or were handed to a run. What the project needs and has not is listed, too. No
value is ever shown.

When one secret replaces another, the old one can go when it is not used any
more.`,
		Example: "  al creds ls\n  al creds ls -p my-agents --json",
		Args:    words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.named = cmd.Flags().Changed("project")
			return run(cmd.Context(), o)
		},
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// credsReport is the JSON of al creds ls. Fields are added, never renamed.
type credsReport struct {
	Dir         string            `json:"dir"`
	Project     string            `json:"project,omitempty"` // whose sources and agents are meant
	Credentials []credsCredential `json:"credentials"`
}

type credsCredential struct {
	Type     string       `json:"type"`
	Instance string       `json:"instance"`
	Stored   bool         `json:"stored"` // false: the project needs it, and it is missing
	Fields   []credsField `json:"fields"`
	StoredAt *time.Time   `json:"storedAt,omitempty"` // of the newest field
	Sources  []string     `json:"sources"`
	Agents   []string     `json:"agents"`
	LastUsed *time.Time   `json:"lastUsed,omitempty"`
}

type credsField struct {
	Name     string    `json:"name"`
	StoredAt time.Time `json:"storedAt"`
}

func runCredsLs(ctx context.Context, o credsLsOptions) error {
	p, problems := projectHere(o.project, o.named)
	if p == nil && problems.Err() != nil {
		showProblems(o.streams, problems)
		return errShown
	}
	report, err := listCredentials(ctx, o.streams, p)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, report)
	}
	return showCredentials(o.streams, report, time.Now())
}

// listCredentials puts together what is stored and what a project, if there is
// one, has to do with it.
func listCredentials(ctx context.Context, s Streams, p *config.Project) (credsReport, error) {
	report := credsReport{Credentials: []credsCredential{}}
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return report, err
	}
	report.Dir = credentials.Dir
	needs, used, err := credentialsOf(ctx, s, p)
	if err != nil {
		return report, err
	}
	if p != nil {
		report.Project = p.Dir
	}
	refs, err := credentials.List()
	if err != nil {
		return report, err
	}
	for _, need := range needs {
		if !slices.Contains(refs, need.Ref) {
			refs = append(refs, need.Ref)
		}
	}
	slices.SortFunc(refs, func(a, b config.CredentialRef) int { return strings.Compare(a.String(), b.String()) })
	for _, ref := range refs {
		c := credsCredential{Type: ref.Type, Instance: ref.Instance, Fields: []credsField{}, Sources: []string{}, Agents: []string{}}
		stored, err := credentials.Inspect(ref.Type, ref.Instance)
		c.Stored = err == nil && len(stored) > 0 // doctor says what is wrong with it otherwise
		for _, f := range stored {
			c.Fields = append(c.Fields, credsField(f))
			if c.StoredAt == nil || f.StoredAt.After(*c.StoredAt) {
				c.StoredAt = &f.StoredAt
			}
		}
		for _, need := range needs {
			if need.Ref == ref {
				c.Sources, c.Agents = append(c.Sources, need.Sources...), append(c.Agents, need.Agents...)
			}
		}
		if at, known := used[ref.String()]; known {
			c.LastUsed = &at
		}
		report.Credentials = append(report.Credentials, c)
	}
	return report, nil
}

// credentialsOf is what a project says of credentials: who needs which, and when
// its gateway last used them.
func credentialsOf(ctx context.Context, s Streams, p *config.Project) ([]app.Need, map[string]time.Time, error) {
	if p == nil {
		return nil, nil, nil
	}
	known, err := readCatalog(ctx, s, p)
	if err != nil {
		return nil, nil, err
	}
	used, err := app.CredentialUse(p.Dir)
	return app.CredentialNeeds(p, known.descriptors), used, err
}

func showCredentials(s Streams, report credsReport, now time.Time) error {
	if len(report.Credentials) == 0 {
		fmt.Fprintf(s.Err, "nothing is stored in %s; al creds add TYPE stores something, and al creds types lists the types\n", report.Dir)
		return nil
	}
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	head := "CREDENTIAL\tFIELDS\tAGE"
	if report.Project != "" {
		head += "\tUSED BY\tLAST USED"
	}
	fmt.Fprintln(w, head)
	for _, c := range report.Credentials {
		names, stored := "missing", "-"
		if c.Stored {
			fields := make([]string, len(c.Fields))
			for i, f := range c.Fields {
				fields[i] = f.Name
			}
			names, stored = strings.Join(fields, ", "), age(now, *c.StoredAt)
		}
		line := fmt.Sprintf("%s:%s\t%s\t%s", c.Type, c.Instance, names, stored)
		if report.Project != "" {
			last := "-"
			if c.LastUsed != nil {
				last = age(now, *c.LastUsed) + " ago"
			}
			line += "\t" + usedBy(c.Sources, c.Agents) + "\t" + last
		}
		fmt.Fprintln(w, line)
	}
	return w.Flush()
}

// usedBy is "source acme; agents dev, ops".
func usedBy(sources, agents []string) string {
	var parts []string
	of := func(what string, names []string) {
		if len(names) == 1 {
			parts = append(parts, what+" "+names[0])
		} else if len(names) > 1 {
			parts = append(parts, what+"s "+strings.Join(names, ", "))
		}
	}
	of("source", sources)
	of("agent", agents)
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, "; ")
}

// age is a time that has passed, in the one unit that a person would use.
func age(now, then time.Time) string {
	d := now.Sub(then)
	switch {
	case d < time.Minute:
		return "under a minute"
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 24*time.Hour:
		return count(int(d/time.Hour), "hour")
	default:
		return count(int(d/(24*time.Hour)), "day")
	}
}
