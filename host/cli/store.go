package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/store/transfer"
)

func newStore(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Move a project's memory, and prepare a database",
		Long: `Move what a gateway remembers between the file .al/al.db and a PostgreSQL
database, and prepare that. docs/scaling.md says when which of them is right.`,
		Example: `  al store copy --from sqlite --to postgres
  al store migrate`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStoreCopy(s, runStoreCopy), newStoreMigrate(s, runStoreMigrate))
	return cmd
}

type storeMigrateOptions struct {
	streams Streams
	project string
	json    bool
}

func newStoreMigrate(s Streams, run func(context.Context, storeMigrateOptions) error) *cobra.Command {
	o := storeMigrateOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the schema of the PostgreSQL database up to date",
		Long: `Bring the schema of the database of [store] url up to date. al start does so by
itself; this is for those who want it done before, or by a user who owns the schema
while gateways do not. Gateways of the version before go on meanwhile, several may
do it at once, and a schema that a newer al has made is left alone.`,
		Example: `  al store migrate -p my-agents
  AL_STORE_URL=postgres://owner@db/al al store migrate`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON for machines")
	return cmd
}

// migrated is the JSON of al store migrate.
type migrated struct {
	Before int64 `json:"before"` // version of the schema; 0 for none
	After  int64 `json:"after"`
}

func runStoreMigrate(ctx context.Context, o storeMigrateOptions) error {
	p, _, _, err := load(o.streams, o.project, nil)
	if err != nil {
		return err
	}
	progress := startProgress(o.streams, "bringing the schema up to date")
	before, after, err := app.MigrateStore(ctx, p)
	progress.stop()
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, migrated{before, after})
	}
	switch before {
	case after:
		fmt.Fprintf(o.streams.Out, "the schema is up to date (version %d)\n", after)
	case 0:
		fmt.Fprintf(o.streams.Out, "the schema was made (version %d)\n", after)
	default:
		fmt.Fprintf(o.streams.Out, "the schema was brought from version %d to %d\n", before, after)
	}
	return nil
}

type storeCopyOptions struct {
	streams  Streams
	project  string
	from, to string
	restart  bool
	json     bool
}

func newStoreCopy(s Streams, run func(context.Context, storeCopyOptions) error) *cobra.Command {
	o := storeCopyOptions{streams: s}
	stores := []string{app.StoreSQLite, app.StorePostgres}
	cmd := &cobra.Command{
		Use:   "copy --from STORE --to STORE",
		Short: "Copy all that a gateway remembers into another store",
		Long: `Copy deliveries, queues, jobs and runs between the file .al/al.db ("sqlite") and
the database of [store] url ("postgres"), either way. What waits in one waits in
the other then, under the same number. The target has to be empty, and no gateway
may use either of them.

Everything is read again on both sides and compared before the copy counts. One
that was interrupted goes on where it ended; until it is whole, no gateway takes
it for a store. The source stays as it is.`,
		Example: `  al store copy --from sqlite --to postgres
  AL_STORE_URL=postgres://al@db/al al store copy --from sqlite --to postgres
  al store copy --from postgres --to sqlite`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{o.from, o.to} {
				if !slices.Contains(stores, name) {
					return &usageError{err: fmt.Errorf("%q is no store; there are %s", name, strings.Join(stores, " and ")), usage: cmd.UsageString()}
				}
			}
			if o.from == o.to {
				return &usageError{err: fmt.Errorf("--from and --to are both %s", o.from), usage: cmd.UsageString()}
			}
			return run(cmd.Context(), o)
		},
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().StringVar(&o.from, "from", "", "the store to copy: sqlite or postgres")
	cmd.Flags().StringVar(&o.to, "to", "", "the one to copy to")
	cmd.Flags().BoolVar(&o.restart, "restart", false, "begin anew, instead of going on with what an interrupted copy left")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON for machines")
	for _, flag := range []string{"from", "to"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(stores, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

// copiedReport is the JSON of al store copy.
type copiedReport struct {
	From   string            `json:"from"`
	To     string            `json:"to"`
	Tables []transfer.Copied `json:"tables"`
}

func runStoreCopy(ctx context.Context, o storeCopyOptions) error {
	p, _, _, err := load(o.streams, o.project, nil)
	if err != nil {
		return err
	}
	progress := startProgress(o.streams, "opening both stores")
	tables, err := app.CopyStore(ctx, p, app.StoreCopy{
		From: o.from, To: o.to, Anew: o.restart,
		Progress: func(p transfer.Progress) { progress.update(copyBar(p)) },
	})
	progress.stop()
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.streams, copiedReport{o.from, o.to, tables})
	}
	for _, t := range tables {
		fmt.Fprintf(o.streams.Out, "%-10s %9d rows  sha256 %.12s\n", t.Table, t.Rows, t.SHA256)
	}
	fmt.Fprintf(o.streams.Out, "copied from %s to %s, and equal on both sides\n", o.from, o.to)
	if o.to == app.StoreSQLite {
		fmt.Fprintln(o.streams.Err, "gateways use the file once [store] url is gone from config.toml and the environment")
	}
	return nil
}

// copyBar is how far a copy is: "copying jobs [#####     ] 51%".
func copyBar(p transfer.Progress) string {
	const width = 24
	what := "copying"
	if p.Verifying {
		what = "comparing"
	}
	share := 1.0
	if p.All > 0 {
		share = min(1, float64(p.Done)/float64(p.All))
	}
	full := int(share * width)
	return fmt.Sprintf("%s %s [%s%s] %d%%", what, p.Table, strings.Repeat("#", full), strings.Repeat(" ", width-full), int(share*100))
}
