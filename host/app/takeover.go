package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/handover"
	"github.com/action-llama/gateway/host/store/sqlite"
	"github.com/action-llama/gateway/host/version"
)

// This is the side of the gateway that takes over. It makes everything ready
// that can be made beside the other, and asks for the port last.

// tickOverlap is how long before the takeover ticks are asked for again: the
// gateway before may have been late with them. Those that it did ask for are
// repeats.
const tickOverlap = 5 * time.Second

func (a *App) hello() handover.Hello {
	return handover.Hello{Version: version.Version, PID: os.Getpid(), ID: a.self.ID, Address: strings.TrimPrefix(a.self.URL, "http://")}
}

// meet finds the gateway to take over from and sees whether that can be done.
// Without one there is nothing to take over, and it returns nil.
func (a *App) meet(ctx context.Context, p *config.Project) (*handover.Successor, error) {
	in, err := Find(p.Dir)
	switch {
	case errors.Is(err, ErrStarting):
		return nil, fmt.Errorf("%w; try again in a moment", err)
	case errors.Is(err, ErrNotRunning):
		a.log.Info("no gateway runs on this project; there is nothing to take over")
		return nil, nil
	case err != nil:
		return nil, err
	case in.Socket == "":
		return nil, cannotTakeOver(in.PID, errors.New("it can not hand over (it may be older than this al)"))
	}
	if err := sqlite.CheckBeside(DatabaseFile(p.Dir)); err != nil {
		return nil, cannotTakeOver(in.PID, err)
	}
	s, err := handover.Meet(ctx, in.Socket, a.hello())
	if err != nil {
		return nil, cannotTakeOver(in.PID, err)
	}
	if err := checkAddress(s.Previous, p.Gateway); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func cannotTakeOver(pid int, err error) error {
	return fmt.Errorf("can not take over from process %d: %w; stop it first (al stop), then al start", pid, err)
}

// checkAddress makes sure that the port which is handed over is the one that is
// configured: nobody would find out otherwise until the next start.
func checkAddress(before handover.Hello, g config.Gateway) error {
	at, err := net.ResolveTCPAddr("tcp", before.Address)
	if err != nil {
		return fmt.Errorf("address of the running gateway: %w", err)
	}
	if sameAddress(at, g) {
		return nil
	}
	return fmt.Errorf("the running gateway listens on %s, and [gateway] host and port say %s: a takeover keeps the port; "+
		"start with --host and --port of the running one, or stop it first (al stop), then al start",
		before.Address, net.JoinHostPort(g.Host, strconv.Itoa(g.Port)))
}

// takeOver has the gateway before start nothing more, and receives its port and
// the project. From here on that one waits for this.
func (a *App) takeOver(ctx context.Context) error {
	a.ticksSince = time.Now().Add(-tickOverlap)
	estate, err := a.before.Take(ctx)
	if err != nil {
		return cannotTakeOver(a.before.Previous.PID, err)
	}
	a.lock = estate.Lock
	a.listenOn(estate.Listener)
	return nil
}

// mayBegin asks the gateway before whether this one may work now. When that one
// has died meanwhile there is nobody to ask.
func (a *App) mayBegin(ctx context.Context, project string) error {
	err := a.before.Ready(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	living, unknown := gatewaysOf(project)
	if unknown != nil {
		return errors.Join(err, unknown)
	}
	for _, in := range living {
		if in.ID == a.before.Previous.ID {
			return cannotTakeOver(in.PID, err)
		}
	}
	a.log.Warn("the gateway before has died; this one goes on alone", "pid", a.before.Previous.PID)
	return nil
}

// nowServing tells the gateway before that this one works.
func (a *App) nowServing(ctx context.Context) {
	if a.before == nil {
		return
	}
	previous := a.before.Previous
	if err := a.before.Serving(ctx); err != nil { // it died just now: there is nothing that it has to do
		a.log.Warn("the gateway before does not answer any more", "pid", previous.PID, "error", err)
	} else {
		a.log.Info("took over", "from_pid", previous.PID, "from_version", previous.Version)
	}
	a.endTalk()
}

func (a *App) endTalk() {
	if a.before != nil {
		_ = a.before.Close() // nothing is said any more
		a.before = nil
	}
}
