package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/handover"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/store"
)

// The other gateways of a project are those that have handed over, to this one
// or to one before it, and finish their runs.

// others lists them, as far as they live.
func (a *App) others() ([]Instance, error) {
	living, err := gatewaysOf(a.config.get().project.Dir)
	return slices.DeleteFunc(living, func(in Instance) bool { return in.ID == a.self.ID }), err
}

// earlier lists those of them that were there before this one: not one that is
// about to take over.
func (a *App) earlier() ([]Instance, error) {
	others, err := a.others()
	was := among(a.atStart)
	return slices.DeleteFunc(others, func(in Instance) bool { return !was(in) }), err
}

// hostName is what the store knows a gateway of this machine by. Other than the
// number of its process it is never used again.
func (a *App) hostName(id string) string { return a.machine + "/" + id }

// livingHosts is what the queue has to know of the others. One that has died
// counts among them until what it left behind is ended: its jobs must not run
// again beside that.
func (a *App) livingHosts() ([]string, error) {
	others, err := a.others()
	var hosts []string
	for _, in := range others {
		hosts = append(hosts, a.hostName(in.ID))
	}
	for _, id := range a.unburied.list() {
		hosts = append(hosts, a.hostName(id))
	}
	return hosts, err
}

// unburied are the gateways that were there at the start, as long as they live
// and until what they left behind is ended.
type unburied struct {
	mu  sync.Mutex
	ids []string
}

func (u *unburied) add(gateways []Instance) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, in := range gateways {
		u.ids = append(u.ids, in.ID)
	}
}

func (u *unburied) list() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.ids)
}

func (u *unburied) keep(living []Instance) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ids = slices.DeleteFunc(u.ids, func(id string) bool { return !among(living)(Instance{ID: id}) })
}

// runsUnderWay returns the ids of runs under way, by their hosts.
func runsUnderWay(ctx context.Context, s interface {
	Runs(ctx context.Context, q store.Query) ([]job.Run, error)
}) (map[string][]string, error) {
	const page = 1000
	by := map[string][]string{}
	for q := (store.Query{State: job.Running, Limit: page}); ; {
		runs, err := s.Runs(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("runs under way: %w", err)
		}
		for _, r := range runs {
			by[r.Host] = append(by[r.Host], r.ID)
			q.Before = r.ID
		}
		if len(runs) < page {
			return by, nil
		}
	}
}

// runsOfOthers returns the runs that are under way in gateways that live, this
// one not among them, and those of gateways that are gone.
func (a *App) runsOfOthers(ctx context.Context, others []Instance) (living, gone []string, err error) {
	by, err := runsUnderWay(ctx, a.store)
	for _, in := range others {
		living = append(living, by[a.hostName(in.ID)]...)
		delete(by, a.hostName(in.ID))
	}
	delete(by, a.hostName(a.self.ID))
	for _, runs := range by {
		gone = append(gone, runs...)
	}
	return living, gone, err
}

// bury ends what is left of the runs of gateways that have died, and gives their
// jobs back.
func (a *App) bury(ctx context.Context) error {
	others, err := a.others()
	if err != nil {
		return err
	}
	_, gone, err := a.runsOfOthers(ctx, others)
	if err != nil {
		return err
	}
	dir := RunsDir(a.config.get().project.Dir)
	a.killLeftovers(dir)
	if err := runner.RemoveCredentials(dir, gone); err != nil {
		a.log.Error("credentials of runs of a killed gateway could not be removed", "error", err)
	}
	a.unburied.keep(others)
	return a.dispatcher.Recover(ctx)
}

const (
	lookForOthers = time.Second
	buryWithin    = 30 * time.Second
)

// watchOthers waits until those that were there at the start are gone. Whatever
// one of them leaves behind is taken up at once.
func (a *App) watchOthers(ctx context.Context) {
	before := a.atStart
	tick := time.NewTicker(lookForOthers)
	defer tick.Stop()
	for told := false; len(before) > 0; told = true {
		if !told {
			a.tellOfOthers(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := a.earlier()
		if err != nil {
			a.log.Debug("gateways before can not be looked for", "error", err)
			continue
		}
		left := slices.DeleteFunc(slices.Clone(before), among(now))
		if len(left) == 0 {
			continue
		}
		burying, cancel := context.WithTimeout(ctx, buryWithin)
		err = a.bury(burying)
		cancel()
		if err != nil {
			a.log.Warn("what a gateway before has left behind is not taken up yet, trying again", "error", err)
			continue
		}
		for _, in := range left {
			a.log.Info("the gateway before has left", "pid", in.PID)
		}
		before = slices.DeleteFunc(before, among(left))
	}
}

func among(list []Instance) func(Instance) bool {
	return func(in Instance) bool {
		return slices.ContainsFunc(list, func(other Instance) bool { return other.ID == in.ID })
	}
}

func (a *App) tellOfOthers(ctx context.Context) {
	for _, p := range a.previous(ctx) {
		a.log.Info("the gateway before finishes its runs", "pid", p.PID, "runs", p.Runs)
	}
}

// previous tells of the others to those who look.
func (a *App) previous(ctx context.Context) []api.PreviousStatus {
	others, err := a.earlier()
	if err != nil || len(others) == 0 {
		return nil
	}
	by, err := runsUnderWay(ctx, a.store)
	if err != nil {
		a.log.Debug("runs of gateways before can not be counted", "error", err)
	}
	var out []api.PreviousStatus
	for _, in := range others {
		out = append(out, api.PreviousStatus{
			PID: in.PID, Version: in.Version, StartedAt: in.StartedAt.UTC(), Runs: len(by[a.hostName(in.ID)]),
		})
	}
	return out
}

const askPatience = 5 * time.Second

// stopAll asks gateways to stop, which they then do by themselves.
func stopAll(ctx context.Context, gateways []Instance, self handover.Hello, now bool) error {
	var mu sync.Mutex
	var errs []error
	var asking sync.WaitGroup
	for _, in := range gateways {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askPatience)
			defer cancel()
			err := handover.AskStop(ctx, in.Socket, self, now)
			if err != nil && !errors.Is(err, handover.ErrGone) {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("stop the gateway before (process %d): %w", in.PID, err))
			}
		})
	}
	asking.Wait()
	return errors.Join(errs...)
}

// StopPrevious asks the gateways that have handed over to stop, when there is
// none that has taken over. It says how many there are.
func StopPrevious(ctx context.Context, project string, now bool) (int, error) {
	living, err := gatewaysOf(project)
	if err != nil || len(living) == 0 {
		return 0, err
	}
	return len(living), stopAll(ctx, living, handover.Hello{}, now)
}

// awaitOthers returns when the others are gone, or the time is over.
func (a *App) awaitOthers(ctx context.Context) {
	tick := time.NewTicker(lookForOthers / 10)
	defer tick.Stop()
	for {
		others, err := a.earlier()
		if err != nil || len(others) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			pids := make([]string, len(others))
			for i, in := range others {
				pids[i] = fmt.Sprint(in.PID)
			}
			a.log.Warn("a gateway before does not end", "pids", strings.Join(pids, " "))
			return
		case <-tick.C:
		}
	}
}
