package app

import (
	"slices"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/sdk"
)

// Need is a credential that a project names, and who needs it.
type Need struct {
	Ref     config.CredentialRef
	Sources []string // that it proves deliveries of
	Agents  []string // whose runs get it
}

// CredentialNeeds lists the credentials that a project names, each once.
// Sources of a type without descriptor are left out unless they say themselves
// which type of credential they mean.
func CredentialNeeds(p *config.Project, descriptors []sdk.Descriptor) []Need {
	var needs []Need
	of := func(ref config.CredentialRef) *Need {
		ref.Pos = config.Pos{}
		i := slices.IndexFunc(needs, func(n Need) bool { return n.Ref == ref })
		if i < 0 {
			needs = append(needs, Need{Ref: ref})
			i = len(needs) - 1
		}
		return &needs[i]
	}
	for _, source := range p.Sources {
		typ := ""
		if i := slices.IndexFunc(descriptors, func(d sdk.Descriptor) bool { return d.Type == source.Type }); i >= 0 {
			typ = descriptors[i].Credential.Type
		}
		for _, ref := range source.Credentials {
			if ref.Type == "" && typ == "" {
				continue
			}
			n := of(ref.For(typ))
			if !slices.Contains(n.Sources, source.Name) {
				n.Sources = append(n.Sources, source.Name)
			}
		}
	}
	for _, agent := range p.Agents {
		for _, ref := range agent.Credentials {
			n := of(ref)
			if !slices.Contains(n.Agents, agent.Name) {
				n.Agents = append(n.Agents, agent.Name)
			}
		}
	}
	return needs
}
