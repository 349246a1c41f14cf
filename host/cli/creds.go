package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
)

func newCreds(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "creds",
		Short: "Store the secrets that sources and agents need",
		Long: `Store, list and remove credentials: what proves that a delivery came from its
vendor, and what agents need for their work. Each is a folder of small files
that only you can read; no command ever shows a value.`,
		Example: `  al creds add acme_webhook_secret:my-org
  al creds ls
  al creds types`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCredsAdd(s, runCredsAdd), newCredsLs(s, runCredsLs), newCredsRm(s, runCredsRm), newCredsTypes(s, runCredsTypes))
	return cmd
}

// completionPatience bounds what a press of the tab key may take.
const completionPatience = 5 * time.Second

// completeTypes offers what one might store: what the project needs and has not,
// and every type.
func completeTypes(dir *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		p, _ := projectHere(*dir, false)
		c, err := readCatalog(ctx, Streams{}, p)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var out []string
		if p != nil {
			stored, err := storedCredentials()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			for _, need := range app.CredentialNeeds(p, c.descriptors) {
				if !slices.Contains(stored, need.Ref) {
					out = append(out, cobra.CompletionWithDesc(need.Ref.String(), "needed here, and missing"))
				}
			}
		}
		for _, t := range c.types {
			out = append(out, cobra.CompletionWithDesc(t.Type, t.Name))
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeStored offers what is stored.
func completeStored(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	stored, err := storedCredentials()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var out []string
	for _, ref := range stored {
		if name := ref.String(); !slices.Contains(args, name) {
			out = append(out, name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func storedCredentials() ([]config.CredentialRef, error) {
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return nil, err
	}
	return credentials.List()
}
