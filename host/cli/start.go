package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/handover"
)

type startOptions struct {
	streams  Streams
	project  string
	host     string
	port     int
	portSet  bool
	expose   bool
	takeover bool
	logLevel string
	logJSON  bool
}

func newStart(s Streams, run func(context.Context, startOptions) error) *cobra.Command {
	o := startOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run the gateway of a project",
		Long: `Run the gateway of a project until it is told to stop (Ctrl-C, SIGTERM, or
al stop). Runs under way then have [gateway] shutdownGrace to finish, while
deliveries are still taken and queued for the next start; a second Ctrl-C or
SIGTERM ends the runs at once. Nothing that waits or was cut short is lost.

It takes deliveries at POST /webhooks/<type>, and answers at /health, /ready and
/metrics. It listens on this machine only unless told otherwise.

Changed files of the project and changed credentials are taken up by themselves,
and at once by al reload or SIGHUP.

With --takeover it takes the place of the gateway that runs on the project: that
is how al is upgraded without refusing a delivery. It makes everything ready, is
handed the open port, and goes on with what waits. The one before starts nothing
more, ends its runs in its own time, and leaves; al stat counts them, al kill and
al stop reach them. Should the new one not get that far, the old one goes on.
Without a gateway to take over from it is an ordinary start.

Under systemd it listens on the socket of its unit, if that has one.`,
		Example: `  al start                       the project in this folder
  al start -p my-agents --port 9000
  al start --expose              reachable from other machines
  al start --takeover            take the place of the one that runs`,
		Args: words(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.portSet = cmd.Flags().Changed("port")
			return run(cmd.Context(), o)
		},
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().StringVar(&o.host, "host", "", "address to listen on, instead of [gateway] host")
	cmd.Flags().IntVar(&o.port, "port", 0, "port to listen on, instead of [gateway] port; 0 takes any free one")
	cmd.Flags().BoolVar(&o.expose, "expose", false, "listen on every address of this machine")
	cmd.Flags().BoolVar(&o.takeover, "takeover", false, "take over from the gateway that runs on the project, if one does")
	cmd.Flags().StringVar(&o.logLevel, "log-level", "", "trace, debug, info, warn or error, instead of [gateway] logLevel")
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions(config.LogLevels(), cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().BoolVar(&o.logJSON, "log-json", false, "log in JSON")
	cmd.MarkFlagsMutuallyExclusive("host", "expose")
	return cmd
}

func (o startOptions) overrides() map[string]string {
	out := map[string]string{}
	if o.host != "" {
		out["gateway.host"] = o.host
	}
	if o.expose {
		out["gateway.host"] = "0.0.0.0"
	}
	if o.portSet {
		out["gateway.port"] = strconv.Itoa(o.port)
	}
	if o.logLevel != "" {
		out["gateway.logLevel"] = o.logLevel
	}
	return out
}

func runStart(ctx context.Context, o startOptions) error {
	if o.logLevel != "" && !slices.Contains(config.LogLevels(), o.logLevel) {
		return &usageError{
			err:   fmt.Errorf("--log-level %q is none of trace, debug, info, warn and error", o.logLevel),
			usage: "Run al start --help for the flags.\n",
		}
	}
	p, credentials, warnings, err := load(o.streams, o.project, o.overrides())
	if err != nil {
		return err
	}
	showProblems(o.streams, warnings)
	if err := closeStdin(); err != nil {
		return err
	}
	listener, err := handover.Inherited()
	if err != nil {
		return fmt.Errorf("not started: the socket of systemd: %w", err)
	}
	if listener != nil && o.takeover {
		return errors.New("not started: systemd has the port open already; --takeover is for a port that another al has")
	}
	tuneMemory(p.Gateway.MaxInflightBytes)
	log := logger(o.streams, p.Gateway.LogLevel, o.logJSON)
	gateway, err := app.New(ctx, app.Options{
		Project: p, Credentials: credentials, Log: log, SetLogLevel: func(level string) { log.SetLevel(hclog.LevelFromString(level)) },
		Listener: listener, Takeover: o.takeover,
	})
	if err != nil {
		if showJoined(o.streams, err) {
			return errShown
		}
		return fmt.Errorf("not started: %w", err)
	}
	return serve(ctx, gateway)
}

// serve runs the gateway until it is told to stop. Who tells it a second time,
// by a signal or through the API and then by a signal, does not want to wait for
// the runs under way.
func serve(ctx context.Context, gateway *app.App) error {
	again := secondInterrupt(ctx)
	ended := make(chan struct{})
	var listening sync.WaitGroup
	listening.Go(func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
			gateway.RequestStop(gateway.StopRequested())
		}
		select {
		case <-ended:
		case <-again:
			gateway.RequestStop(true)
		}
	})
	defer listening.Wait()
	defer close(ended)
	defer reloadOnHangup(gateway)()
	return gateway.Run(context.WithoutCancel(ctx))
}

// showJoined prints the problems that an error consists of, and says whether
// that was all of it.
func showJoined(s Streams, err error) bool {
	var problems config.Problems
	for _, e := range flatten(err) {
		var p config.Problem
		if !errors.As(e, &p) {
			return false
		}
		problems = append(problems, p)
	}
	showProblems(s, problems)
	return true
}

func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}

// tuneMemory has the collector run a third as often as by default: what a
// gateway holds for long is small, and most of what it allocates is garbage once
// the delivery is answered. Large bodies are the exception, so that it works
// harder again when they are about to fill the memory meant for them. The
// environment has the last word.
func tuneMemory(maxInflight int64) {
	const (
		percent = 300
		base    = 64 << 20 // everything but bodies
		copies  = 2        // a body, and the message it travels in
	)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(base + copies*maxInflight)
	}
}

// closeStdin gives the process an empty standard input: go-plugin hands its own
// to every provider, whatever it is told.
func closeStdin() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }()
	return unix.Dup2(int(null.Fd()), int(os.Stdin.Fd()))
}
