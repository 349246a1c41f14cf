package cli

import "github.com/spf13/cobra"

func newPlugin(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Make, install and check providers",
		Long: `Make, install and check providers: the programs that know vendors, one for each
type of source.`,
		Example: "  al plugin --help",
		Args:    words(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newPluginTest(s, runPluginTest),
	)
	return cmd
}
