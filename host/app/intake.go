package app

import (
	"context"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// intake is the store as deliveries see it.
type intake struct{ *App }

func (i intake) Accept(ctx context.Context, a store.Acceptance) (store.Accepted, error) {
	return i.accept(ctx, a)
}

func (i intake) Note(r job.Receipt) bool { return i.store.Note(r) }

// accept is the one way of jobs into the store, so that all are counted
// whatever they come of.
func (a *App) accept(ctx context.Context, asked store.Acceptance) (store.Accepted, error) {
	out, err := a.store.Accept(ctx, asked)
	if err == nil {
		a.dispatcher.Accepted(asked, out)
	}
	return out, err
}
