package pluginhost

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/action-llama/gateway/sdk"
)

// Inspected is what a provider says of itself.
type Inspected struct {
	sdk.Descriptor
	Protocol int // the version that it and this host agreed on
}

// Inspect starts the provider of a type once, as a host with these options
// would, to see whether it works and what it is. When it returns no process is
// left, or the error says so. Without a RuntimeDir it makes one for the while.
func Inspect(ctx context.Context, opts Options, typ string) (out Inspected, err error) {
	if opts.RuntimeDir == "" {
		if opts.RuntimeDir, err = os.MkdirTemp("", "al-inspect-"); err != nil {
			return out, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(opts.RuntimeDir)) }()
	}
	h := New(opts)
	defer h.rush()
	defer h.end()
	in, err := h.launch(ctx, typ)
	if err != nil {
		return out, err
	}
	out = Inspected{Descriptor: in.client.Describe(), Protocol: in.protocol}
	return out, newProvider(h, typ).retire(in, 0)
}

// Platforms reads from a program's header what it was built for, as
// GOOS/GOARCH. A script has none.
func Platforms(path string) ([]string, error) {
	targets, _, err := builtFor(path)
	return targets, err
}

// RunsHere says whether this machine runs programs for one of the platforms.
func RunsHere(platforms []string) bool { return slices.ContainsFunc(platforms, runsHere) }
