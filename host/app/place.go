package app

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/handover"
)

// findPlace makes this gateway the one of the project and opens the port, or
// finds the one that it takes over from, which has both.
func (a *App) findPlace(ctx context.Context, o Options) (err error) {
	if o.Listener != nil {
		a.listenOn(o.Listener)
	}
	if o.Takeover {
		if a.before, err = a.meet(ctx, o.Project); err != nil || a.before != nil {
			return err
		}
	}
	if a.lock, err = lockProject(o.Project.Dir); err != nil {
		return err
	}
	return a.listen(ctx, o.Project.Gateway)
}

// register lets others know of this gateway, and waits for nobody yet.
func (a *App) register(p *config.Project) error {
	if err := sweepGateways(p.Dir); err != nil {
		a.log.Warn("what killed gateways left of themselves could not be removed", "error", err)
	}
	socket, err := socketFile(p.Dir, a.self.ID)
	if err == nil {
		a.self.Socket = socket
		var l *net.UnixListener
		if l, err = handover.Listen(socket); err == nil {
			a.offer = &handover.Offer{Listener: l, Self: a.hello(), Giver: giver{a}, Log: a.log.Named("handover")}
			a.later(func() error { return ignoreClosed(l.Close()) })
		}
	}
	if err != nil {
		a.self.Socket = ""
		a.log.Warn("another al will not be able to take over from this gateway", "error", err)
	}
	if a.registered, err = register(p.Dir, a.self); err != nil {
		return fmt.Errorf("let others know of this gateway: %w", err)
	}
	if a.atStart, err = a.others(); err != nil {
		return fmt.Errorf("look for gateways before this one: %w", err)
	}
	a.unburied.add(a.atStart)
	return nil
}

// releaseProject gives up what makes this a gateway of the project.
func (a *App) releaseProject() error {
	var errs []error
	if a.registered != nil {
		errs = append(errs, a.registered(), removeSocket(a.self))
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Release())
	}
	return errors.Join(errs...)
}
