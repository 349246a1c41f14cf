package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/store"
)

const (
	// maxPruneStep bounds what one transaction deletes, whatever is asked.
	maxPruneStep = 1000
	// maxPruneBytes does the same for the bodies among it.
	maxPruneBytes = 16 << 20
)

// Prune implements [store.Store]. Of several hosts one does it at a time, and
// the others have nothing to do.
func (s *Store) Prune(ctx context.Context, p store.Prune) (bool, error) {
	step := min(max(p.Step, 1), maxPruneStep)
	var more bool
	err := s.alone(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT al_prune($1, $2, $3, $4, $5)`, nanos(p.Before), p.MaxBytes, step, maxPruneBytes, s.writer.part)
	}, func(results pgx.BatchResults) error { return results.QueryRow().Scan(&more) })
	if err != nil {
		return false, fmt.Errorf("prune: %w", err)
	}
	return more, nil
}
