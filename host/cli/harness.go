package cli

import (
	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/runner"
)

// newHarnessPrint is the harness "print": what a run executes until a person
// has chosen a coding agent.
func newHarnessPrint(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:    "harness-print",
		Short:  "Print what a run was told",
		Hidden: true,
		Args:   words(cobra.NoArgs),
		RunE:   func(*cobra.Command, []string) error { return runner.Print(s.In, s.Out, s.Getenv) },
	}
}
