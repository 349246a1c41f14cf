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
				return json.NewEncoder(s.Out).Encode(versionReport{
					Version: version.Version, Protocol: sdk.ProtocolVersion,
					Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
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

// versionReport is the JSON of al version. Fields are added, never renamed.
type versionReport struct {
	Version  string `json:"version"`
	Protocol int    `json:"protocol"` // of providers
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}
