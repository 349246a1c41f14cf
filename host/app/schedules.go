package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/cron"
	"github.com/action-llama/gateway/host/flow"
)

// CheckSchedule says what is wrong with a cron expression in a time zone.
func CheckSchedule(expr, timezone string) error {
	if _, err := parseSchedule(expr, timezone); err != nil {
		// Who asks quotes the expression, too.
		return errors.New(strings.TrimPrefix(err.Error(), fmt.Sprintf("schedule %q: ", expr)))
	}
	return nil
}

func parseSchedule(expr, timezone string) (cron.Schedule, error) {
	loc, err := time.LoadLocation(timezone)
	if err != nil {
		return cron.Schedule{}, fmt.Errorf("time zone %q: %w", timezone, err)
	}
	return cron.Parse(expr, loc)
}

// schedules lists the schedules of the agents that are not disabled.
func schedules(p *config.Project) ([]cron.Entry, error) {
	var entries []cron.Entry
	for _, a := range p.Agents {
		if a.Schedule == "" || a.Scale == 0 {
			continue
		}
		s, err := parseSchedule(a.Schedule, a.Timezone)
		if err != nil {
			return nil, config.Errorf(a.SchedulePos, "schedule: %v", err)
		}
		policy, err := policyOf(a.Flow)
		if err != nil { // it was said, with its place, when the triggers were put together
			policy = flow.Policy{}
		}
		entries = append(entries, cron.Entry{
			Agent: a.Name, Schedule: s, Source: a.Schedule, Apply: policy.ApplyTick,
			Jitter: a.Jitter, CatchUp: a.CatchUp == "latest",
		})
	}
	return entries, nil
}

// lastTicks returns when each agent ticked last, on any host of the store.
func (a *App) lastTicks(ctx context.Context) (map[string]time.Time, error) {
	queues, err := a.store.Queues(ctx)
	if err != nil {
		return nil, err
	}
	last := make(map[string]time.Time, len(queues))
	for _, q := range queues {
		last[q.Agent] = q.LastTick
	}
	return last, nil
}
