package app

import (
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/store"
)

func limitsOf(p *config.Project) store.Limits {
	l := store.Limits{Scale: p.Scale}
	for _, a := range p.Agents {
		l.Agents = append(l.Agents, store.AgentLimits{Agent: a.Name, Scale: a.Scale, Capacity: a.MaxWorkQueueSize})
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
