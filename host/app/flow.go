package app

import (
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/flow"
	"github.com/action-llama/gateway/host/store"
)

// policyOf says of a configured flow how jobs go through the queue.
func policyOf(f config.Flow) (flow.Policy, error) {
	key, err := flow.ParseTemplate(f.ConcurrencyKey)
	return flow.Policy{
		Key:             key,
		OnBusy:          store.OnBusy(f.OnBusy),
		Debounce:        f.Debounce,
		MaxWait:         f.MaxWait,
		Ignore:          flow.NewSenders(f.IgnoreSenders),
		MaxSelfTriggers: f.MaxSelfTriggers,
	}, err
}

// policiesOf returns the policy of every trigger of a project, and what is wrong
// with any of them, each mistake once.
func policiesOf(p *config.Project) (map[origin]flow.Policy, config.Problems) {
	policies := map[origin]flow.Policy{}
	var problems config.Problems
	for _, agent := range p.Agents {
		said := map[config.Pos]bool{}
		check := func(f config.Flow) flow.Policy {
			policy, err := policyOf(f)
			if err != nil && !said[f.KeyPos] {
				said[f.KeyPos] = true
				problems = append(problems, config.Errorf(f.KeyPos, "concurrencyKey %v", err))
			}
			return policy
		}
		check(agent.Flow)
		for i, trigger := range agent.Triggers {
			policies[origin{agent.Name, i}] = check(trigger.Flow)
		}
	}
	return policies, problems
}
