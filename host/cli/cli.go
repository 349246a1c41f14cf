// Package cli is the `al` command: words in, text and an exit code out. Each
// command is an options struct and a run function, so that a test needs neither
// a terminal nor a process. What a command does is in the packages below; here
// is only what a person types and reads.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Exit codes, a contract with scripts.
const (
	exitFine   = 0
	exitFailed = 1 // the thing asked for failed
	exitUsage  = 2 // the call's words were wrong
)

// Streams is where a command reads and writes, and what it knows of its
// surroundings.
type Streams struct {
	In     io.Reader
	Out    io.Writer // data
	Err    io.Writer // talk
	Getenv func(string) string
	// Whether Out and Err are terminals that lines can be redrawn on, and
	// whether their reader does not want colours.
	OutTerminal bool
	ErrTerminal bool
	NoColor     bool
}

// System returns the streams of the process.
func System() Streams {
	terminal := func(f *os.File) bool {
		return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	}
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		OutTerminal: terminal(os.Stdout), ErrTerminal: terminal(os.Stderr), NoColor: os.Getenv("NO_COLOR") != "",
	}
}

// usageError is a fault in the words of the call. Usage is shown for these and
// for nothing else.
type usageError struct {
	err   error
	usage string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// errShown is a failure about which everything was said already.
var errShown = errors.New("failed")

// Main runs one call of al and returns its exit code.
func Main(args []string, s Streams) int {
	ctx, stop := withInterrupts(context.Background())
	defer stop()

	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errShown):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(s.Err, "%s %v\n\n%s", s.errPaint(red, "al:"), err, usage.usage)
		return exitUsage
	default:
		fmt.Fprintf(s.Err, "%s %v\n", s.errPaint(red, "al:"), err)
		return exitFailed
	}
}

func newRoot(s Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "al",
		Short: "Start AI agents when something happens",
		Long: `al starts AI agents when something happens: a webhook arrives, or the clock
says so. It verifies and records each delivery, matches it against the triggers
of your agents, and runs those that match.`,
		Example: `  al new my-agents          make a project that works at once
  al start -p my-agents     run the gateway
  al stat -p my-agents      see queues and runs`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          words(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{err: err, usage: cmd.UsageString()}
	})
	root.AddCommand(
		newNew(s, runNew),
		newStart(s, runStart),
		newStop(s, runStop),
		newStat(s, runStat),
		newReload(s, runReload),
		newRun(s, runRun),
		newLogs(s, runLogs),
		newStats(s, runStats),
		newPause(s, runPause),
		newResume(s, runPause),
		newKill(s, runKill),
		newDoctor(s, runDoctor),
		newWebhook(s),
		newPlan(s, runPlan),
		newCreds(s),
		newPlugin(s),
		newStore(s),
		newVersion(s, runVersion),
		newHarnessPrint(s),
	)
	return root
}

// words makes a fault in the number of arguments, or in which flags come
// together, a usage error.
func words(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := errors.Join(check(cmd, args), cmd.ValidateFlagGroups()); err != nil {
			return &usageError{err: err, usage: cmd.UsageString()}
		}
		return nil
	}
}

func projectFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVarP(dir, "project", "p", ".", "the project's folder")
	_ = cmd.MarkFlagDirname("project")
}
