package sqlite

import (
	"context"
	"fmt"

	"github.com/action-llama/gateway/host/store"
)

// SetPaused implements [store.Store].
func (s *Store) SetPaused(ctx context.Context, p store.Pause) error {
	err := s.writer.do(ctx, 0, true, func(t *tx) error {
		reason := p.Reason
		if !p.Paused {
			reason = ""
		}
		if p.Agent == "" {
			t.totals.paused, t.totals.pausedReason = p.Paused, reason
			return nil
		}
		row, err := t.queue(p.Agent)
		if err != nil {
			return err
		}
		if row.paused && !p.Paused {
			row.resumedAfter = t.totals.lastJob
		}
		row.paused, row.pausedReason = p.Paused, reason
		return nil
	})
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return nil
}
