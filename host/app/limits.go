package app

import (
	"time"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/store"
)

func limitsOf(p *config.Project) store.Limits {
	l := store.Limits{
		Scale:  p.Scale,
		Budget: store.Budget{PerHour: p.MaxRunsPerHour, PerDay: p.MaxRunsPerDay},
		At:     time.Now(),
	}
	for _, a := range p.Agents {
		l.Agents = append(l.Agents, store.AgentLimits{
			Agent: a.Name, Scale: a.Scale, Capacity: a.MaxWorkQueueSize,
			Budget:     store.Budget{PerHour: a.MaxRunsPerHour, PerDay: a.MaxRunsPerDay},
			DropBeyond: a.OnLimit == "drop",
			RunsOn:     a.RunsOn,
		})
	}
	return l
}

func agentNames(p *config.Project) []string {
	names := make([]string, len(p.Agents))
	for i, a := range p.Agents {
		names[i] = a.Name
	}
	return names
}
