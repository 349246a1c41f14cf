package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/sdk"
)

type newOptions struct {
	streams  Streams
	dir      string
	provider string
}

func newNew(s Streams, run func(context.Context, newOptions) error) *cobra.Command {
	o := newOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "Make a project that works at once",
		Long: `Make a project: a configuration, one agent, and, where the vendor lets the
operator choose it, a webhook secret. Its harness only prints what it is told,
so that nothing needs an account.`,
		Example: "  al new my-agents\n  al new my-agents --provider TYPE",
		Args:    words(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = args[0]
			return run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.provider, "provider", "", "type of the provider to begin with; by default one that is installed")
	_ = cmd.RegisterFlagCompletionFunc("provider", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		types, err := app.InstalledTypes()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return types, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func runNew(ctx context.Context, o newOptions) error {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	if err := mustBeEmpty(dir); err != nil {
		return err
	}
	plan := projectPlan{dir: dir, name: safeName(filepath.Base(dir))}
	if plan.provider, err = chooseProvider(ctx, o); err != nil {
		return err
	}
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return err
	}
	stored, err := plan.makeCredential(credentials)
	if err != nil {
		return err
	}
	for name, text := range plan.files() {
		if err := writeNew(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	plan.explain(o.streams, o.dir, stored)
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

// chooseProvider returns the provider to begin with, or none when none is
// installed: a schedule needs none. Unless a person says otherwise it is one
// whose secret can be made up here, so that the project works at once.
func chooseProvider(ctx context.Context, o newOptions) (sdk.Descriptor, error) {
	types := []string{o.provider}
	if o.provider == "" {
		var err error
		if types, err = app.InstalledTypes(); err != nil || len(types) == 0 {
			return sdk.Descriptor{}, err
		}
	}
	found, err := app.DescribeProviders(ctx, types, hclog.NewNullLogger())
	if len(found) == 0 {
		return sdk.Descriptor{}, err
	}
	chosen := found[0]
	if i := slices.IndexFunc(found, canGenerate); i >= 0 {
		chosen = found[i]
	}
	if len(found) > 1 {
		fmt.Fprintf(o.streams.Err, "installed providers: %s; beginning with %s (--provider chooses another)\n", strings.Join(types, ", "), chosen.Type)
	}
	return chosen, nil
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

// projectPlan is a project that is about to be written.
type projectPlan struct {
	dir      string
	name     string
	provider sdk.Descriptor // its Type is empty for none
}

// makeCredential stores a secret that the operator may choose, unless there is
// one already, and returns the folder it is in.
func (p projectPlan) makeCredential(c config.Credentials) (string, error) {
	typ := p.provider.Credential.Type
	fields := p.provider.Credential.Fields
	if typ == "" || !canGenerate(p.provider) {
		return "", nil
	}
	if _, err := c.Read(typ, p.name, fields); err == nil {
		return filepath.Join(c.Dir, typ, p.name), nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	values := map[string]string{}
	for _, f := range fields {
		if f.Generated {
			values[f.Name] = app.RandomSecret()
		}
	}
	return filepath.Join(c.Dir, typ, p.name), c.Write(typ, p.name, values)
}

func (p projectPlan) explain(s Streams, dir, credential string) {
	fmt.Fprintf(s.Out, "%s %s\n\n", s.paint(green, "made"), dir)
	next := 1
	step := func(format string, args ...any) {
		fmt.Fprintf(s.Out, "%d. %s\n", next, fmt.Sprintf(format, args...))
		next++
	}
	step("%s", s.paint(bold, "al start -p "+dir))
	if p.provider.Type != "" {
		if p.provider.Setup != "" {
			setup := strings.ReplaceAll(strings.TrimSpace(p.provider.Setup), "{url}", "https://<your host>/webhooks/"+p.provider.Type)
			step("At %s:\n   %s", p.provider.Name, strings.ReplaceAll(setup, "\n", "\n   "))
		}
		if credential != "" {
			step("The secret for it was made for you; it is in\n   %s", credential)
		} else {
			step("Store the %s of your account as\n   the credential %q.", p.provider.Credential.Type, p.name)
		}
	}
	step("Tell the agent what to do in agents/hello/SKILL.md, and choose a coding\n   agent as [runner] harness in config.toml.")
}
