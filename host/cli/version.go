package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/version"
	"github.com/action-llama/gateway/sdk"
)

func newVersion(s Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the version of al and of the provider protocol",
		Example: "  al version\n  al version --json",
		Args:    words(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(s.Out).Encode(map[string]any{
					"version": version.Version, "protocol": sdk.ProtocolVersion,
					"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(s.Out, "al %s (provider protocol %d, %s, %s/%s)\n",
				version.Version, sdk.ProtocolVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
