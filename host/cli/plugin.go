package cli

import "github.com/spf13/cobra"

func newPlugin(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Make, install, check and replace providers",
		Long: `Make, install, check and replace providers: the programs that know vendors, one
for each type of source. What is installed in a project is recorded in
al-plugins.lock, and runs as it was recorded or not at all.`,
		Example: `  al plugin init acme                    write one
  al plugin test ./al-provider-acme      does it keep the protocol?
  al plugin add acme-1.4.0.tar.gz        install, and record
  al plugin ls                           what there is, and how it is
  al plugin verify                       is everything as it was recorded
  al plugin upgrade acme-1.5.0.tar.gz    replace, without losing a delivery
  al plugin rollback acme                and go back`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newPluginInit(s, runPluginInit),
		newPluginTest(s, runPluginTest),
		newPluginAdd(s, runPluginAdd),
		newPluginLs(s, runPluginLs),
		newPluginRm(s, runPluginRm),
		newPluginVerify(s, runPluginVerify),
		newPluginUpgrade(s, runPluginUpgrade),
		newPluginRollback(s, runPluginRollback),
	)
	return cmd
}
