package app

import (
	"context"
	"time"

	"github.com/action-llama/gateway/host/runner"
	"github.com/action-llama/gateway/host/store"
)

const pruneEvery = time.Minute

// keepShort deletes history that is too old or too large, in steps so small
// that no delivery waits for them.
func (a *App) keepShort(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p := a.config.get().project
		before := time.Now().AddDate(0, 0, -p.HistoryRetentionDays)
		if _, err := runner.Prune(RunsDir(p.Dir), before); err != nil {
			a.log.Warn("old output of runs could not be deleted", "error", err)
		}
		_, err := store.PruneAll(ctx, a.store, store.Prune{Before: before, MaxBytes: p.HistoryMaxBytes, Step: store.PruneStep})
		if err != nil && ctx.Err() == nil {
			a.log.Warn("old history could not be deleted", "error", err)
		}
	}
}
