package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
)

type reloadOptions struct {
	streams Streams
	gateway gateway
	json    bool
}

func newReload(s Streams, run func(context.Context, reloadOptions) error) *cobra.Command {
	o := reloadOptions{streams: s}
	var w where
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the gateway take up changed files",
		Long: `Have the running gateway take up the configuration and credentials that are on
the disk now. Agents and sources come, change and go without a restart, and runs
under way end as they began.

It is all or nothing: when something is wrong, everything that is wrong is told,
the gateway goes on with what it had, and the exit code is 1.

A provider whose file is another one now is replaced, too: the new process starts
beside the old one, has to pass a self-test and to fit the configuration, and then
takes over without a lost delivery. If it does not, the old one stays.

A gateway does this by itself when files change, unless [gateway] autoReload is
false. This command does not wait for it, and tells what came of it. SIGHUP does
the same, and tells the log.`,
		Example: `  al reload
  al reload -p my-agents --json
  al reload --url https://gateway.example.com     with its key in AL_API_KEY`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.gateway, err = w.find(cmd, s); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	gatewayFlags(cmd, &w)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runReload(ctx context.Context, o reloadOptions) error {
	client, err := o.gateway.running()
	if err != nil {
		return err
	}
	out, err := client.Reload(ctx)
	if err != nil {
		return err
	}
	if o.json {
		err = writeJSON(o.streams, out)
	} else {
		showReloaded(o.streams, out)
	}
	if err == nil && !out.OK {
		return errShown
	}
	return err
}

func showReloaded(s Streams, out api.Reloaded) {
	for _, p := range out.Problems {
		colour := map[string]string{"error": red, "warning": yellow}[p.Severity]
		if colour == "" {
			colour = dim
		}
		fmt.Fprintf(s.Err, "%s %s\n", s.errPaint(colour, p.Severity+":"), p)
	}
	switch out.Outcome {
	case api.ReloadFailed:
		if !slices.ContainsFunc(out.Problems, func(p api.Problem) bool { return p.Severity == "error" }) {
			fmt.Fprintf(s.Err, "%s %s\n", s.errPaint(red, "error:"), out.Detail)
		}
		fmt.Fprintf(s.Err, "%s not reloaded; the gateway goes on with configuration %s of %s\n", s.errPaint(red, "al:"),
			out.Config.Digest, out.Config.LoadedAt.Local().Format(time.DateTime))
	case api.ReloadUnchanged:
		what := "nothing has changed: configuration"
		if len(out.Providers) > 0 {
			what = "unchanged: configuration"
		}
		fmt.Fprintf(s.Out, "%s %s\n", what, out.Config.Digest)
	default:
		fmt.Fprintf(s.Out, "%s configuration %s\n", s.paint(green, "reloaded:"), out.Config.Digest)
		for _, c := range out.Changes {
			fmt.Fprintf(s.Out, "  %s\n", c)
		}
	}
	for _, p := range out.Providers {
		showProviderReloaded(s, p)
	}
	showNeedRestart(s, out.Config)
}

// showProviderReloaded says what became of a provider whose file may be another.
func showProviderReloaded(s Streams, p api.ProviderReloaded) {
	switch p.Outcome {
	case api.ProviderFailed:
		fmt.Fprintf(s.Err, "%s %s\n", s.errPaint(red, "error:"), printableLine(p.Detail))
		if p.Before != "" {
			fmt.Fprintf(s.Err, "%s provider %s not replaced; version %s goes on\n", s.errPaint(red, "al:"), p.Type, p.Before)
		}
	case api.ProviderUnchanged:
		fmt.Fprintf(s.Out, "provider %s %s runs already\n", p.Type, p.Version)
	default:
		from := ""
		if p.Before != "" {
			from = " takes over from " + p.Before
		}
		fmt.Fprintf(s.Out, "%s provider %s %s%s\n", s.paint(green, "replaced:"), p.Type, p.Version, from)
	}
}

// showConfig is what al stat says of the configuration.
func showConfig(s Streams, c *api.ConfigStatus, now time.Time) {
	if c == nil {
		return
	}
	fmt.Fprintf(s.Out, "configuration %s, loaded %s ago\n", c.Digest, since(now, c.LoadedAt))
	if c.Error != "" && c.FailedAt != nil {
		fmt.Fprintf(s.Out, "%s the files that are there now, %s ago: %s\n", s.paint(red, "not reloaded:"), since(now, *c.FailedAt), c.Error)
	}
	showNeedRestart(s, *c)
}

func showNeedRestart(s Streams, c api.ConfigStatus) {
	if len(c.NeedRestart) > 0 {
		fmt.Fprintf(s.Out, "%s %s: al stop, then al start\n", s.paint(yellow, "takes effect after a restart:"), strings.Join(c.NeedRestart, ", "))
	}
}

// reloadOnHangup reloads at each SIGHUP until the function it returns is called.
// What came of it is in the gateway's log.
func reloadOnHangup(gateway *app.App) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-hangups:
				_, _ = gateway.Reload(ctx) // it fails when the gateway stops
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		cancel()
		<-done
	}
}
