package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/store"
)

// SetLimits implements [store.Store].
func (s *Store) SetLimits(ctx context.Context, l store.Limits) error {
	if err := checkLimits(l); err != nil {
		return fmt.Errorf("set limits: %w", err)
	}
	n := len(l.Agents)
	names, runsOn := make([]string, n), make([]string, n)
	scale, capacity, perHour, perDay := make([]int, n), make([]int, n), make([]int, n), make([]int, n)
	drop := make([]bool, n)
	for i, a := range l.Agents {
		names[i], scale[i], capacity[i] = encodeText(a.Agent), a.Scale, a.Capacity
		perHour[i], perDay[i], drop[i] = a.Budget.PerHour, a.Budget.PerDay, a.DropBeyond
		runsOn[i] = jsonList(encodeTexts(a.RunsOn))
	}
	err := s.alone(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT al_set_limits($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			s.at(l.At), l.Scale, l.Budget.PerHour, l.Budget.PerDay, names, scale, capacity, perHour, perDay, drop, runsOn)
	}, exec)
	if err != nil {
		return fmt.Errorf("set limits: %w", err)
	}
	s.talk.work()
	return nil
}

func checkLimits(l store.Limits) error {
	seen := map[string]bool{}
	for _, a := range l.Agents {
		switch {
		case a.Agent == "":
			return fmt.Errorf("an agent has no name")
		case seen[a.Agent]:
			return fmt.Errorf("agent %s comes twice", a.Agent)
		case a.Scale < 0:
			return fmt.Errorf("agent %s: scale %d is negative", a.Agent, a.Scale)
		case a.Capacity < 1:
			return fmt.Errorf("agent %s: capacity %d is below 1", a.Agent, a.Capacity)
		case a.Budget.PerHour < 0 || a.Budget.PerDay < 0:
			return fmt.Errorf("agent %s: its budget is negative", a.Agent)
		}
		seen[a.Agent] = true
	}
	if l.Scale < 0 || l.Budget.PerHour < 0 || l.Budget.PerDay < 0 {
		return fmt.Errorf("scale %d or budget %+v is negative", l.Scale, l.Budget)
	}
	return nil
}

// jsonList is a list of strings as JSON, also when it is empty.
func jsonList(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return "[]" // can not happen: strings always encode
	}
	return string(raw)
}

// SetPaused implements [store.Store].
func (s *Store) SetPaused(ctx context.Context, p store.Pause) error {
	reason := encodeText(p.Reason)
	if !p.Paused {
		reason = ""
	}
	w := &work{hear: exec}
	var agent *string
	if p.Agent != "" {
		name := encodeText(p.Agent)
		agent, w.locks.agents = &name, []string{p.Agent}
	}
	w.ask = func(b *pgx.Batch) { b.Queue(`SELECT al_set_paused($1, $2, $3)`, agent, p.Paused, reason) }
	if err := s.write(ctx, true, w); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	if !p.Paused {
		s.talk.work()
	}
	return nil
}
