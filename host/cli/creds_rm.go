package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/config"
)

type credsRmOptions struct {
	streams Streams
	project string
	ref     config.CredentialRef
	yes     bool
}

func newCredsRm(s Streams, run func(context.Context, credsRmOptions) error) *cobra.Command {
	o := credsRmOptions{streams: s}
	cmd := &cobra.Command{
		Use:     "rm TYPE[:INSTANCE]",
		Aliases: []string{"remove"},
		Short:   "Remove a credential",
		Long: `Remove a stored credential with all of its fields. It asks first, and says who
in the project uses it; --yes removes it without asking.`,
		Example: "  al creds rm acme_webhook_secret:old\n  al creds rm acme_token --yes",
		Args:    words(cobra.ExactArgs(1)),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeStored(cmd, args, text)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.ref, err = config.ParseCredential(args[0]); err != nil {
				return &usageError{err: err, usage: cmd.UsageString()}
			}
			return run(cmd.Context(), o)
		},
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	return cmd
}

func runCredsRm(ctx context.Context, o credsRmOptions) error {
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return err
	}
	if _, err := credentials.Inspect(o.ref.Type, o.ref.Instance); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return notStored(o.ref)
		}
		return err
	}
	users, err := usersOf(ctx, o)
	if err != nil {
		return err
	}
	if users != "" {
		fmt.Fprintf(o.streams.Err, "%s %s is used by %s\n", o.streams.errPaint(yellow, "warning:"), o.ref, users)
	}
	if !o.yes {
		d, ok := o.streams.dialog()
		if !ok {
			return errors.New("there is nobody to ask; --yes removes it without asking")
		}
		yes, err := d.confirm(ctx, "Remove "+o.ref.String()+"?", false)
		if err != nil {
			return err
		}
		if !yes {
			return errors.New("left as it was")
		}
	}
	if err := credentials.Remove(o.ref.Type, o.ref.Instance); err != nil {
		return err
	}
	fmt.Fprintf(o.streams.Out, "%s %s, from %s\n", o.streams.paint(green, "removed"), o.ref,
		filepath.Join(credentials.Dir, o.ref.Type, o.ref.Instance))
	return nil
}

// usersOf is who in the project uses a credential.
func usersOf(ctx context.Context, o credsRmOptions) (string, error) {
	p, _ := projectHere(o.project, false)
	needs, _, err := credentialsOf(ctx, o.streams, p)
	if err != nil {
		return "", err
	}
	for _, need := range needs {
		if need.Ref == o.ref {
			return usedBy(need.Sources, need.Agents), nil
		}
	}
	return "", nil
}

// notStored says what is stored instead.
func notStored(ref config.CredentialRef) error {
	stored, err := storedCredentials()
	if err != nil {
		return err
	}
	var others []string
	for _, have := range stored {
		if have.Type == ref.Type {
			others = append(others, have.String())
		}
	}
	if len(others) == 0 {
		return fmt.Errorf("no %s is stored; al creds ls lists what is", ref)
	}
	return fmt.Errorf("no %s is stored; there is %s", ref, strings.Join(others, ", "))
}
